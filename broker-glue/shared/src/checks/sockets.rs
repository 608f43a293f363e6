//! Sockets: whether the broker's answers, and who may reach them.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::folders::is_own;
use super::{Around, Check, Fix, LARDER};
use crate::{names, sockets};

/// Whether the broker `program` can be reached.
pub(super) fn broker(program: &str) -> Check {
    const GROUP: &str = "broker";
    const HINT: &str = "the next build starts one, or: larder start";
    let socket = match names::broker_socket(program) {
        Ok(socket) => socket,
        Err(error) => return Check::error(GROUP, "socket", &error.to_string()),
    };
    match sockets::try_connect(Path::new(&socket)) {
        Ok(stream) => Check::ok(GROUP, "socket", format!("{program} listens at {socket}{}", behind(&stream))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::note(GROUP, "socket", format!("no broker called {program} runs"), HINT)
        }
        Err(error) if sockets::is_dead(Path::new(&socket)) => {
            let found = format!("{program} has left {socket} behind: {error}");
            Check::note(GROUP, "socket", found, HINT).mended_by(Fix::RemoveSocket(socket.into()))
        }
        Err(error) => {
            let found = format!("{program} does not answer at {socket}: {error}");
            Check::problem(GROUP, "socket", found, "larder stop --broker, then larder start")
        }
    }
}

/// The program behind a connection, as the kernel tells it.
fn behind(stream: &UnixStream) -> String {
    let peer = rustix::net::sockopt::socket_peercred(stream).map(|peer| peer.pid.as_raw_nonzero().get());
    let Ok(pid) = peer else { return String::new() };
    match std::fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(program) => format!(": {}, pid {pid}", program.display()),
        Err(_) => format!(": pid {pid}"),
    }
}

const NAME: &str = "rights";

/// Whether others may put something of theirs in the place of larder's folders in `folder`, which is not larder's.
fn above(folder: &Path) -> Option<Check> {
    const STICKY: u32 = 0o1000;
    let mode = folder.metadata().ok()?.mode();
    if mode & 0o022 == 0 || mode & STICKY != 0 {
        return None;
    }
    let shown = folder.display();
    let found = format!("other users may rename and replace what is in {shown}");
    Some(Check::problem(LARDER, NAME, found, format!("chmod 700 {shown}, or set XDG_RUNTIME_DIR to another")))
}

/// Whether other users are kept from the sockets and what lies beside them.
pub(super) fn rights(around: &Around<'_>) -> Vec<Check> {
    let mut sockets: Vec<PathBuf> = names::broker_socket(around.broker).into_iter().map(Into::into).collect();
    sockets.extend(around.status.map(|status| PathBuf::from(&status.endpoint)));
    let mut folders: Vec<_> =
        sockets.iter().filter_map(|socket| socket.parent()).map(Path::to_owned).collect();
    folders.push(names::broker_runtime_dir());
    folders.sort();
    folders.dedup();
    let mut checks: Vec<_> = around.folders.runtime.parent().and_then(above).into_iter().collect();
    for path in folders.into_iter().chain(sockets) {
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let shown = path.display();
        if !is_own(&metadata) {
            let found = format!("{shown} belongs to another user");
            let hint = "set XDG_RUNTIME_DIR to a folder of your own";
            checks.push(Check::problem(LARDER, NAME, found, hint));
        } else if metadata.mode() & 0o077 != 0 {
            let (may, mode) = if metadata.is_dir() { ("enter", 700) } else { ("connect to", 600) };
            let found = format!("other users may {may} {shown}");
            let hint = format!("chmod {mode} {shown}");
            checks.push(Check::problem(LARDER, NAME, found, hint).mended_by(Fix::Tighten(path.clone())));
        }
    }
    if checks.is_empty() {
        checks.push(Check::ok(LARDER, NAME, "sockets are open to nobody else"));
    }
    checks
}
