//! Sockets that ended daemons have left behind.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use running_process::broker::lifecycle::{backend_pipe, user_sid_hash};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Younger sockets are left alone: between bind and listen a living one looks dead.
const SETTLED: Duration = Duration::from_secs(10);

/// The daemons' sockets cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to place the daemons' sockets: {0}\nhint: set XDG_RUNTIME_DIR to a shorter path")]
pub struct SocketsError(String);

/// Where this user's brokers place the sockets of the daemons that they launch.
#[derive(Clone, Debug)]
pub struct BackendFolder {
    /// The folder.
    pub path: PathBuf,
    prefix: String,
}

impl BackendFolder {
    /// The folder of this process's user.
    ///
    /// # Errors
    /// When the machine does not tell who the user is, or the path would be too long for a socket.
    pub fn of_user() -> Result<Self, SocketsError> {
        let other = |error: &dyn std::fmt::Display| SocketsError(error.to_string());
        let user = user_sid_hash().map_err(|error| other(&error))?;
        let example = backend_pipe(&user, &[0; 16]).map_err(|error| other(&error))?;
        let example = example.unix.ok_or_else(|| other(&"they are no files"))?;
        let name = example.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let prefix = name.split_once("-be-").map(|(before, _)| format!("{before}-be-"));
        Ok(Self {
            prefix: prefix.ok_or_else(|| other(&"their names are like any other"))?,
            path: example.parent().ok_or_else(|| other(&"they lie nowhere"))?.to_owned(),
        })
    }

    /// The sockets on which nobody listens any more, except those in `keep`.
    #[must_use]
    pub fn dead(&self, keep: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Vec::new() };
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&self.prefix)) && !keep.contains(path)
        };
        let found = entries.flatten().map(|entry| entry.path()).filter(ours);
        found.filter(|path| is_settled(path) && is_dead(path)).collect()
    }

    /// Removes them; returns how many.
    #[must_use]
    pub fn sweep(&self, keep: &BTreeSet<PathBuf>) -> usize {
        self.dead(keep).iter().filter(|path| remove_dead(path)).count()
    }
}

fn is_settled(path: &Path) -> bool {
    let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age > SETTLED))
}

/// Removes `path` when it is this user's socket and nobody listens on it; says whether it did.
pub fn remove_dead(path: &Path) -> bool {
    is_dead(path) && std::fs::remove_file(path).is_ok()
}

/// Whether `path` is this user's socket, and nobody listens on it. A listener whose backlog is full does listen.
#[must_use]
pub fn is_dead(path: &Path) -> bool {
    let own = path.symlink_metadata().is_ok_and(|metadata| {
        metadata.file_type().is_socket() && metadata.uid() == rustix::process::geteuid().as_raw()
    });
    own && try_connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Connects without waiting: a listener that takes nobody, as one that is stopped, is an error.
///
/// # Errors
/// Of kind `ConnectionRefused` when nobody listens, `NotFound` when there is no socket, `WouldBlock` when it takes nobody.
pub fn try_connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn only_dead_sockets_of_daemons_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let backends = BackendFolder { path: folder.path().to_owned(), prefix: "rpb-be-".to_owned() };
        let bind = |name: &str| UnixListener::bind(folder.path().join(name)).expect("free");
        let _live = bind("rpb-be-live.sock");
        drop(bind("rpb-be-young.sock"));
        drop(bind("rpb-be-kept.sock"));
        drop(bind("rpb-be-dead.sock"));
        drop(bind("other.sock"));
        std::fs::write(folder.path().join("rpb-be-file.sock"), "").expect("written");
        let old = SystemTime::now() - 2 * SETTLED;
        let at = |name: &str| folder.path().join(name);
        for name in
            ["rpb-be-live.sock", "rpb-be-kept.sock", "rpb-be-dead.sock", "other.sock", "rpb-be-file.sock"]
        {
            let time = rustix::fs::Timespec {
                tv_sec: old.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() as i64,
                tv_nsec: 0,
            };
            let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(rustix::fs::CWD, at(name), &times, rustix::fs::AtFlags::empty())
                .expect("ours");
        }
        assert_eq!(backends.sweep(&BTreeSet::from([at("rpb-be-kept.sock")])), 1);
        assert!(!at("rpb-be-dead.sock").exists());
        for name in
            ["rpb-be-live.sock", "rpb-be-young.sock", "rpb-be-kept.sock", "other.sock", "rpb-be-file.sock"]
        {
            assert!(at(name).exists(), "{name}");
        }
    }
}
