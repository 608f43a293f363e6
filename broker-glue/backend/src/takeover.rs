//! Getting the store when another daemon has it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use larder_glue::wire::{Wire, WireError};
use larder_proto::v1::{
    ControlReply, ControlRequest, ShutdownRequest, StatusRequest, control_reply, control_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;
use running_process::broker::client::connect_local_socket;

use crate::lock::{Holder, StoreLock};

/// How long a leaving daemon is waited for.
const LIMIT: Duration = Duration::from_secs(10);

/// Pause between two tries for the lock, which tells nobody when it becomes free.
const RETRY: Duration = Duration::from_millis(20);

/// How a new daemon stands to the store.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It is ours.
    Taken(StoreLock),
    /// A daemon of another build, or one that is leaving, still has it.
    Held(Option<Holder>),
    /// The lock cannot be made: the cache folder is not writable, for example.
    Unavailable(anyhow::Error),
}

/// A live daemon of this very build has the store.
#[derive(Debug, thiserror::Error)]
#[error("a daemon of this build is already running (pid {pid}); this one exits\nhint: larder status")]
pub(crate) struct AlreadyRunning {
    pid: u32,
}

/// Claims the store for `own` without waiting.
///
/// # Errors
/// When this daemon is one too many.
pub(crate) fn claim(path: &Path, own: &Holder) -> Result<Claim, AlreadyRunning> {
    match StoreLock::try_take(path) {
        Ok(Some(lock)) => Ok(Claim::Taken(noted(lock, own))),
        Ok(None) => match Holder::read(path) {
            Some(holder) if holder.is_same_build(own) && is_serving(&holder) => {
                Err(AlreadyRunning { pid: holder.pid })
            }
            holder => Ok(Claim::Held(holder)),
        },
        Err(error) => Ok(Claim::Unavailable(error)),
    }
}

/// Waits for a store that another daemon has; one of another build is asked to leave first.
///
/// # Errors
/// When it has not left within [`LIMIT`].
pub(crate) async fn wait(path: PathBuf, holder: Option<Holder>, own: Holder) -> anyhow::Result<StoreLock> {
    let deadline = Instant::now() + LIMIT;
    if let Some(holder) = holder.clone().filter(|holder| !holder.is_same_build(&own)) {
        tracing::info!(
            pid = holder.pid,
            version = holder.version,
            "asking a daemon of another build to leave"
        );
        let asked = tokio::task::spawn_blocking(move || ask_to_leave(&holder)).await?;
        if let Err(error) = asked {
            tracing::warn!("{error:#}");
        }
    }
    loop {
        if let Some(lock) = StoreLock::try_take(&path)? {
            return Ok(noted(lock, &own));
        }
        if Instant::now() >= deadline {
            let who =
                holder.map_or_else(|| "another process".to_owned(), |holder| format!("pid {}", holder.pid));
            anyhow::bail!("failed to take over the store within {} s: {who} still has it", LIMIT.as_secs());
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// The record only helps the next daemon; the lock holds without it.
fn noted(mut lock: StoreLock, own: &Holder) -> StoreLock {
    if let Err(error) = lock.record(own) {
        tracing::warn!("failed to note who holds the store: {error:#}");
    }
    lock
}

/// Whether `holder` takes requests. One that is stopped or stuck does: it is there, and will not let go.
fn is_serving(holder: &Holder) -> bool {
    match ask(holder, control_request::Request::Status(StatusRequest {})) {
        Ok(Some(control_reply::Reply::Status(status))) => status.state != crate::reports::DRAINING,
        Ok(_) => true,
        Err(error) => matches!(error.downcast_ref(), Some(WireError::Silent | WireError::Stopped { .. })),
    }
}

fn ask_to_leave(holder: &Holder) -> anyhow::Result<()> {
    let request = control_request::Request::Shutdown(ShutdownRequest { drain_seconds: 0 });
    match ask(holder, request).with_context(|| format!("failed to ask pid {} to leave", holder.pid))? {
        Some(control_reply::Reply::Shutdown(_)) => Ok(()),
        _ => anyhow::bail!("failed to make pid {} leave: it refuses", holder.pid),
    }
}

fn ask(holder: &Holder, request: control_request::Request) -> anyhow::Result<Option<control_reply::Reply>> {
    let mut wire = Wire::new(connect_local_socket(&holder.endpoint)?.into_owned_fd())?;
    let message = ControlRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(request),
    };
    let reply = wire.request(lane::CONTROL, message.encode_to_vec())?;
    Ok(ControlReply::decode(reply.as_slice())?.reply)
}
