//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};

use larder_service::Digest;

/// What went wrong, and where. None of them means that a stored result may be wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, or the user's share of it, is full.
    #[error("failed to write {}: no space is left; hint: free some, or lower the cache's size limit", .path.display())]
    NoSpace {
        /// What was being written.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The folder is read-only, or another user's.
    #[error("failed to write {}: not permitted; hint: make the folder writable, or choose another cache folder", .path.display())]
    NotWritable {
        /// What was being written.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Any other refusal of the operating system.
    #[error("failed to {verb} {}", .path.display())]
    Io {
        /// What was being done.
        verb: &'static str,
        /// What it was being done to.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The disk has not taken what was written to it.
    #[error("failed to write to {} in time: its disk does not answer", .path.display())]
    Stuck {
        /// Folder of what was being written.
        path: PathBuf,
    },
    /// Only ordinary files, reached without a link, can become blobs.
    #[error("failed to store {}: it is not an ordinary file", .path.display())]
    NotAFile {
        /// The file that was to be stored.
        path: PathBuf,
    },
    /// A file that is still being written cannot become a blob.
    #[error("failed to store {}: it changed while it was read", .path.display())]
    Changed {
        /// The file that was to be stored.
        path: PathBuf,
    },
    /// Something exceeds a limit of the store, or of the caller.
    #[error("failed to keep {what}: {size} bytes are more than the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size in bytes (or, for lists, entries).
        size: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// An action result names a blob that is not in the store.
    #[error("failed to keep an action result: its blob {digest} is not in the store")]
    BlobMissing {
        /// The blob that was named.
        digest: Digest,
    },
    /// Another process has the index open.
    #[error("failed to open {}: another process uses it; hint: `larder stop` ends a daemon that is running", .path.display())]
    InUse {
        /// The index file.
        path: PathBuf,
    },
    /// The index cannot be read or written. It is opened again, or rebuilt, at the next flush.
    #[error("failed to use the index {}: {reason}", .path.display())]
    Index {
        /// The index file.
        path: PathBuf,
        /// What the index library says.
        reason: String,
    },
}

impl StoreError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Io { verb: "read", path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { path, source },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::NotWritable { path, source }
            }
            _ => Self::Io { verb: "write", path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_forbidden_folder_are_told_apart_and_name_the_path() {
        let error = |errno: rustix::io::Errno| StoreError::write(Path::new("/cache/x"), errno.into());
        for errno in [rustix::io::Errno::NOSPC, rustix::io::Errno::DQUOT] {
            assert!(matches!(error(errno), StoreError::NoSpace { .. }), "{errno}");
        }
        for errno in [rustix::io::Errno::ACCESS, rustix::io::Errno::PERM, rustix::io::Errno::ROFS] {
            assert!(matches!(error(errno), StoreError::NotWritable { .. }), "{errno}");
        }
        assert!(matches!(error(rustix::io::Errno::IO), StoreError::Io { .. }));
        assert!(error(rustix::io::Errno::NOSPC).to_string().contains("/cache/x"));
    }
}
