//! Who this daemon is, as brokers and handles check it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use larder_proto::SERVICE_NAME;
use running_process::broker::backend_handle::DaemonProcess;
use running_process::broker::backend_lifecycle::identity::DaemonIdentityHashPolicy;
use running_process::broker::backend_sdk::{
    read_daemon_identity_file, remove_daemon_identity_file, write_daemon_identity_file,
};
use running_process::broker::lifecycle::names_v2::daemon_identity_path;
use running_process::broker::protocol::Endpoint;
use running_process::broker::secure_dir::ensure_private_dir;

/// This process's identity on `endpoint`.
///
/// # Errors
/// When its own executable cannot be read.
pub(crate) fn own(endpoint: &Endpoint, idle: Option<Duration>) -> anyhow::Result<DaemonProcess> {
    let idle = idle.map(|idle| u32::try_from(idle.as_secs()).unwrap_or(u32::MAX));
    DaemonProcess::current_process_with_hash_policy(
        endpoint.clone(),
        idle,
        DaemonIdentityHashPolicy::Blake3Only,
    )
    .context("failed to establish the daemon's identity")
}

/// Writes the identity file, by which brokers that launch nothing find the daemon.
///
/// # Errors
/// When its folder is not private or not writable.
pub(crate) fn publish(daemon: &DaemonProcess) -> anyhow::Result<()> {
    let path = path();
    let write = || {
        if let Some(folder) = path.parent() {
            ensure_private_dir(folder)?;
        }
        write_daemon_identity_file(&path, daemon)
    };
    write().with_context(|| format!("failed to write {}", path.display()))
}

/// Removes the identity file, unless another daemon has published itself since.
pub(crate) fn withdraw(daemon: &DaemonProcess) {
    let path = path();
    let ours = |found: DaemonProcess| found.pid == daemon.pid && found.ipc_endpoint == daemon.ipc_endpoint;
    if read_daemon_identity_file(&path).is_some_and(ours) {
        remove_daemon_identity_file(&path);
    }
}

fn path() -> PathBuf {
    daemon_identity_path(SERVICE_NAME)
}
