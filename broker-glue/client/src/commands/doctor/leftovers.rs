//! What processes that have gone left in the runtime folders, and nobody else clears away.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use larder_glue::checks::{Check, Fix, LARDER};
use larder_glue::folders::Folders;
use larder_glue::sockets::BackendFolder;
use rustix::fs::{FlockOperation, flock};

use crate::run::locks_folder;

pub(super) fn check(folders: &Folders) -> Check {
    const NAME: &str = "leftovers";
    let backends = BackendFolder::of_user();
    let sockets = backends.map(|folder| folder.dead(&BTreeSet::new())).unwrap_or_default();
    let locks = free_locks(&locks_folder(folders));
    if sockets.is_empty() && locks.is_empty() {
        return Check::ok(LARDER, NAME, "processes that have gone left nothing behind");
    }
    let found = format!(
        "{} sockets of daemons and {} locks of runs that have gone are still there",
        sockets.len(),
        locks.len()
    );
    let check = Check::note(LARDER, NAME, found, "they are in nobody's way");
    let fixes = sockets.into_iter().map(Fix::RemoveSocket).chain(locks.into_iter().map(Fix::RemoveLock));
    fixes.fold(check, Check::mended_by)
}

/// The locks in `folder` that nobody holds: a run removes its own when it ends, unless it is killed.
fn free_locks(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| take_free(path).is_some()).collect()
}

/// The lock at `path`, if nobody holds it. It is held until it is dropped.
pub(super) fn take_free(path: &Path) -> Option<File> {
    let file = File::options().read(true).write(true).open(path).ok()?;
    let own = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
    (own && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()).then_some(file)
}
