//! Getting a connection to the daemon on which a go command can be served.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use larder_glue::folders::Folders;
use larder_glue::wire::{WireError, WireReceiver, WireSender};
use larder_proto::v1::{GoOpen, GoOutput, GoReply, GoRequest, go_reply, go_request};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;

use super::paths;
use crate::ask::{AskError, ask};
use crate::complaint;
use crate::session::{self, SessionError, Way};

/// How long a daemon may take to load its state. A go command that is not served builds everything anew.
const LOADING: Duration = Duration::from_secs(5);

/// Two looks at a daemon that loads its state are this far apart, besides what the daemon itself waits.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A connection, and where things lie.
pub(super) struct Opened {
    pub(super) sender: WireSender,
    pub(super) receiver: WireReceiver,
    /// Below it the go command finds blobs.
    pub(super) blobs: PathBuf,
    /// Into it go bodies.
    pub(super) staging: PathBuf,
}

/// Why there is none.
pub(super) enum Failure {
    /// Larder is switched off.
    Never,
    /// It may be had later.
    Now(String),
}

/// Adopts a session and opens it for this go command, to which `held` was handed before.
pub(super) fn open(held: Vec<GoOutput>) -> Result<Opened, Failure> {
    let now = |error: &dyn std::fmt::Display| Failure::Now(error.to_string());
    let folders = Folders::from_env().map_err(|error| now(&error))?;
    let runtime = session::runtime().map_err(|error| now(&error))?;
    let cwd = std::env::current_dir().unwrap_or_default();
    let open = message(go_request::Request::Open(GoOpen {
        cwd: cwd.as_os_str().as_bytes().to_vec(),
        go_version: std::env::var("GOVERSION").unwrap_or_default(),
        held,
        session: session::current().unwrap_or_default(),
    }));
    let deadline = Instant::now() + LOADING;
    let mut way = Way::Remembered;
    loop {
        let asked = ask(&runtime, &folders, &[way], lane::GO, &open);
        let again = match asked.map(|(wire, reply)| (wire, GoReply::decode(reply.as_slice()))) {
            Ok((_, Ok(reply))) if reply.daemon_version != LARDER_VERSION => {
                let daemon = reply.daemon_version;
                return Err(Failure::Now(format!(
                    "the daemon is of version {daemon} and this client of version {LARDER_VERSION} (hint: larder stop)"
                )));
            }
            Ok((wire, Ok(GoReply { reply: Some(go_reply::Reply::Opened(opened)), .. }))) => {
                let Some(blobs) = paths::blobs(&opened.blobs) else {
                    return Err(Failure::Now("the cache folder's name is no text".to_owned()));
                };
                let staging = PathBuf::from(OsString::from_vec(opened.staging));
                let (sender, receiver) = wire.split();
                return Ok(Opened { sender, receiver, blobs, staging });
            }
            Ok((_, Ok(GoReply { reply: Some(go_reply::Reply::Aside(aside)), .. }))) => aside.sentence,
            Ok((_, Ok(GoReply { reply: Some(go_reply::Reply::Failure(failure)), .. }))) => {
                return Err(Failure::Now(failure.sentence));
            }
            Ok(_) => return Err(Failure::Now("the daemon's answer makes no sense".to_owned())),
            Err(AskError::Session(SessionError::Disabled)) => return Err(Failure::Never),
            Err(AskError::Wire(error)) if !matches!(error, WireError::Silent | WireError::Stopped { .. }) => {
                // It was just ending: the broker launches the next one.
                way = Way::Broker;
                error.to_string()
            }
            Err(error) => return Err(now(&error)),
        };
        if Instant::now() >= deadline {
            return Err(Failure::Now(again));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// The bytes of `request`.
pub(super) fn message(request: go_request::Request) -> Vec<u8> {
    GoRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(request),
    }
    .encode_to_vec()
}

/// The one line that a build may get from larder itself.
pub(super) fn complain(sentence: &str) {
    let sentence = sentence.lines().next().unwrap_or_default();
    if let Ok(folders) = Folders::from_env() {
        complaint::say_once(&folders, &format!("{sentence}; go builds without the cache"));
    }
}
