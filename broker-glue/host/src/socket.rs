//! The broker's socket: one broker of one name listens on it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use larder_glue::private;
use running_process::broker::server::singleton_bind::{BindSingletonError, bind_singleton_with};

/// The bound socket. Its file is removed with it, unless another broker's has taken its place.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    mark: (u64, u64),
    listener: Option<UnixListener>,
}

impl Socket {
    /// Binds `path`, which a killed broker may have left behind; `None` when another broker listens there.
    ///
    /// # Errors
    /// When its folder is not this user's, or the socket cannot be bound.
    pub(crate) fn bind(path: &str) -> anyhow::Result<Option<Self>> {
        let file = PathBuf::from(path);
        private::ensure_folder(
            file.parent().context("failed to place the broker's socket: it has no folder")?,
        )?;
        let listener = match bind_singleton_with(path, || UnixListener::bind(path)) {
            Ok(listener) => listener,
            Err(BindSingletonError::AlreadyBound(error))
                if error.kind() != io::ErrorKind::PermissionDenied =>
            {
                return Ok(None);
            }
            Err(BindSingletonError::AlreadyBound(error) | BindSingletonError::Other(error)) => {
                return Err(error).with_context(|| format!("failed to bind {path}"));
            }
            Err(BindSingletonError::InvalidName(reason)) => {
                anyhow::bail!("failed to bind {path}: {reason}\nhint: set XDG_RUNTIME_DIR to a shorter path")
            }
        };
        // Whoever connects before this line is still asked for its user id.
        std::fs::set_permissions(path, Permissions::from_mode(0o600))
            .with_context(|| format!("failed to make {path} private"))?;
        listener.set_nonblocking(true)?;
        let mark = mark(&file).with_context(|| format!("failed to inspect {path}"))?;
        Ok(Some(Self { path: file, mark, listener: Some(listener) }))
    }

    /// The listener, once; non-blocking.
    pub(crate) fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if mark(&self.path).is_ok_and(|mark| mark == self.mark) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn mark(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = path.symlink_metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_broker_is_told_and_a_dead_ones_socket_is_recovered() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("b/s");
        let text = path.to_str().expect("plain");
        let first = Socket::bind(text).expect("free").expect("the first");
        assert!(Socket::bind(text).expect("no error").is_none());
        assert_eq!(path.metadata().expect("bound").permissions().mode() & 0o777, 0o600);
        drop(first);
        assert!(!path.exists());
        // As after kill -9: the file is there and nobody listens.
        drop(UnixListener::bind(&path).expect("free"));
        assert!(Socket::bind(text).expect("recovered").is_some());
    }

    #[test]
    fn a_socket_that_took_its_place_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("s");
        let first = Socket::bind(path.to_str().expect("plain")).expect("free").expect("the first");
        let aside = folder.path().join("aside");
        std::fs::rename(&path, aside).expect("ours");
        let _second = UnixListener::bind(&path).expect("free");
        drop(first);
        assert!(path.exists());
    }
}
