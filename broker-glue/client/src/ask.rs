//! The first request of a connection: whoever answers it is the daemon that the rest is for.

use larder_glue::folders::Folders;
use larder_glue::wire::{Wire, WireError};
use larder_proto::lane::Lane;
use tokio::runtime::Runtime;

use crate::session::{self, SessionError, Way};
use crate::stopped;

/// The ways that a build takes, one after the other.
pub(crate) const BUILDS: &[Way] = &[Way::Remembered, Way::Broker];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// No daemon can be had.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It gave none.
    #[error(transparent)]
    Wire(#[from] WireError),
}

impl AskError {
    /// Nothing is wrong that somebody has not been told of.
    pub(crate) fn is_as_it_should_be(&self) -> bool {
        matches!(self, Self::Session(SessionError::Disabled | SessionError::Stopped { .. }))
    }
}

/// The answer to `payload`, and the connection it came by. When the remembered daemon has gone, the next of `ways` is
/// tried; one that is stuck or stopped would be so for the second try as well.
///
/// # Errors
/// When none of them leads to an answer. Of a stopped daemon the clients after this one are told.
pub(crate) fn ask(
    runtime: &Runtime,
    folders: &Folders,
    ways: &[Way],
    lane: Lane,
    payload: &[u8],
) -> Result<(Wire, Vec<u8>), AskError> {
    let mut failure = None;
    for way in ways {
        let mut wire = session::adopt(runtime, folders, *way)?;
        match wire.request(lane, payload.to_vec()) {
            Ok(reply) => return Ok((wire, reply)),
            Err(WireError::Silent) => return Err(WireError::Silent.into()),
            Err(WireError::Stopped { pid }) => {
                stopped::tell(folders, pid);
                return Err(WireError::Stopped { pid }.into());
            }
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or(WireError::Silent).into())
}

/// Which files this process sees: mount namespace, device and inode of the root folder; 0 where that is not known. A
/// daemon that sees others can say nothing about them.
pub(crate) fn filesystem_view() -> (u64, u64, u64) {
    let namespace = rustix::fs::stat("/proc/self/ns/mnt").map_or(0, |stat| stat.st_ino);
    rustix::fs::stat("/").map_or((namespace, 0, 0), |root| (namespace, root.st_dev, root.st_ino))
}
