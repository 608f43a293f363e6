//! A request in, a reply out, one record for each.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_proto::lane::{ARTIFACT, Lane};
use larder_proto::v1::{
    ArtifactFailure, ArtifactName, ArtifactReply, ArtifactRequest, ArtifactSkip, ArtifactSkipped, Figure,
    NotSupported, artifact_reply::Reply, artifact_request::Request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{
    BoxFuture, Connection, ConnectionId, Context, Hasher, Key, NewRecord, Outcome, Reason, Service,
};
use larder_store::{Owner, Store, StoreError};
use prost::Message as _;

use crate::limits;

/// The service's name in statistics.
const NAME: &str = "artifact";

/// Whose its records are in the store.
pub const OWNER: Owner = Owner::new(NAME);

/// Longest text of a record that a client chooses, characters.
const MAX_TEXT: usize = 4096;

/// Keeps results under their callers' keys.
pub struct Artifacts(Arc<Core>);

pub(crate) struct Core {
    pub(crate) context: Context,
    pub(crate) store: Arc<Store>,
    /// Held from the look whether a key is taken until it is.
    pub(crate) taking: Mutex<()>,
    /// The folders in which connections hand files in.
    staging: Mutex<HashMap<ConnectionId, PathBuf>>,
}

/// Why a request is not answered: the reason, and what a person reads.
pub(crate) struct Refusal(pub(crate) Reason, pub(crate) String);

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the store failed");
        Self(Reason::StoreFailed, error.to_string())
    }
}

impl From<limits::LimitError> for Refusal {
    fn from(error: limits::LimitError) -> Self {
        Self(Reason::RequestMalformed, error.to_string())
    }
}

impl Artifacts {
    /// Over the store that all services share.
    #[must_use]
    pub fn new(context: Context, store: Arc<Store>) -> Self {
        let (taking, staging) = (Mutex::new(()), Mutex::default());
        Self(Arc::new(Core { context, store, taking, staging }))
    }

    async fn answer(&self, connection: &Connection, request: &[u8]) -> Reply {
        let start = self.0.context.clock.monotonic_ns();
        let (core, id, request) = (Arc::clone(&self.0), connection.id, request.to_vec());
        // Ends with this future, which ends with the connection at the latest.
        let connected = Arc::new(());
        let watched = Arc::downgrade(&connected);
        let work = tokio::task::spawn_blocking(move || {
            let reply = core.answer(id, start, &request);
            if watched.strong_count() == 0 {
                core.let_go(id);
            }
            reply
        });
        let reply = work.await.unwrap_or_else(|_| {
            let reason = Reason::InternalError;
            self.0.record(start, reason, &ArtifactName::default(), NewRecord::default());
            failure(reason, reason.sentence().to_owned())
        });
        drop(connected);
        reply
    }
}

/// Whether a client may say it: why it keeps nothing, or that it could not write what it would keep.
fn says_why(reason: Reason) -> bool {
    reason.outcome() == Outcome::Uncacheable || reason == Reason::StoreFailed
}

/// Whether a client may say it of a hit that was of no use.
fn takes_back(reason: Reason) -> bool {
    matches!(reason, Reason::RestoreFailed | Reason::OutputNotAFile | Reason::ResultGone)
}

impl Core {
    fn answer(&self, connection: ConnectionId, start: u64, request: &[u8]) -> Reply {
        let mut name = ArtifactName::default();
        let answered = match ArtifactRequest::decode(request) {
            Err(error) => Err(Refusal(Reason::RequestMalformed, error.to_string())),
            Ok(ArtifactRequest { request: Some(request), protocol: PROTOCOL_VERSION, .. }) => match request {
                Request::Lookup(lookup) => {
                    name = lookup.name.clone().unwrap_or_default();
                    self.lookup(connection, start, &name, &lookup)
                }
                Request::Store(store) => {
                    name = store.name.clone().unwrap_or_default();
                    self.keep(connection, start, &name, &store)
                }
                Request::Skip(skip) => {
                    name = skip.name.clone().unwrap_or_default();
                    self.skip(start, &name, skip)
                }
                Request::Open(_) => self.open(connection, start),
            },
            Ok(_) => {
                let sentence = "this daemon does not know the request".to_owned();
                let record = NewRecord { detail: sentence.clone(), ..NewRecord::default() };
                self.record(start, Reason::RequestMalformed, &name, record);
                return Reply::NotSupported(NotSupported { sentence, daemon_speaks: PROTOCOL_VERSION });
            }
        };
        answered.unwrap_or_else(|Refusal(reason, sentence)| {
            self.record(start, reason, &name, NewRecord { detail: sentence.clone(), ..NewRecord::default() });
            failure(reason, sentence)
        })
    }

    fn skip(&self, start: u64, name: &ArtifactName, skip: ArtifactSkip) -> Result<Reply, Refusal> {
        let known = Reason::ALL.iter().find(|reason| reason.id() == skip.reason);
        // Only why nothing is kept: what was found or kept is counted when that happens.
        let fits = if skip.record > 0 { takes_back } else { says_why };
        let Some(reason) = known.filter(|reason| fits(**reason)) else {
            return Err(Refusal(Reason::RequestMalformed, "the reason is none to keep nothing".to_owned()));
        };
        if skip.record > 0 {
            self.context.board.take_back(NAME, skip.record, *reason);
            return Ok(Reply::Skipped(ArtifactSkipped {}));
        }
        let record = NewRecord { detail: skip.detail, tool_us: skip.tool_us, ..NewRecord::default() };
        self.record(start, *reason, name, record);
        Ok(Reply::Skipped(ArtifactSkipped {}))
    }

    /// Under what the artifact is kept that `name` names.
    pub(crate) fn key(&self, name: &ArtifactName) -> Result<Key, Refusal> {
        let view = (name.mount_namespace, name.root_device, name.root_inode);
        if view != self.context.filesystem_view {
            let reason = Reason::OtherFilesystemView;
            return Err(Refusal(reason, reason.sentence().to_owned()));
        }
        limits::space(&name.space)?;
        limits::key(&name.key)?;
        let mut hasher = Hasher::key("artifact");
        hasher.field("space", name.space.as_bytes());
        hasher.field("key", name.key.as_bytes());
        Ok(hasher.finish_key())
    }

    pub(crate) fn record(&self, start: u64, reason: Reason, name: &ArtifactName, record: NewRecord) -> u64 {
        let clock = &self.context.clock;
        let text = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
        let key = if name.key.is_empty() { String::new() } else { format!("{}/{}", name.space, name.key) };
        let record = NewRecord {
            at_unix_ms: clock.unix_ms(),
            overhead_us: clock.monotonic_ns().saturating_sub(start) / 1000,
            tool: text(&name.tool),
            source: text(&name.source),
            output: text(&name.output),
            detail: text(&record.detail),
            cwd: text(&name.cwd),
            build: name.parent_pid,
            session: name.session.chars().take(64).collect(),
            key: text(&key),
            ..record
        };
        self.context.board.record(NAME, reason, record)
    }

    pub(crate) fn staging(&self) -> MutexGuard<'_, HashMap<ConnectionId, PathBuf>> {
        self.staging.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection has ended: what it was handed may be evicted, what it has not handed in is removed.
    fn let_go(&self, connection: ConnectionId) {
        if let Err(error) = self.store.unpin_all(connection) {
            tracing::warn!(%error, "failed to let go of what a connection held");
        }
        let Some(staging) = self.staging().remove(&connection) else { return };
        if let Err(error) = std::fs::remove_dir_all(&staging) {
            tracing::warn!(path = %staging.display(), %error, "failed to remove a folder for artifacts");
        }
    }
}

pub(crate) fn failure(reason: Reason, sentence: String) -> Reply {
    Reply::Failure(ArtifactFailure { id: reason.id().to_owned(), sentence })
}

impl Service for Artifacts {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lane(&self) -> Lane {
        ARTIFACT
    }

    fn call<'a>(&'a self, connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let reply = Some(self.answer(connection, request).await);
            let daemon_version = LARDER_VERSION.to_owned();
            ArtifactReply { protocol: PROTOCOL_VERSION, daemon_version, reply }.encode_to_vec()
        })
    }

    fn closed(&self, connection: ConnectionId) {
        self.0.let_go(connection);
    }

    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}
