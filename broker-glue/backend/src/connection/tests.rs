use std::io::{Read as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_glue::wire::Wire;
use larder_proto::lane;
use larder_proto::v1::{
    BuildActions, Builds, Comparison, CompileReply, Figure, Found, Health, LaneList, Misses, Overview,
    SettingList, Stats, Status, StoreReport, compile_reply,
};
use larder_service::{Board, BoxFuture, Figures, Reports, Service, SystemClock};
use prost::Message as _;
use running_process::broker::protocol::Endpoint as BrokerEndpoint;
use running_process::test_support::conformance::{MixedWireExpect, MixedWireScenario, MixedWireStep};
use tokio::sync::{Notify, watch};

use super::*;
use crate::control::{Control, Counted};
use crate::services::Loaded;
use crate::traffic::AllTraffic;

struct NoFigures;

impl Figures for NoFigures {
    fn status(&self) -> Status {
        Status::default()
    }
    fn stats(&self, _records: usize) -> Stats {
        Stats::default()
    }
}

impl Counted for NoFigures {
    fn begin_anew(&self, _records: usize) -> Stats {
        Stats::default()
    }
}

impl Reports for NoFigures {
    fn overview(&self) -> Overview {
        Overview::default()
    }
    fn misses(&self, _records: usize) -> Misses {
        Misses::default()
    }
    fn comparison(&self, _record: u64) -> Option<Comparison> {
        None
    }
    fn builds(&self) -> Builds {
        Builds::default()
    }
    fn build(&self, _id: &str) -> Option<BuildActions> {
        None
    }
    fn lanes(&self) -> LaneList {
        LaneList::default()
    }
    fn store(&self) -> Option<StoreReport> {
        None
    }
    fn find(&self, _name: &str) -> Found {
        Found::default()
    }
    fn health(&self) -> Health {
        Health::default()
    }
    fn settings(&self) -> SettingList {
        SettingList::default()
    }
}

/// Echoes; panics when told to, and never answers when told to.
#[derive(Default)]
struct Echo {
    closed: AtomicUsize,
    running: AtomicUsize,
    running_when_closed: AtomicUsize,
    hears: Notify,
}

struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Service for Echo {
    fn name(&self) -> &'static str {
        "compile"
    }
    fn lane(&self) -> Lane {
        lane::COMPILE
    }
    fn call<'a>(&'a self, _: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            match request {
                b"panic" => panic!("as the test wants"),
                b"for ever" => {
                    self.running.fetch_add(1, Ordering::SeqCst);
                    let _running = Running(&self.running);
                    self.hears.notify_one();
                    std::future::pending().await
                }
                _ => request.to_vec(),
            }
        })
    }
    fn closed(&self, _: ConnectionId) {
        self.running_when_closed.fetch_add(self.running.load(Ordering::SeqCst), Ordering::SeqCst);
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

struct Daemon {
    endpoint: Arc<Endpoint>,
    echo: Arc<Echo>,
    _loaded: watch::Sender<Option<Arc<Loaded>>>,
}

fn own_mux() -> Mux {
    static OWN: OnceLock<running_process::broker::backend_handle::DaemonProcess> = OnceLock::new();
    let daemon = OWN.get_or_init(|| {
        let endpoint = BrokerEndpoint { namespace_id: "test".to_owned(), path: "/run/test".to_owned() };
        crate::identity::own(&endpoint, None).expect("this test's own identity")
    });
    let none: fn(&[u8]) -> LegacyClassification = |_| LegacyClassification::NotLegacy;
    BackendEndpointMux::new(daemon.clone(), &lane::SERVED.map(|lane| lane.0), none)
}

fn daemon(patience: Duration) -> Daemon {
    let clock = Arc::new(SystemClock);
    let lifecycle = Lifecycle::new(clock.clone());
    let echo = Arc::new(Echo::default());
    let services: Vec<Arc<dyn Service>> = vec![echo.clone()];
    let loaded = watch::Sender::new(Some(Arc::new(Loaded { services, store: None })));
    let lanes = Lanes {
        control: Control::new(Arc::new(NoFigures), Arc::clone(&lifecycle)),
        reports: Arc::new(NoFigures),
        loaded: loaded.subscribe(),
        lifecycle: Arc::clone(&lifecycle),
        board: Arc::new(Board::new(0, &["compile"])),
        clock,
        journals: Arc::default(),
        traffic: Arc::new(AllTraffic::new()),
        paused: Arc::default(),
    };
    let endpoint = Arc::new(Endpoint { mux: own_mux(), lanes, lifecycle, patience });
    Daemon { endpoint, echo, _loaded: loaded }
}

impl Daemon {
    /// A client's end, and the task that serves the other.
    fn connect(&self) -> (std::os::unix::net::UnixStream, JoinHandle<()>) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a socket pair");
        theirs.set_nonblocking(true).expect("ours");
        let stream = UnixStream::from_std(theirs).expect("inside a runtime");
        let connected = self.endpoint.lifecycle.connect().expect("room");
        (ours, tokio::spawn(serve(stream, 1, connected, Arc::clone(&self.endpoint))))
    }

    /// Sends `bytes`, keeps the connection open, and returns all that came until the daemon closed it.
    async fn closes_after(&self, bytes: Vec<u8>) -> Vec<u8> {
        let (ours, served) = self.connect();
        let answer = tokio::task::spawn_blocking(move || {
            let mut ours = ours;
            ours.write_all(&bytes).expect("the daemon reads");
            let mut answer = Vec::new();
            let _ = ours.read_to_end(&mut answer);
            answer
        });
        let answer = answer.await.expect("no panic");
        served.await.expect("no panic");
        answer
    }
}

async fn asked(
    ours: std::os::unix::net::UnixStream,
    lane: Lane,
    request: &'static [u8],
) -> (Wire, Result<Vec<u8>, larder_glue::wire::WireError>) {
    let asking = tokio::task::spawn_blocking(move || {
        let mut wire = Wire::new(ours.into()).expect("the peer is this user");
        let reply = wire.request(lane, request.to_vec());
        (wire, reply)
    });
    asking.await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_reach_their_service_and_its_panic_ends_only_the_request() {
    let daemon = daemon(PATIENCE);
    let (ours, served) = daemon.connect();
    let (wire, reply) = asked(ours, lane::COMPILE, b"panic").await;
    let reply = CompileReply::decode(reply.expect("a reply").as_slice()).expect("a message").reply;
    assert!(matches!(reply, Some(compile_reply::Reply::Failure(f)) if f.id == "internal_error"));
    let asking = tokio::task::spawn_blocking(move || {
        let mut wire = wire;
        wire.request(lane::COMPILE, b"hello".to_vec())
    });
    assert_eq!(asking.await.expect("no panic").expect("a reply"), b"hello");
    served.await.expect("no panic");
    assert_eq!(daemon.echo.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_call_with_it() {
    let daemon = daemon(PATIENCE);
    let (ours, served) = daemon.connect();
    let frame = encode_framed(&Frame::request(lane::COMPILE.0, b"for ever".to_vec())).expect("small");
    (&ours).write_all(&frame).expect("the daemon reads");
    daemon.echo.hears.notified().await;
    drop(ours);
    served.await.expect("no panic");
    assert_eq!(daemon.echo.closed.load(Ordering::SeqCst), 1);
    assert_eq!(daemon.echo.running_when_closed.load(Ordering::SeqCst), 0, "the call ends first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_longer_shows_signs_of_life() {
    let daemon = daemon(PATIENCE);
    let (ours, _served) = daemon.connect();
    let life = tokio::task::spawn_blocking(move || {
        let mut ours = ours;
        let frame = Frame::request(lane::COMPILE.0, b"for ever".to_vec()).with_request_id(7);
        ours.write_all(&encode_framed(&frame).expect("small")).expect("the daemon reads");
        let mut buffer = Vec::new();
        loop {
            if let Some(decoded) = try_decode_framed(&buffer).expect("a frame") {
                return decoded.frame;
            }
            let mut byte = [0];
            ours.read_exact(&mut byte).expect("a sign of life");
            buffer.push(byte[0]);
        }
    });
    let life = life.await.expect("no panic");
    assert_eq!((life.request_id, life.kind), (7, FrameKind::Event as i32));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_of_ours_ends_the_connection() {
    let daemon = daemon(PATIENCE);
    let too_large = u32::try_from(MAX_MESSAGE_BYTES + ENVELOPE_BYTES + 1).expect("fits");
    let announced = [&[1][..], &too_large.to_le_bytes()].concat();
    let mut event = Frame::request(lane::COMPILE.0, b"x".to_vec());
    event.kind = FrameKind::Event as i32;
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".to_vec(), announced, encode_framed(&event).expect("small")] {
        assert_eq!(daemon.closes_after(bytes).await, b"");
    }
    let unknown = encode_framed(&Frame::request(0xF1FF, b"?".to_vec()).with_request_id(3)).expect("small");
    let answer = daemon.closes_after(unknown).await;
    let answer = try_decode_framed(&answer).expect("a frame").expect("whole").frame;
    assert_eq!(answer.request_id, 3, "an unknown lane is named before the connection ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_frame_is_not_waited_for_for_ever() {
    let daemon = daemon(Duration::from_millis(20));
    assert_eq!(daemon.closes_after(vec![1, 200, 0]).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_ends_connections_between_requests() {
    let daemon = daemon(PATIENCE);
    let (_ours, served) = daemon.connect();
    daemon.endpoint.lifecycle.drain(Duration::ZERO);
    served.await.expect("no panic");
}

#[test]
fn the_endpoint_classifies_mixed_traffic_as_the_conformance_kit_expects() {
    let request = |lane: u32| encode_framed(&Frame::request(lane, b"x".to_vec())).expect("small");
    let compile = request(lane::COMPILE.0);
    let step = |bytes: &[u8], expect| MixedWireStep { bytes: bytes.to_vec(), expect };
    let payload = |lane: Lane| MixedWireExpect::Payload { payload_protocol: lane.0 };
    let error = || MixedWireExpect::Error { error_contains: "UnservedPayloadProtocol".to_owned() };
    MixedWireScenario::new()
        .step(step(&compile[..3], MixedWireExpect::NeedMoreBytes))
        .step(step(&compile[3..], payload(lane::COMPILE)))
        .step(step(&request(lane::CONTROL.0), payload(lane::CONTROL)))
        .step(step(&request(0xF1FF), error()))
        .run(&own_mux())
        .expect("as the kit expects");
}
