//! A request in, a reply out, one record for each.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use larder_proto::lane::{ARTIFACT, Lane};
use larder_proto::v1::{
    ArtifactAbsent, ArtifactAlreadyExists, ArtifactFailure, ArtifactFound, ArtifactLookup, ArtifactName,
    ArtifactOutput, ArtifactReply, ArtifactRequest, ArtifactSkip, ArtifactSkipped, ArtifactStore,
    ArtifactStored, Figure, artifact_reply::Reply, artifact_request::Request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{
    BoxFuture, Connection, ConnectionId, Context, Hasher, Key, NewRecord, Outcome, Reason, Service,
};
use larder_store::{ActionResult, OutputBlob, Store, StoreError};
use prost::Message as _;

use crate::limits;

/// The service's name in statistics.
const NAME: &str = "artifact";

/// Keeps results under their callers' keys.
pub struct Artifacts(Arc<Core>);

struct Core {
    context: Context,
    store: Arc<Store>,
    /// Held from the look whether a key is taken until it is.
    taking: Mutex<()>,
}

/// Why a request is not answered: the reason, and what a person reads.
struct Refusal(Reason, String);

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
        Self(Arc::new(Core { context, store, taking: Mutex::new(()) }))
    }

    async fn answer(&self, connection: &Connection, request: &[u8]) -> Reply {
        let start = self.0.context.clock.monotonic_ns();
        let (core, id, request) = (Arc::clone(&self.0), connection.id, request.to_vec());
        let work = tokio::task::spawn_blocking(move || core.answer(id, start, &request));
        work.await.unwrap_or_else(|_| {
            let reason = Reason::InternalError;
            self.0.record(start, reason, &ArtifactName::default(), NewRecord::default());
            failure(reason, reason.sentence().to_owned())
        })
    }
}

impl Core {
    fn answer(&self, connection: ConnectionId, start: u64, request: &[u8]) -> Reply {
        let malformed = |sentence: String| Err(Refusal(Reason::RequestMalformed, sentence));
        let mut name = ArtifactName::default();
        let answered = match ArtifactRequest::decode(request).map(|request| request.request) {
            Ok(Some(Request::Lookup(ArtifactLookup { name: Some(asked) }))) => {
                name = asked;
                self.lookup(connection, start, &name)
            }
            Ok(Some(Request::Store(store))) => {
                name = store.name.clone().unwrap_or_default();
                self.store(start, &name, &store)
            }
            Ok(Some(Request::Skip(skip))) => {
                name = skip.name.clone().unwrap_or_default();
                self.skip(start, &name, skip)
            }
            Ok(_) => malformed("this daemon does not know the request".to_owned()),
            Err(error) => malformed(error.to_string()),
        };
        answered.unwrap_or_else(|Refusal(reason, sentence)| {
            self.record(start, reason, &name, NewRecord { detail: sentence.clone(), ..NewRecord::default() });
            failure(reason, sentence)
        })
    }

    fn lookup(&self, connection: ConnectionId, start: u64, name: &ArtifactName) -> Result<Reply, Refusal> {
        let key = self.key(name)?;
        let Some(kept) = self.store.action(&key)? else {
            return Ok(self.absent(start, name, Reason::ArtifactAbsent));
        };
        let mut outputs = Vec::with_capacity(kept.outputs.len());
        for output in &kept.outputs {
            self.store.pin(connection, &output.digest)?;
            let Some(blob) = self.store.blob(&output.digest)? else {
                return Ok(self.absent(start, name, Reason::ResultGone));
            };
            outputs.push(ArtifactOutput {
                name: output.name.clone(),
                file: blob.into_os_string().into_vec(),
                size: output.digest.size,
                mode: output.mode,
            });
        }
        let bytes = outputs.iter().map(|output| output.size).sum();
        let record = NewRecord { tool_us: kept.tool_us, bytes, ..NewRecord::default() };
        self.record(start, Reason::ArtifactFound, name, record);
        Ok(Reply::Found(ArtifactFound {
            outputs,
            stdout: kept.stdout,
            stderr: kept.stderr,
            exit_code: kept.exit_code,
            tool_us: kept.tool_us,
            created_unix_ms: kept.created_unix_ms,
        }))
    }

    fn absent(&self, start: u64, name: &ArtifactName, reason: Reason) -> Reply {
        self.record(start, reason, name, NewRecord::default());
        Reply::Absent(ArtifactAbsent {
            reason: reason.id().to_owned(),
            sentence: reason.sentence().to_owned(),
        })
    }

    fn store(&self, start: u64, name: &ArtifactName, new: &ArtifactStore) -> Result<Reply, Refusal> {
        let key = self.key(name)?;
        limits::outputs(&new.outputs, [&new.stdout, &new.stderr])?;
        let mut outputs =
            new.outputs.iter().map(|output| self.keep(output)).collect::<Result<Vec<_>, _>>()?;
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        let bytes = outputs.iter().map(|output| output.digest.size).sum();
        let result = ActionResult {
            outputs,
            stdout: new.stdout.clone(),
            stderr: new.stderr.clone(),
            exit_code: new.exit_code,
            tool_us: new.tool_us,
            created_unix_ms: self.context.clock.unix_ms(),
        };
        let record = NewRecord { tool_us: new.tool_us, bytes, ..NewRecord::default() };
        let _alone = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = self.store.action(&key)?
            && self.is_whole(&kept)?
        {
            let same = is_same(&kept, &result);
            self.record(start, Reason::ArtifactExists, name, NewRecord { bytes: 0, ..record });
            return Ok(Reply::AlreadyExists(ArtifactAlreadyExists { same }));
        }
        self.store.put_action(&key, &result)?;
        self.record(start, Reason::ArtifactStored, name, record);
        Ok(Reply::Stored(ArtifactStored { bytes }))
    }

    /// Copies one output into the store.
    fn keep(&self, output: &ArtifactOutput) -> Result<OutputBlob, Refusal> {
        let path = OsString::from_vec(output.file.clone());
        let path = Path::new(&path);
        let refused = |what: &str| {
            let sentence = format!("failed to keep {}: {what}", path.display());
            Err(Refusal(Reason::InputUnreadable, sentence))
        };
        if !path.is_absolute() || path.as_os_str().as_bytes().contains(&0) {
            return refused("it is no absolute path");
        }
        // Looked at before it is opened: opening a pipe or a device can have effects.
        match path.metadata() {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return refused("it is not an ordinary file"),
            Err(error) => return refused(&error.to_string()),
        }
        let digest = self.store.put_file(path)?;
        if digest.size != output.size {
            return refused("it has changed meanwhile");
        }
        Ok(OutputBlob { name: output.name.clone(), digest, mode: output.mode & 0o7777 })
    }

    fn is_whole(&self, kept: &ActionResult) -> Result<bool, Refusal> {
        for output in &kept.outputs {
            if self.store.blob(&output.digest)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn skip(&self, start: u64, name: &ArtifactName, skip: ArtifactSkip) -> Result<Reply, Refusal> {
        let known = Reason::ALL.iter().find(|reason| reason.id() == skip.reason);
        // Only why nothing is kept: what was found or kept is counted when that happens.
        let Some(reason) = known.filter(|reason| reason.outcome() == Outcome::Uncacheable) else {
            return Err(Refusal(Reason::RequestMalformed, "the reason is none to keep nothing".to_owned()));
        };
        let record = NewRecord { detail: skip.detail, tool_us: skip.tool_us, ..NewRecord::default() };
        self.record(start, *reason, name, record);
        Ok(Reply::Skipped(ArtifactSkipped {}))
    }

    fn key(&self, name: &ArtifactName) -> Result<Key, Refusal> {
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

    fn record(&self, start: u64, reason: Reason, name: &ArtifactName, record: NewRecord) {
        let clock = &self.context.clock;
        let record = NewRecord {
            at_unix_ms: clock.unix_ms(),
            overhead_us: clock.monotonic_ns().saturating_sub(start) / 1000,
            tool: name.tool.clone(),
            source: name.source.clone(),
            output: name.output.clone(),
            cwd: name.cwd.clone(),
            build: name.parent_pid,
            key: format!("{}/{}", name.space, name.key),
            ..record
        };
        self.context.board.record(NAME, reason, record);
    }
}

/// When and how quickly it was made plays no part.
fn is_same(one: &ActionResult, other: &ActionResult) -> bool {
    (&one.outputs, &one.stdout, &one.stderr, one.exit_code)
        == (&other.outputs, &other.stdout, &other.stderr, other.exit_code)
}

fn failure(reason: Reason, sentence: String) -> Reply {
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
        if let Err(error) = self.0.store.unpin_all(connection) {
            tracing::warn!(%error, "failed to let go of what a connection held");
        }
    }

    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}
