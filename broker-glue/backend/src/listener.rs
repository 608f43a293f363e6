//! The endpoint's listener: inherited from the broker, else bound here.

#![expect(
    unsafe_code,
    reason = "the inherited listener is known only by its number; see the SAFETY comment at its one use"
)]

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use anyhow::Context as _;
use running_process::broker::broker_owned_bind::{INHERITED_LISTENER_FD_ENV, recover_from_env};

/// The listener on `endpoint`, closed in every child, non-blocking.
///
/// # Errors
/// When the inherited descriptor is no listener, or the endpoint cannot be bound or is somebody's.
pub(crate) fn acquire(endpoint: &Path) -> anyhow::Result<UnixListener> {
    let listener = match inherited().context("failed to take over the broker's listener")? {
        Some(listener) => listener,
        None => bind(endpoint).with_context(|| format!("failed to bind {}", endpoint.display()))?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn inherited() -> io::Result<Option<UnixListener>> {
    let Some(listener) = recover_from_env()? else { return Ok(None) };
    let number: RawFd = std::env::var(INHERITED_LISTENER_FD_ENV)
        .ok()
        .and_then(|number| number.trim().parse().ok())
        .ok_or_else(|| io::Error::other("its number has changed"))?;
    // SAFETY: `recover_from_env` has just found a listening socket under this number, and `listener` owns it and
    // keeps it open for as long as it is borrowed here.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    // The duplicate is closed on exec, as the inherited descriptor is not: every child would hold the endpoint open.
    let own: OwnedFd = borrowed.try_clone_to_owned()?;
    drop(listener);
    Ok(Some(UnixListener::from(own)))
}

fn bind(endpoint: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = endpoint.parent()
        && !folder.exists()
    {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let listener = match UnixListener::bind(endpoint) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_dead(endpoint) => {
            std::fs::remove_file(endpoint)?;
            UnixListener::bind(endpoint)?
        }
        other => other?,
    };
    // Whoever connects before this line is still asked for its user id.
    std::fs::set_permissions(endpoint, Permissions::from_mode(0o600))?;
    Ok(listener)
}

fn is_dead(endpoint: &Path) -> bool {
    UnixStream::connect(endpoint).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let endpoint = folder.path().join("d/s");
        let first = bind(&endpoint).expect("a fresh name");
        assert!(bind(&endpoint).is_err(), "somebody listens there");
        drop(first);
        bind(&endpoint).expect("nobody listens there");
        let mode = std::fs::metadata(&endpoint).expect("bound").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
