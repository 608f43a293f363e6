//! Folders and files that other users must not reach.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A folder or file that cannot be made private to this user.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The operating system refused.
    #[error("failed to {action} {}", path.display())]
    Io {
        /// What was attempted.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The folder exists and is somebody else's, or a link.
    #[error("failed to use {}: it belongs to another user or is not a folder\nhint: remove it, or set XDG_RUNTIME_DIR and XDG_CACHE_HOME to folders of your own", path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
}

/// Makes `path` and its missing parents, and makes sure that `path` itself is a folder of this user which nobody
/// else can enter.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub fn ensure_folder(path: &Path) -> Result<(), PrivateError> {
    let io = |action| move |source| PrivateError::Io { action, path: path.to_owned(), source };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io("create"))?;
    let metadata = path.symlink_metadata().map_err(io("inspect"))?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(PrivateError::NotOurs { path: path.to_owned() });
    }
    if metadata.mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(io("make private"))?;
    }
    Ok(())
}

/// Replaces the content of `path` in one step: readers see the old bytes or the new ones.
///
/// # Errors
/// When the folder is not writable or the disk is full; the old file is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), PrivateError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let io = |action| {
        let path = path.to_owned();
        move |source| PrivateError::Io { action, path, source }
    };
    let write = || -> io::Result<()> {
        let mut file: File =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| {
        // The half-written file is of no use to anyone; the error that matters is the first.
        let _ = std::fs::remove_file(&beside);
        io("write")(source)
    })
}

/// Reads a small file that only this user can have written.
///
/// # Errors
/// When it cannot be read, is longer than `limit` bytes, or belongs to somebody else. A missing file is `None`.
pub fn read_own(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, PrivateError> {
    let io = |action| move |source| PrivateError::Io { action, path: path.to_owned(), source };
    // Whoever opens a pipe to read waits for somebody who writes.
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("open")(error)),
    };
    let metadata = file.metadata().map_err(io("inspect"))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() || !metadata.is_file() {
        return Err(PrivateError::NotOurs { path: path.to_owned() });
    }
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, limit + 1), &mut bytes).map_err(io("read"))?;
    if bytes.len() as u64 > limit {
        return Err(io("read")(io::Error::other(format!("it is larger than {limit} bytes"))));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_in_place_of_a_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo starts").success());
        assert!(matches!(read_own(&path, 9), Err(PrivateError::NotOurs { .. })));
        let file = folder.path().join("file");
        assert!(matches!(read_own(&file, 9), Ok(None)));
        std::fs::write(&file, "123456789").expect("written");
        assert_eq!(read_own(&file, 9).ok().flatten().as_deref(), Some(&b"123456789"[..]));
        assert!(read_own(&file, 8).is_err(), "it is too large");
    }
}
