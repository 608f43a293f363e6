//! A daemon that a signal has stopped: the first client that finds it tells the others, so that only one has waited.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use larder_glue::folders::Folders;
use larder_glue::{private, process, programs};

use crate::running;

/// For so long it is left alone: whoever stopped it may let it go on.
const GRACE: Duration = Duration::from_secs(2);

/// How long its end is waited for.
const LIMIT: Duration = Duration::from_secs(1);

const FILE_LIMIT: u64 = 64;

/// Leaves word that the daemon `pid` is stopped. Without it every call of a build would wait as long.
pub(crate) fn tell(folders: &Folders, pid: u32) {
    let Some(stat) = process::stat(pid) else { return };
    let text = format!("{pid} {}\n", stat.start);
    let _ = private::ensure_folder(&folders.runtime)
        .and_then(|()| private::write_atomically(&file(folders), text.as_bytes()));
}

/// The daemon that is stopped, by the word that a client has left. One that has been for long, or at all where a
/// person has asked (`now`), is ended: it holds the store, and no other daemon can take its place.
pub(crate) fn look(folders: &Folders, now: bool) -> Option<u32> {
    let path = file(folders);
    let text = String::from_utf8(private::read_own(&path, FILE_LIMIT).ok()??).unwrap_or_default();
    let told = text.trim_end().split_once(' ');
    let told = told.and_then(|(pid, start)| Some((pid.parse::<u32>().ok()?, start.parse::<u64>().ok()?)));
    let stopped = told.filter(|(pid, start)| {
        process::stat(*pid).is_some_and(|stat| stat.runs && stat.stopped && stat.start == *start)
    });
    let changed = path.metadata().and_then(|metadata| metadata.modified());
    // A clock that was set back makes it old, too.
    let young = changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < GRACE));
    if let Some((pid, start)) = stopped {
        if young && !now || !process::end_stopped(pid, start, programs::DAEMON) {
            return Some(pid);
        }
        let _ = running::wait_gone(pid, LIMIT);
    }
    let _ = std::fs::remove_file(path);
    None
}

fn file(folders: &Folders) -> PathBuf {
    folders.runtime.join("stopped")
}
