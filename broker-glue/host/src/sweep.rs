//! Sockets that ended daemons have left behind.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use running_process::broker::lifecycle::{backend_pipe, user_sid_hash};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Younger sockets are left alone: between bind and listen a living one looks dead.
const SETTLED: Duration = Duration::from_secs(10);

/// Where this user's brokers place the sockets of the daemons that they launch.
#[derive(Clone, Debug)]
pub(crate) struct BackendFolder {
    /// The folder.
    pub(crate) path: PathBuf,
    prefix: String,
}

impl BackendFolder {
    /// The folder of this process's user.
    ///
    /// # Errors
    /// When the machine does not tell who the user is, or the path would be too long for a socket.
    pub(crate) fn of_user() -> anyhow::Result<Self> {
        let user = user_sid_hash()?;
        let example = backend_pipe(&user, &[0; 16])
            .context("failed to place the daemons' sockets\nhint: set XDG_RUNTIME_DIR to a shorter path")?;
        let example = example.unix.context("failed to place the daemons' sockets: they are no files")?;
        let name = example.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let prefix = name.split_once("-be-").map(|(before, _)| format!("{before}-be-"));
        Ok(Self {
            prefix: prefix.context("failed to tell the daemons' sockets from others")?,
            path: example.parent().context("failed to place the daemons' sockets")?.to_owned(),
        })
    }

    /// Removes the sockets on which nobody listens any more, except those in `keep`; returns how many.
    pub(crate) fn sweep(&self, keep: &BTreeSet<PathBuf>) -> usize {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return 0 };
        let ours = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with(&self.prefix)) && !keep.contains(path)
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(ours)
            .filter(|path| is_settled(path) && remove_dead(path))
            .count()
    }
}

fn is_settled(path: &Path) -> bool {
    let changed = path.symlink_metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age > SETTLED))
}

/// Removes `path` when it is this user's socket and nobody listens on it; says whether it did.
pub(crate) fn remove_dead(path: &Path) -> bool {
    let own = path.symlink_metadata().is_ok_and(|metadata| {
        metadata.file_type().is_socket() && metadata.uid() == rustix::process::geteuid().as_raw()
    });
    own && is_dead(path).unwrap_or(false) && std::fs::remove_file(path).is_ok()
}

/// Whether nobody listens on `path`. A listener whose backlog is full does listen.
fn is_dead(path: &Path) -> io::Result<bool> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Err(rustix::io::Errno::CONNREFUSED) => Ok(true),
        _ => Ok(false),
    }
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
