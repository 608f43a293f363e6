//! A go command ends.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use larder_proto::v1::go_reply::Reply;
use larder_proto::v1::{GoClose, GoClosed};
use larder_service::{ConnectionId, Digest};
use tokio::runtime::Handle;

use crate::Core;
use crate::error::GoError;

/// How long what a go command was handed stays beyond its end: what `go list -export` prints is read when it is gone.
const GRACE: Duration = Duration::from_mins(10);

/// Who pins what go commands were handed that have ended: one holder for all that end within [`GRACE`], so that what
/// many of them were handed is remembered once.
#[derive(Default)]
pub(crate) struct Grace {
    holder: Option<ConnectionId>,
    begun: u64,
    count: u64,
}

impl Grace {
    /// The holder at `now_ns`; `true` when it is a new one.
    fn holder(&mut self, now_ns: u64) -> (ConnectionId, bool) {
        let young = now_ns.saturating_sub(self.begun) < u64::try_from(GRACE.as_nanos()).unwrap_or(u64::MAX);
        match self.holder {
            Some(holder) if young => (holder, false),
            _ => {
                self.count += 1;
                let holder = self.count | 0b11 << 62;
                (self.holder, self.begun) = (Some(holder), now_ns);
                (holder, true)
            }
        }
    }
}

/// Who pins what a go command is handed. Other services let go of what their connection had pinned as soon as it is
/// closed, so that it must not be the connection itself.
pub(crate) fn holder(connection: ConnectionId) -> ConnectionId {
    connection | 1 << 63
}

impl Core {
    pub(crate) fn close(&self, connection: ConnectionId, close: GoClose) -> Result<Reply, GoError> {
        self.used(connection, &close.used)?;
        self.totals.kept_back(close.kept_back);
        // Whoever asks for a session's figures after its go command has ended finds it counted.
        let mut sessions = self.sessions();
        let noted = sessions.get(connection).filter(|session| !session.noted).map(|session| {
            session.noted = true;
            session.clone()
        });
        drop(sessions);
        if let Some(session) = noted {
            self.note(&session);
        }
        Ok(Reply::Closed(GoClosed {}))
    }

    /// The connection has ended, and with it the go command.
    pub(crate) fn closed(self: &Arc<Self>, connection: ConnectionId) {
        let Some(session) = self.sessions().end(connection) else { return };
        if !session.noted {
            self.note(&session);
        }
        let core = Arc::clone(self);
        let Ok(runtime) = Handle::try_current() else {
            return core.clear(connection, &session.staging, &session.put);
        };
        let now = self.context.clock.monotonic_ns();
        let (grace, new) = self.grace.lock().unwrap_or_else(PoisonError::into_inner).holder(now);
        self.store.hand_over_pins(holder(connection), grace);
        runtime.spawn_blocking({
            let core = Arc::clone(&core);
            move || core.prove(&session.staging, &session.put)
        });
        if new {
            runtime.spawn(async move {
                // The last who hands anything over does so when half of it has passed.
                tokio::time::sleep(2 * GRACE).await;
                core.let_go(grace);
            });
        }
    }

    fn clear(&self, connection: ConnectionId, staging: &std::path::Path, put: &[Digest]) {
        self.prove(staging, put);
        self.let_go(holder(connection));
    }

    /// Removes what was never put, and hashes what was: now nobody waits for it.
    fn prove(&self, staging: &std::path::Path, put: &[Digest]) {
        if let Err(error) = std::fs::remove_dir_all(staging) {
            tracing::warn!(path = %staging.display(), %error, "failed to remove a folder for bodies");
        }
        for digest in put {
            if let Err(error) = self.store.blob(digest) {
                tracing::warn!(%digest, %error, "failed to prove a blob");
            }
        }
    }

    fn let_go(&self, holder: ConnectionId) {
        if let Err(error) = self.store.unpin_all(holder) {
            tracing::warn!(%error, "failed to let go of what a go command had been handed");
        }
    }
}
