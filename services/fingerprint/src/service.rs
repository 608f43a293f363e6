//! Whether a work has to be done again, going by the files that it reads.

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use larder_proto::lane::{FINGERPRINT, Lane};
use larder_proto::v1::{
    Figure, FingerprintCheck, FingerprintChecked, FingerprintDepth, FingerprintFailure, FingerprintMarked,
    FingerprintPlace, FingerprintReply, FingerprintRequest, FingerprintSelection, fingerprint_reply::Reply,
    fingerprint_request::Request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{
    BoxFuture, Clock, Connection, ConnectionId, Context, NewRecord, Reason, Service, within,
};
use larder_tree::{
    Checked, Choice, Depth, FingerprintError, Kept, Plain, Reader, Reading, Selection, State, check, shown,
};
use prost::Message as _;

use crate::Fingerprints;

/// The service's name in statistics.
const NAME: &str = "fingerprint";

/// Most bytes of paths in one reply.
const MAX_LISTED_BYTES: usize = 2 << 20;

/// How long a healthy disk may take for a state.
const LONGEST_WRITE: Duration = Duration::from_secs(2);

/// Answers checks, and works out what marks make of what is known.
pub struct Checks(Arc<Core>);

struct Core {
    context: Context,
    fingerprints: Arc<Fingerprints>,
    /// Files that clients have yet to fetch.
    handed: Mutex<HashMap<ConnectionId, Vec<Handed>>>,
    next: AtomicU64,
}

/// A file that a client is to fetch; gone when this is.
struct Handed(PathBuf);

impl Drop for Handed {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::debug!(%error, path = %self.0.display(), "a handed file is gone");
        }
    }
}

/// A reply, and what it names.
type Answer = (Reply, Option<Handed>);

/// Why a request cannot be answered: the reason, and what a person reads.
struct Refusal(Reason, String);

impl Refusal {
    fn malformed(error: impl std::fmt::Display) -> Self {
        Self(Reason::RequestMalformed, error.to_string())
    }
}

impl Checks {
    /// Over the memory of digests that all services share.
    #[must_use]
    pub fn new(context: Context, fingerprints: Arc<Fingerprints>) -> Self {
        let (handed, next) = (Mutex::default(), AtomicU64::new(1));
        Self(Arc::new(Core { context, fingerprints, handed, next }))
    }

    async fn answer(&self, connection: &Connection, request: &[u8]) -> Reply {
        let start = self.0.context.clock.monotonic_ns();
        let (core, request) = (Arc::clone(&self.0), request.to_vec());
        // Should the peer not wait for it, its file is gone with the answer.
        match tokio::task::spawn_blocking(move || core.answer(start, &request)).await {
            Ok((reply, handed)) => {
                if let Some(handed) = handed {
                    self.0.handed().entry(connection.id).or_default().push(handed);
                }
                reply
            }
            Err(_) => {
                let reason = Reason::InternalError;
                self.0.record(start, reason, NewRecord::default());
                failure(reason, reason.sentence().to_owned())
            }
        }
    }
}

impl Core {
    fn answer(&self, start: u64, request: &[u8]) -> Answer {
        let answered = match FingerprintRequest::decode(request) {
            Ok(FingerprintRequest { protocol: PROTOCOL_VERSION, request: Some(request), .. }) => {
                self.carry_out(start, request)
            }
            Ok(FingerprintRequest { protocol: PROTOCOL_VERSION, .. }) => {
                Err(Refusal::malformed("this daemon does not know the request"))
            }
            // What a later version asks for may be more than what is understood of it.
            Ok(_) => Err(Refusal::malformed(format_args!(
                "this daemon speaks version {PROTOCOL_VERSION} of the protocol"
            ))),
            Err(error) => Err(Refusal::malformed(error)),
        };
        answered.unwrap_or_else(|Refusal(reason, sentence)| {
            self.record(start, reason, NewRecord { detail: sentence.clone(), ..NewRecord::default() });
            (failure(reason, sentence), None)
        })
    }

    fn carry_out(&self, start: u64, request: Request) -> Result<Answer, Refusal> {
        match request {
            Request::Check(check) => self.check(start, &check),
            Request::Success(mark) => self
                .mark(start, "success", mark.place, |state| state.mark_success().map_err(Refusal::malformed)),
            Request::Failure(mark) => self.mark(start, "failure", mark.place, |state| {
                state.mark_failure();
                Ok(())
            }),
            Request::Invalidate(mark) => self.mark(start, "invalidate", mark.place, |state| {
                state.invalidate();
                Ok(())
            }),
        }
    }

    fn check(&self, start: u64, request: &FingerprintCheck) -> Result<Answer, Refusal> {
        let (place, cache) = self.place(request.place.clone())?;
        let selection = selection(request.selection.clone().unwrap_or_default())?;
        let skip = cache.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
        let kept = kept(&cache)?;
        let clock = &*self.context.clock;
        let checked = match request.depth() {
            FingerprintDepth::TwoLayer => {
                check(&selection, Depth::TwoLayer, kept, skip, &Remembering(&self.fingerprints, clock))
            }
            FingerprintDepth::Content => check(&selection, Depth::Content, kept, skip, &Plain::new(clock)),
        };
        let checked = checked.map_err(|error| Refusal(Reason::InputUnreadable, error.to_string()))?;
        let reason = match (&checked.unchanged, checked.changes.is_empty()) {
            (true, _) => Reason::FilesUnchanged,
            (false, false) => Reason::FilesChanged,
            (false, true) => Reason::WorkDue,
        };
        let handed = checked.state.as_ref().map(|state| self.hand(state)).transpose()?;
        let record = NewRecord {
            detail: detail(&checked),
            tool: "check".to_owned(),
            source: shown(selection.root().as_os_str().as_bytes()),
            output: shown(&place.cache),
            session: place.session,
            ..NewRecord::default()
        };
        self.record(start, reason, record);
        Ok((Reply::Checked(listed(checked, name_of(handed.as_ref()))), handed))
    }

    fn mark(
        &self,
        start: u64,
        verb: &str,
        place: Option<FingerprintPlace>,
        change: impl FnOnce(&mut State) -> Result<(), Refusal>,
    ) -> Result<Answer, Refusal> {
        let (place, cache) = self.place(place)?;
        let mut state = kept(&cache)?.state().unwrap_or_default();
        change(&mut state)?;
        let handed = Some(self.hand(&state)?);
        let record = NewRecord {
            output: shown(&place.cache),
            tool: verb.to_owned(),
            session: place.session,
            ..NewRecord::default()
        };
        self.record(start, Reason::WorkMarked, record);
        Ok((Reply::Marked(FingerprintMarked { state: name_of(handed.as_ref()) }), handed))
    }

    /// Whether the caller's paths lead where this process's lead, and to which cache file.
    fn place(&self, place: Option<FingerprintPlace>) -> Result<(FingerprintPlace, PathBuf), Refusal> {
        let place = place.unwrap_or_default();
        if (place.mount_namespace, place.root_device, place.root_inode) != self.context.filesystem_view {
            let reason = Reason::OtherFilesystemView;
            return Err(Refusal(reason, reason.sentence().to_owned()));
        }
        let cache = absolute(&place.cache)?;
        Ok((place, cache))
    }

    /// Writes `state` where a client can fetch it.
    fn hand(&self, state: &State) -> Result<Handed, Refusal> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let handed = Handed(self.context.tmp.join(format!("fingerprints-{number}")));
        let (path, bytes) = (handed.0.clone(), state.encode());
        let failed = |error: std::io::Error| Refusal(Reason::StoreFailed, error.to_string());
        // A disk that takes nothing keeps who writes to it.
        match within(LONGEST_WRITE, "state", move || std::fs::write(path, bytes)).map_err(failed)? {
            Some(written) => written.map(|()| handed).map_err(failed),
            None => {
                // To remove it would wait for the disk as well; the next start does.
                std::mem::forget(handed);
                Err(Refusal(Reason::StoreFailed, "the cache's disk does not answer".to_owned()))
            }
        }
    }

    fn handed(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionId, Vec<Handed>>> {
        self.handed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, start: u64, reason: Reason, record: NewRecord) {
        let clock = &self.context.clock;
        let overhead_us = clock.monotonic_ns().saturating_sub(start) / 1000;
        let record = NewRecord { at_unix_ms: clock.unix_ms(), overhead_us, ..record };
        self.context.board.record(NAME, reason, record);
    }
}

/// Reads what is not remembered.
struct Remembering<'a>(&'a Fingerprints, &'a dyn Clock);

impl Reader for Remembering<'_> {
    fn read(&self, path: &Path) -> Result<Reading, FingerprintError> {
        let began = self.1.file_time_ns();
        let found = self.0.file(path)?;
        let lasting = found.stamp.proves_content_at(began);
        Ok(Reading { digest: found.digest, stamp: found.stamp, lasting })
    }
}

fn selection(wanted: FingerprintSelection) -> Result<Selection, Refusal> {
    let choice = Choice {
        extensions: wanted.extensions,
        include: wanted.include,
        exclude: wanted.exclude,
        ignore_rules: wanted.ignore_rules,
    };
    Selection::new(absolute(&wanted.root)?, choice).map_err(Refusal::malformed)
}

fn absolute(path: &[u8]) -> Result<PathBuf, Refusal> {
    if path.starts_with(b"/") && !path.contains(&0) {
        return Ok(OsString::from_vec(path.to_vec()).into());
    }
    Err(Refusal::malformed(format_args!("failed to use {:?}: it is no absolute path", shown(path))))
}

fn kept(path: &Path) -> Result<Kept, Refusal> {
    State::read(path).map_err(|error| {
        let sentence = format!("failed to read {}: {error}", path.display());
        Refusal(Reason::InputUnreadable, sentence)
    })
}

/// The first file that is a reason, or another one.
fn detail(checked: &Checked) -> String {
    let changes = &checked.changes;
    let first = [&changes.changed, &changes.added, &changes.removed, &changes.unreadable]
        .into_iter()
        .find_map(|list| list.first());
    first.map_or_else(|| checked.because.to_owned(), |path| shown(path))
}

fn listed(checked: Checked, state: Vec<u8>) -> FingerprintChecked {
    let mut room = MAX_LISTED_BYTES;
    let mut more = 0;
    let mut cut = |list: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        let all = list.len();
        let fits = |path: &Vec<u8>| {
            let fits = room.checked_sub(path.len() + 8);
            room = fits.unwrap_or(0);
            fits.is_some()
        };
        let list: Vec<Vec<u8>> = list.into_iter().take_while(fits).collect();
        more += (all - list.len()) as u64;
        list
    };
    let changes = checked.changes;
    FingerprintChecked {
        unchanged: checked.unchanged,
        added: cut(changes.added),
        removed: cut(changes.removed),
        changed: cut(changes.changed),
        unreadable: cut(changes.unreadable),
        more,
        because: checked.because.to_owned(),
        files: checked.files,
        state,
    }
}

fn name_of(handed: Option<&Handed>) -> Vec<u8> {
    handed.map(|handed| handed.0.as_os_str().as_bytes().to_vec()).unwrap_or_default()
}

fn failure(reason: Reason, sentence: String) -> Reply {
    Reply::Failure(FingerprintFailure { id: reason.id().to_owned(), sentence })
}

impl Service for Checks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lane(&self) -> Lane {
        FINGERPRINT
    }

    fn call<'a>(&'a self, connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let reply = Some(self.answer(connection, request).await);
            let daemon_version = LARDER_VERSION.to_owned();
            FingerprintReply { protocol: PROTOCOL_VERSION, daemon_version, reply }.encode_to_vec()
        })
    }

    fn closed(&self, connection: ConnectionId) {
        let handed = self.0.handed().remove(&connection);
        drop(handed);
    }

    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}
