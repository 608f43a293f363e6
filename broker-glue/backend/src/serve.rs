//! The accept loop.

use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::net::{UnixListener, UnixStream};

use crate::connection::{self, Endpoint};

/// Pause after the operating system refused a connection, most likely for want of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the daemon drains; each is served by a task of its own.
pub(crate) async fn serve(listener: UnixListener, endpoint: Arc<Endpoint>) {
    loop {
        let accepted = tokio::select! {
            biased;
            _ = endpoint.lifecycle.drain_asked() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => admit(stream, &endpoint),
            Err(error) => {
                tracing::warn!("failed to accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves `stream` when its peer runs as this user; drops it otherwise.
fn admit(stream: UnixStream, endpoint: &Arc<Endpoint>) {
    let peer = match socket_peercred(&stream) {
        Ok(peer) => peer,
        Err(error) => return tracing::warn!("failed to tell who connects: {error}"),
    };
    if peer.uid != geteuid() {
        return tracing::warn!(uid = peer.uid.as_raw(), "another user's process was turned away");
    }
    let Some(connected) = endpoint.lifecycle.connect() else {
        return tracing::warn!("too many connections: a client was turned away");
    };
    let pid = u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or(0);
    tokio::spawn(connection::serve(stream, pid, connected, Arc::clone(endpoint)));
}
