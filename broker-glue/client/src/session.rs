//! A session with the daemon, adopted through the broker.
//!
//! The endpoint that the broker handed out last is tried first, which spares the broker a round trip. It is only
//! tried: whoever answers there must run as this user, and a dead endpoint falls back to the broker.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use larder_glue::folders::Folders;
use larder_glue::wire::{Wire, WireError};
use larder_glue::{names, private};
use larder_proto::{LARDER_VERSION, SERVICE_NAME};
use running_process::broker::adopt::{AdoptError, AsyncBrokerSession, OwnedConnectRequest};
use running_process::broker::client::{BackendConnectionRoute, BrokerClientError};
use tokio::runtime::Runtime;

use crate::{broker, guard, settings, stopped};

/// Longest time spent on getting a session, starting broker and daemon included.
const BUDGET: Duration = Duration::from_secs(3);

/// The same shortly after a client has spent [`BUDGET`] in vain: nothing is started then.
const SHORT_BUDGET: Duration = Duration::from_millis(100);

/// How long "shortly after" is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Pause between two tries while the broker starts.
const RETRY: Duration = Duration::from_millis(4);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// `RUNNING_PROCESS_DISABLE=1` or the setting `disabled`: larder is switched off.
    #[error(
        "larder is switched off by RUNNING_PROCESS_DISABLE or the setting disabled\nhint: larder config list"
    )]
    Disabled,
    /// A signal has stopped the daemon; a client that has waited for it has said so.
    #[error("failed to reach the daemon: its process {pid} is stopped\nhint: kill -CONT {pid}")]
    Stopped {
        /// Its process id.
        pid: u32,
    },
    /// The broker or the daemon could not be reached in time.
    #[error("failed to reach the daemon: {0}")]
    Unreachable(String),
    /// The socket that was handed out cannot be used.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The broker could not be started.
    #[error(transparent)]
    Start(#[from] anyhow::Error),
}

/// Which ways to the daemon are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The remembered endpoint first, then the broker.
    Remembered,
    /// The broker only: the remembered endpoint has just failed.
    Broker,
    /// The broker only, whatever has failed lately: a person has asked.
    Command,
}

/// Adopts a session; starts broker and daemon where there are none.
///
/// # Errors
/// When larder is switched off, or no daemon can be had within the budget.
pub fn adopt(runtime: &Runtime, folders: &Folders, way: Way) -> Result<Wire, SessionError> {
    if way != Way::Command && settings::own(folders).disabled {
        return Err(SessionError::Disabled);
    }
    if let Some(pid) = stopped::look(folders, way == Way::Command) {
        return Err(SessionError::Stopped { pid });
    }
    let in_vain = folders.runtime.join("unreachable");
    let failed_lately = way != Way::Command && is_younger(&in_vain, PATIENCE);
    let result = adopt_within(runtime, folders, way, failed_lately);
    match &result {
        Err(SessionError::Unreachable(_) | SessionError::Start(_)) if !failed_lately => {
            // Without the marker every call of a build would wait as long; that is all that its absence costs.
            let _ = private::ensure_folder(&folders.runtime).map(|()| std::fs::write(&in_vain, ""));
        }
        Ok(_) if failed_lately || way == Way::Command => drop(std::fs::remove_file(&in_vain)),
        _ => {}
    }
    result
}

fn is_younger(path: &Path, age: Duration) -> bool {
    let changed = path.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|passed| passed < age))
}

fn adopt_within(
    runtime: &Runtime,
    folders: &Folders,
    way: Way,
    failed_lately: bool,
) -> Result<Wire, SessionError> {
    let deadline = Instant::now() + if failed_lately { SHORT_BUDGET } else { BUDGET };
    let remembered = if way == Way::Remembered { recall(folders) } else { None };
    let mut request = request(remembered)?;
    let mut started = failed_lately;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let adopted = guard::quietly(|| {
            runtime.block_on(async {
                tokio::time::timeout(left, AsyncBrokerSession::adopt(request.clone())).await
            })
        });
        let Some(adopted) = adopted else { return Err(no_thread()) };
        let error = match adopted {
            Ok(Ok(session)) => return accept(session, folders),
            Ok(Err(error)) => error,
            Err(_) => return Err(SessionError::Unreachable("the broker does not answer".to_owned())),
        };
        // A dead endpoint is not tried twice.
        request.cached_backend_endpoint = None;
        match what_next(&error) {
            Next::Disabled => return Err(SessionError::Disabled),
            Next::StartBroker if !started => {
                broker::start(folders)?;
                started = true;
            }
            Next::Prepare if !started => {
                broker::prepare(folders)?;
                started = true;
            }
            Next::StartBroker | Next::Again if Instant::now() < deadline => {
                // The broker that was just started is not listening yet; there is nothing to be notified by.
                std::thread::sleep(RETRY);
            }
            Next::NoThread => return Err(no_thread()),
            _ => return Err(SessionError::Unreachable(error.to_string())),
        }
    }
}

fn no_thread() -> SessionError {
    SessionError::Unreachable("the machine has no thread left for it".to_owned())
}

fn request(remembered: Option<String>) -> Result<OwnedConnectRequest, SessionError> {
    let socket = names::broker_socket(&names::broker_program())
        .map_err(|error| SessionError::Unreachable(error.to_string()))?;
    let mut request = OwnedConnectRequest::new(socket, SERVICE_NAME, LARDER_VERSION, LARDER_VERSION);
    request.cached_backend_endpoint = remembered;
    request.client_version = format!("larder/{LARDER_VERSION}");
    Ok(request)
}

enum Next {
    Disabled,
    StartBroker,
    Prepare,
    Again,
    NoThread,
    GiveUp,
}

fn what_next(error: &AdoptError) -> Next {
    use running_process::broker::client::RefusalKind;
    match error {
        AdoptError::BrokerDisabled => Next::Disabled,
        // A thread of the library's panicked, and that is all there is for it to do so about.
        AdoptError::AsyncJoin(_) => Next::NoThread,
        AdoptError::Connect(BrokerClientError::BrokerConnect(source)) => match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => Next::StartBroker,
            // The backlog is full: other clients are being served.
            io::ErrorKind::WouldBlock => Next::Again,
            _ => Next::GiveUp,
        },
        // The daemon left between the broker's answer and the dial, or the broker left within the exchange.
        AdoptError::Connect(BrokerClientError::BackendConnect(_) | BrokerClientError::Framing(_)) => {
            Next::Again
        }
        AdoptError::Connect(error) => match error.refusal_kind() {
            Some(RefusalKind::ServiceUnknown) => Next::Prepare,
            _ => Next::GiveUp,
        },
        _ => Next::GiveUp,
    }
}

fn accept(session: AsyncBrokerSession, folders: &Folders) -> Result<Wire, SessionError> {
    // What a broker says of the daemon's version is no proof: running-process's own says its own version. The
    // daemon's replies carry it.
    let learned =
        (session.route() != BackendConnectionRoute::HelloSkip).then(|| session.endpoint().to_owned());
    let socket = session.into_backend_io().map_err(|error| SessionError::Unreachable(error.to_string()))?;
    let wire = Wire::new(socket.into_owned_fd())?;
    if let Some(endpoint) = learned {
        remember(folders, &endpoint);
    }
    Ok(wire)
}

const REMEMBERED_LIMIT: u64 = 4096;

/// The endpoint that a broker handed to a client of this very version.
pub(crate) fn recall(folders: &Folders) -> Option<String> {
    let bytes = private::read_own(&folders.endpoint_file(), REMEMBERED_LIMIT).ok()??;
    let text = String::from_utf8(bytes).ok()?;
    let (version, endpoint) = text.trim_end().split_once('\n')?;
    (version == LARDER_VERSION && !endpoint.is_empty()).then(|| endpoint.to_owned())
}

/// A failure to remember costs the next client a round trip and nothing else.
fn remember(folders: &Folders, endpoint: &str) {
    if private::ensure_folder(&folders.runtime).is_ok() {
        let _ = private::write_atomically(
            &folders.endpoint_file(),
            format!("{LARDER_VERSION}\n{endpoint}\n").as_bytes(),
        );
    }
}

/// The runtime that adoption needs: one thread, made when needed.
///
/// # Errors
/// When the operating system refuses its resources.
pub fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The variable that names the session which calls belong to.
pub const VARIABLE: &str = "LARDER_SESSION";

/// Its value, where it is set and could be an id.
#[must_use]
pub fn current() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|id| !id.is_empty() && id.len() <= 64)
}
