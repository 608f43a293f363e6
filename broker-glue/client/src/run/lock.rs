//! One run at a time for each output.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use larder_glue::folders::Folders;
use larder_glue::{private, process};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

/// What is held until it is dropped.
pub(crate) struct Locks(Vec<(File, PathBuf)>);

/// Why there are no locks.
pub(crate) enum LockError {
    /// A command that larder runs has called this one, and holds them: to wait for it would be to wait for ever.
    Ancestor,
    /// The runtime folder cannot be used.
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Locks each of `names`, waiting for those that hold them.
pub(crate) fn take<'a>(folders: &Folders, names: impl Iterator<Item = &'a [u8]>) -> Result<Locks, LockError> {
    private::ensure_folder(&folders.runtime).map_err(io::Error::other)?;
    let folder = folder(folders);
    private::ensure_folder(&folder).map_err(io::Error::other)?;
    let hex = |name: &[u8]| Sha256::digest(name).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    // In one order for all, so that no two wait for each other.
    let mut names: Vec<PathBuf> = names.map(|name| folder.join(hex(name))).collect();
    names.sort();
    names.dedup();
    let mut held = Locks(Vec::with_capacity(names.len()));
    for path in names {
        let file = lock(&path)?;
        held.0.push((file, path));
    }
    Ok(held)
}

/// Where the locks lie.
pub(crate) fn folder(folders: &Folders) -> PathBuf {
    folders.runtime.join("runs")
}

fn lock(path: &Path) -> Result<File, LockError> {
    loop {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            if holder.trim().parse().is_ok_and(is_ancestor) {
                return Err(LockError::Ancestor);
            }
            flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from)?;
        }
        // Who held it has removed it: another one may be there by now.
        let is_this = path.metadata().is_ok_and(|there| {
            file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (there.dev(), there.ino()))
        });
        if is_this {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{}", std::process::id())?;
            return Ok(file);
        }
    }
}

fn is_ancestor(holder: u32) -> bool {
    let mut pid = std::process::id();
    while let Some(stat) = process::stat(pid).filter(|stat| stat.parent > 1) {
        if stat.parent == holder {
            return true;
        }
        pid = stat.parent;
    }
    false
}

impl Drop for Locks {
    fn drop(&mut self) {
        for (_, path) in &self.0 {
            // What stays costs an empty file.
            let _ = std::fs::remove_file(path);
        }
    }
}
