//! Why a file has no fingerprint.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file has no fingerprint. Each names the path as it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// There is nothing at the path, or a link that leads nowhere.
    #[error("failed to find {}", .path.display())]
    Missing {
        /// The path asked for.
        path: PathBuf,
    },
    /// There is something else than an ordinary file at the path.
    #[error("failed to read {}: it is not an ordinary file", .path.display())]
    NotAFile {
        /// The path asked for.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("failed to read {}", .path.display())]
    Unreadable {
        /// The path asked for.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file was written to each time it was read.
    #[error("failed to read {}: it changes while it is read", .path.display())]
    Changing {
        /// The path asked for.
        path: PathBuf,
    },
    /// The file is larger than what is read into memory at once.
    #[error("failed to read {}: it is larger than {limit} bytes", .path.display())]
    TooLarge {
        /// The path asked for.
        path: PathBuf,
        /// The most that is read, bytes.
        limit: u64,
    },
}

impl FingerprintError {
    /// What `source` says of `path`.
    #[must_use]
    pub fn io(path: &Path, source: io::Error) -> Self {
        if absent(&source) {
            return Self::Missing { path: path.to_owned() };
        }
        Self::Unreadable { path: path.to_owned(), source }
    }

    /// The path that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Missing { path }
            | Self::NotAFile { path }
            | Self::Unreadable { path, .. }
            | Self::Changing { path }
            | Self::TooLarge { path, .. } => path,
        }
    }
}

/// Whether `error` says that nothing is at the path, as an opening program would conclude.
#[must_use]
pub fn absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
