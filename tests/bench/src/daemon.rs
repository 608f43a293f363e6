//! The daemon's side: a service with a store of its own that knows the call.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_compile::Compile;
use larder_compile::benching::Known;
use larder_fingerprint::Fingerprints;
use larder_proto::PROTOCOL_VERSION;
use larder_proto::v1::compile_reply::Reply;
use larder_proto::v1::compile_request::Request;
use larder_proto::v1::{CompileReply, CompileRequest, Publish};
use larder_service::{Board, Clock, Connection, Context, Service as _, SystemClock};
use larder_store::{Store, StoreConfig};
use prost::Message as _;
use tokio::runtime::Runtime;

use crate::Result;
use crate::call::Place;

/// Which files the daemon sees, as far as it is told.
pub const VIEW: (u64, u64, u64) = (1, 2, 3);

/// How much later it is to be, nanoseconds: an hour.
const LATER: u64 = 3_600_000_000_000;

/// The longest step of the clock that stamps files.
const TICK: Duration = Duration::from_millis(10);

/// The machine's clock, until it jumps ahead: what was written before is then old, however long that took.
#[derive(Default)]
struct Jumping(AtomicU64);

impl Jumping {
    fn ahead(&self, time: u64) -> u64 {
        time + self.0.load(Ordering::Relaxed)
    }
}

impl Clock for Jumping {
    fn unix_ns(&self) -> u64 {
        self.ahead(SystemClock.unix_ns())
    }

    fn file_time_ns(&self) -> u64 {
        self.ahead(SystemClock.file_time_ns())
    }

    fn monotonic_ns(&self) -> u64 {
        SystemClock.monotonic_ns()
    }

    fn boot(&self) -> u64 {
        SystemClock.boot()
    }
}

/// A daemon's lane, without its socket.
pub struct Daemon {
    runtime: Runtime,
    service: Compile,
    connection: Connection,
    place: Place,
    /// The lookup.
    pub request: Vec<u8>,
}

impl Daemon {
    /// One that keeps everything below `root`, and has the call's result.
    ///
    /// # Errors
    /// When it does not come to know the result.
    pub fn new(root: &Path) -> Result<Self> {
        let clock = Arc::new(Jumping::default());
        let place = Place::lay_out(root)?;
        let tmp = root.join("tmp");
        std::fs::create_dir(&tmp)?;
        let board = Arc::new(Board::new(0, &["compile"]));
        let context = Context { clock: clock.clone(), board, tmp, filesystem_view: VIEW };
        let config = StoreConfig {
            root: root.join("store"),
            limit_bytes: 1 << 30,
            memory_bytes: 1 << 20,
            clock: clock.clone(),
        };
        let store = Arc::new(Store::open(config)?.0);
        let fingerprints = Arc::new(Fingerprints::new(clock.clone(), 10_000));
        let service = Compile::new(context, store, fingerprints);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let connection = Connection { id: 1, peer_pid: std::process::id() };
        let request = message(Request::Lookup(place.lookup()));
        let daemon = Self { runtime, service, connection, place, request };
        settle(&*clock);
        daemon.learn(&clock)?;
        clock.0.store(LATER, Ordering::Relaxed);
        Ok(daemon)
    }

    /// Has the call's result stored.
    fn learn(&self, clock: &Jumping) -> Result<()> {
        if !larder_compile::benching::introduce(&self.service, &self.place.compiler, self.place.lookup()) {
            return Err("the compiler is none".into());
        }
        let Reply::Run(run) = self.ask(&self.request)? else {
            return Err("nothing is to be compiled".into());
        };
        let started_unix_ns = clock.file_time_ns();
        settle(clock);
        self.place.compile()?;
        let (lease, tool_us) = (run.lease, 20_000);
        let publish = Publish { lease, exit_code: 0, started_unix_ns, tool_us, ..Publish::default() };
        match self.ask(&message(Request::Publish(publish)))? {
            Reply::Published(published) if published.stored => Ok(()),
            other => Err(format!("the result was not stored: {run:?}, {other:?}").into()),
        }
    }

    /// Serves the call once, as the lane does: bytes in, bytes out.
    #[must_use]
    pub fn serve(&self) -> Vec<u8> {
        self.runtime.block_on(self.service.call(&self.connection, &self.request))
    }

    /// Serves the call once, and looks at the answer.
    ///
    /// # Errors
    /// When it is no hit.
    pub fn hit(&self) -> Result<larder_proto::v1::Hit> {
        match self.ask(&self.request)? {
            Reply::Hit(hit) => Ok(hit),
            other => Err(format!("the call is no hit: {other:?}").into()),
        }
    }

    /// The call, as far as its key.
    ///
    /// # Errors
    /// When it is no hit.
    pub fn known(&self) -> Result<Known> {
        let known = Known::of(&self.service, self.place.lookup(), self.connection.id);
        Ok(self.runtime.block_on(known).ok_or("the call is no hit")?)
    }

    fn ask(&self, request: &[u8]) -> Result<Reply> {
        let bytes = self.runtime.block_on(self.service.call(&self.connection, request));
        Ok(CompileReply::decode(bytes.as_slice())?.reply.ok_or("an empty reply")?)
    }
}

fn message(request: Request) -> Vec<u8> {
    CompileRequest { protocol: PROTOCOL_VERSION, client_version: String::new(), request: Some(request) }
        .encode_to_vec()
}

/// Waits until the clock that stamps files has moved past everything written so far, with few calls of the kernel: they are
/// counted as well.
fn settle(clock: &dyn Clock) {
    let (_sender, nothing) = std::sync::mpsc::channel::<()>();
    let now = clock.unix_ns();
    while clock.file_time_ns() <= now {
        let _ = nothing.recv_timeout(TICK);
    }
}
