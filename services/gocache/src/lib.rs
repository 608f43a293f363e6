//! Go's build cache: get, put and close, as the go command means them.
//!
//! Owns: the names of go actions, the sessions of go commands, and the [`trail`] that tells what is asked next. Must
//! never: trust what a client says of a blob's content, take back a path that a live go command was given, or let an
//! answer depend on the trail being right.

mod action;
mod close;
mod error;
mod get;
mod open;
mod put;
mod queue;
mod report;
mod session;
mod trail;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_proto::lane::{GO, Lane};
use larder_proto::v1::go_reply::Reply;
use larder_proto::v1::go_request::Request;
use larder_proto::v1::{Figure, GoFailure, GoReply, GoRequest};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{BoxFuture, Connection, ConnectionId, Context, NewRecord, Reason, Service};
use larder_store::{Owner, Store, StoreError};
use prost::Message as _;

use crate::close::Grace;
use crate::error::GoError;
use crate::queue::Queue;
use crate::report::Totals;
use crate::session::Sessions;
use crate::trail::Trail;

/// The service's name in statistics, journal, metrics and page.
const NAME: &str = "go";

/// Whose its records are in the store.
pub const OWNER: Owner = Owner::new(NAME);

/// Go's build cache.
pub struct GoCache(Arc<Core>);

/// What all requests share.
struct Core {
    context: Context,
    store: Arc<Store>,
    sessions: Mutex<Sessions>,
    trail: Mutex<Trail>,
    queue: Queue,
    grace: Mutex<Grace>,
    totals: Totals,
}

impl GoCache {
    /// A cache that keeps actions and outputs in `store`.
    #[must_use]
    pub fn new(context: Context, store: Arc<Store>) -> Self {
        Self(Arc::new(Core {
            context,
            store,
            sessions: Mutex::default(),
            trail: Mutex::default(),
            queue: Queue::default(),
            grace: Mutex::default(),
            totals: Totals::default(),
        }))
    }

    /// Hands to the store what is only in memory. To be called before the store is flushed.
    ///
    /// # Errors
    /// When the index cannot be written. The next call tries again.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.0.queue.write(&self.0.store)
    }

    /// Forgets what go commands asked for, so that nothing is answered ahead which the store has no longer.
    pub fn forget(&self) {
        *self.0.trail() = Trail::default();
    }

    async fn answer(&self, connection: &Connection, bytes: &[u8]) -> Reply {
        let core = &self.0;
        let start = core.context.clock.monotonic_ns();
        let reply = match GoRequest::decode(bytes) {
            Ok(GoRequest { protocol: PROTOCOL_VERSION, request: Some(request), .. }) => match request {
                Request::Open(open) => match core.disk_answers().await {
                    Ok(()) => core.open(connection.id, open),
                    Err(error) => Err(error),
                },
                Request::Get(get) => core.get(connection.id, get).await,
                Request::Put(put) => core.put(connection.id, put).await,
                Request::Close(close) => core.close(connection.id, close),
            },
            Ok(GoRequest { protocol: PROTOCOL_VERSION, .. }) | Err(_) => {
                Err(GoError::Malformed("the bytes are not a request"))
            }
            Ok(_) => Err(GoError::Malformed("client and daemon are of different versions")),
        };
        let us = core.context.clock.monotonic_ns().saturating_sub(start) / 1000;
        core.spent(connection.id, us);
        reply.unwrap_or_else(|error| {
            let reason = error.reason();
            tracing::warn!("a go command's request failed: {}", error::chain(&error));
            core.journalled(connection.id, reason, || NewRecord {
                detail: error::chain(&error),
                ..NewRecord::default()
            });
            core.count(connection.id, reason, 1, us, 0);
            Reply::Failure(GoFailure { id: reason.id().to_owned(), sentence: error::chain(&error) })
        })
    }
}

impl Core {
    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service for GoCache {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lane(&self) -> Lane {
        GO
    }

    fn call<'a>(&'a self, connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let reply = self.answer(connection, request).await;
            let reply = GoReply {
                protocol: PROTOCOL_VERSION,
                daemon_version: LARDER_VERSION.to_owned(),
                reply: Some(reply),
            };
            reply.encode_to_vec()
        })
    }

    fn closed(&self, connection: ConnectionId) {
        self.0.closed(connection);
    }

    fn figures(&self) -> Vec<Figure> {
        self.0.figures()
    }
}

/// Runs what may wait for the disk or hash for long, where it holds up nobody else.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GoError> + Send + 'static,
) -> Result<T, GoError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(GoError::Internal(Reason::InternalError.sentence())))
}
