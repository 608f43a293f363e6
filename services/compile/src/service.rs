//! The service: requests in, replies out, one record for each call.

use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use larder_fingerprint::Fingerprints;
use larder_proto::lane::{COMPILE, Lane};
use larder_proto::v1::compile_reply::Reply;
use larder_proto::v1::compile_request::Request;
use larder_proto::v1::{
    CompileFailure, CompileReply, CompileRequest, Figure, Lookup, NotRestored, NotRestoredCause,
    NotSupported, Publish, Published, Run,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{
    BoxFuture, Connection, ConnectionId, Context, Key, NoteError, Outcome, Reader, Reason, Service,
};
use larder_store::Store;
use prost::Message as _;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::args::{self, Refusal};
use crate::call::Call;
use crate::identity::noted::{self, Noted};
use crate::lease::{Ending, Hold, Turn};
use crate::link::{Joining, Linking};
use crate::lookup::{Found, Known, Prepared, Work};
use crate::manifest::Fact;
use crate::paths;
use crate::record::{Draft, bare, since};
use crate::rust;
use crate::state::{Compiling, Core, NAME, Plan, Planned};

/// How long one client waits for another that compiles the same.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// How long looking for a result may take, such as on a slow disk, before the client goes on alone.
const LONGEST_SEARCH: Duration = Duration::from_secs(5);

/// How often it is looked whether that other is stopped.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The compile cache.
pub struct Compile(pub(crate) Arc<Core>);

impl Compile {
    /// A cache that keeps its results in `store`.
    #[must_use]
    pub fn new(context: Context, store: Arc<Store>, fingerprints: Arc<Fingerprints>) -> Self {
        Self(Arc::new(Core::new(context, store, fingerprints)))
    }

    /// What is known of tools, for [`Self::recall`] of a later daemon.
    #[must_use]
    pub fn note(&self, reader: &Reader) -> Vec<u8> {
        noted::NOTE.seal(reader, &self.0.compilers.noted().encode())
    }

    /// Knows from here on what was [noted](Self::note), and takes none of it for true without a look; how many answers.
    ///
    /// # Errors
    /// Every [`NoteError`]; nothing is known then but what was known before.
    pub fn recall(&self, reader: &Reader, note: &[u8]) -> Result<usize, NoteError> {
        Ok(self.0.compilers.recall(Noted::decode(noted::NOTE.open(reader, note)?)?))
    }

    /// Knows no tool any more: each is asked again.
    pub fn forget(&self) {
        self.0.compilers.forget();
    }

    async fn answer(&self, connection: &Connection, bytes: &[u8]) -> Reply {
        let Ok(CompileRequest { protocol, request, .. }) = CompileRequest::decode(bytes) else {
            return self.malformed(String::new(), "the bytes are not a request");
        };
        if protocol != PROTOCOL_VERSION {
            return self.not_supported("client and daemon are of different versions");
        }
        let Some(request) = request else {
            return self.not_supported("this daemon does not know the request");
        };
        match request {
            Request::Lookup(lookup) => self.lookup(connection, lookup).await,
            Request::Publish(publish) => self.publish(connection, publish).await,
            Request::ListRustArtifacts(_) => self.rust_artifacts().await,
            Request::NotRestored(told) => {
                let reason = not_restored(&told);
                self.0.context.board.take_back(NAME, told.record, reason);
                published(Err(reason))
            }
            Request::Abandon(abandon) => {
                if let Some((plan, _hold)) = self.0.leases.take(abandon.lease, connection.id) {
                    self.lost(plan);
                }
                published(Err(Reason::LeaseLost))
            }
        }
    }

    async fn lookup(&self, connection: &Connection, lookup: Lookup) -> Reply {
        let core = &self.0;
        let clock = &*core.context.clock;
        let start = clock.monotonic_ns();
        let session = lookup.session.clone();
        let call = match Call::new(lookup) {
            Ok(call) => Arc::new(call),
            Err(error) => return self.malformed(session, &error.to_string()),
        };
        core.peers.note(connection);
        if core.store.is_stuck()
            && let Err(refusal) = core.disk_answers().await
        {
            return self.stand_aside(refusal, Draft::new(&call));
        }
        let mut waited = Waited::default();
        loop {
            let mut draft = Draft::new(&call);
            let sought =
                tokio::time::timeout(LONGEST_SEARCH, core.seek(&call, &mut draft, connection.id)).await;
            let Ok(found) = sought else {
                // If it was the disk, those who come next need not wait for it.
                core.touch();
                return self.stand_aside(bare(Reason::Overloaded), Draft::new(&call));
            };
            draft.overhead_us = since(clock, start.saturating_add(waited.ns));
            (draft.lookup_us, draft.wait_us) = (draft.overhead_us, waited.ns / 1000);
            let (work, why) = match found {
                Err(refusal) => {
                    return self.stand_aside(refusal, draft);
                }
                Ok((work, Found::Missing(why))) => (work, why),
                Ok((work, Found::Known(known))) => match core.hit(&work, &known) {
                    Ok(mut hit) => {
                        core.earlier.remember(&work);
                        let written = work.written();
                        core.writers.restore(&written);
                        core.ahead.promise(connection.id, &work, &written);
                        draft.keyed(&known.action);
                        hit.record = self.count_hit(draft, &known);
                        return Reply::Hit(hit);
                    }
                    Err(why) => (work, why),
                },
            };
            if !core.has_room_for_lists() {
                return self.stand_aside(bare(Reason::StoreFailed), draft);
            }
            // What the tool is made to write there would keep it, and nobody could end it.
            if let Err(refusal) = core.disk_answers().await {
                return self.stand_aside(refusal, draft);
            }
            let (base, outputs) = (work.base(), work.written());
            let waiting = match core.leases.turn(&base, connection.id) {
                Turn::Wait(waiting) if !waited.enough => Err(waiting),
                _ => {
                    for (plan, _hold) in core.leases.lose(connection.id, Some(&base)) {
                        self.lost(plan);
                    }
                    draft.compared = core.earlier.compare(&work);
                    core.settle(&work).await;
                    match work {
                        Work::Compile(prepared) => {
                            self.let_compile(connection.id, *prepared, draft, &why, waited.enough)
                        }
                        Work::Link(linking) => {
                            self.let_link(connection.id, *linking, draft, &why, waited.enough)
                        }
                        Work::Rust(work) => {
                            let before = core.before_compile(&work).await;
                            self.let_compile_crate(connection.id, (work, before), draft, &why, waited.enough)
                        }
                        Work::Question(question) => {
                            let base = question.base;
                            let work = Planned::Question(question);
                            self.let_run(connection.id, base, work, draft, &why, waited.enough)
                        }
                        Work::Archive(filing) => match core.expect_archive(*filing).await {
                            Ok(filing) => {
                                let (base, work) = (filing.base, Planned::Archive(Box::new(filing)));
                                self.let_run(connection.id, base, work, draft, &why, waited.enough)
                            }
                            Err(refusal) => return self.stand_aside(refusal, draft),
                        },
                    }
                }
            };
            match waiting {
                Ok(mut run) => {
                    if !run.args.is_empty() || !run.discovery_args.is_empty() {
                        run.list_folder = core.context.tmp.as_os_str().as_bytes().to_vec();
                    }
                    core.writers.begin(run.lease, outputs);
                    return Reply::Run(run);
                }
                Err(ending) => waited.wait(ending, core, &base).await,
            }
        }
    }

    /// Gives a lease, and says how to run the tool so that its inputs become known.
    fn let_compile(
        &self,
        connection: ConnectionId,
        prepared: Prepared,
        draft: Draft,
        why: &Refusal,
        alone: bool,
    ) -> Result<Run, watch::Receiver<Ending>> {
        let core = &self.0;
        let call = Arc::clone(&prepared.call);
        let arguments = Arc::clone(&prepared.arguments);
        let invocation = Arc::clone(&prepared.invocation);
        let (family, base) = (prepared.driver.dialect.family, prepared.base);
        let mut run = told(why.reason);
        let added = prepared.portable.as_ref().map(|portable| portable.root.map_option());
        let plan = |lease: u64| {
            if let Some(option) = &added {
                run.args = call.args.iter().cloned().chain([option.clone()]).collect();
            }
            let own = core.list_file(lease);
            let list = own.as_os_str().as_bytes();
            let (list_is_ours, list) = match &invocation.depfile {
                _ if !invocation.language.is_preprocessed() => (false, PathBuf::new()),
                Some(depfile) if depfile.system_headers => (false, paths::resolve(&call.cwd, &depfile.path)),
                None if !invocation.shows_command_line => {
                    let given = if run.args.is_empty() { &call.args } else { &run.args };
                    run.args = args::with_dependency_list(given, list);
                    (true, own)
                }
                _ => {
                    run.discovery_args = args::discovery(family, &arguments.all, list);
                    // `#include __FILE__` asks for another file under a map.
                    run.discovery_args.extend(added);
                    (true, own)
                }
            };
            let work = Planned::Compile(Box::new(Compiling { prepared, list, list_is_ours }));
            Plan { lease, work, draft, why: (why.reason, why.detail.clone()) }
        };
        run.lease = core.leases.give(base, connection, alone, plan)?;
        Ok(run)
    }

    /// Gives a lease; where a linker runs, it is to list what it reads.
    fn let_compile_crate(
        &self,
        connection: ConnectionId,
        (work, before): (Box<rust::Crate>, Result<Vec<Fact>, Refusal>),
        draft: Draft,
        why: &Refusal,
        alone: bool,
    ) -> Result<Run, watch::Receiver<Ending>> {
        let core = &self.0;
        let base = work.base;
        let mut run = told(why.reason);
        let plan = |lease: u64| {
            let lists = work.linker.as_ref().map(|_| rust::Lists {
                call: core.list_file(lease).with_extension("link"),
                read: core.list_file(lease),
            });
            let mapped = work.tree.as_ref().and_then(rust::Tree::added);
            if lists.is_some() || mapped.is_some() {
                let listed = lists.iter().flat_map(rust::Lists::arguments);
                run.args = work.call.args.iter().cloned().chain(mapped).chain(listed).collect();
            }
            let work = Planned::Rust(Box::new(rust::Compiling { work: *work, lists, before }));
            Plan { lease, work, draft, why: (why.reason, why.detail.clone()) }
        };
        run.lease = core.leases.give(base, connection, alone, plan)?;
        Ok(run)
    }

    async fn rust_artifacts(&self) -> Reply {
        let core = Arc::clone(&self.0);
        let listed = tokio::task::spawn_blocking(move || core.rust_artifacts()).await;
        match listed {
            Ok(Ok(artifacts)) => Reply::RustArtifacts(artifacts),
            _ => {
                let reason = Reason::StoreFailed;
                Reply::Failure(CompileFailure {
                    id: reason.id().to_owned(),
                    sentence: reason.sentence().to_owned(),
                })
            }
        }
    }

    /// Gives a lease for a tool that runs as the caller called it: what it reads is known already.
    fn let_run(
        &self,
        connection: ConnectionId,
        base: Key,
        work: Planned,
        draft: Draft,
        why: &Refusal,
        alone: bool,
    ) -> Result<Run, watch::Receiver<Ending>> {
        let plan = |lease| Plan { lease, work, draft, why: (why.reason, why.detail.clone()) };
        let lease = self.0.leases.give(base, connection, alone, plan)?;
        Ok(Run { lease, ..told(why.reason) })
    }

    /// Gives a lease, and says how to run the tool so that the linker lists what it reads.
    fn let_link(
        &self,
        connection: ConnectionId,
        linking: Linking,
        draft: Draft,
        why: &Refusal,
        alone: bool,
    ) -> Result<Run, watch::Receiver<Ending>> {
        let core = &self.0;
        let base = linking.base;
        let mut run = told(why.reason);
        let plan = |lease: u64| {
            let (list_is_ours, list) = match &linking.request.list {
                Some(list) => (false, paths::resolve(&linking.call.cwd, list)),
                None => (true, core.list_file(lease)),
            };
            if list_is_ours {
                run.args = linking.with_list(list.as_os_str().as_bytes());
            }
            let work = Planned::Link(Box::new(Joining { linking, list, list_is_ours }));
            Plan { lease, work, draft, why: (why.reason, why.detail.clone()) }
        };
        run.lease = core.leases.give(base, connection, alone, plan)?;
        Ok(run)
    }

    async fn publish(&self, connection: &Connection, publish: Publish) -> Reply {
        let Some((plan, hold)) = self.0.leases.take(publish.lease, connection.id) else {
            return published(Err(Reason::LeaseLost));
        };
        let core = Arc::clone(&self.0);
        let mut waiting = Waiting { core: &self.0, lease: publish.lease, answered: false };
        // It goes on even if the client does not wait for it, and then stores nothing.
        let mut work = tokio::task::spawn_blocking(move || finish(&core, plan, hold, publish));
        let done = match tokio::time::timeout(Store::PATIENCE, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                // If it is the disk, those who come next need not wait for it.
                self.0.touch();
                work.await
            }
        };
        waiting.answered = true;
        published(done.unwrap_or(Err(Reason::InternalError)))
    }

    /// The tool runs, and nothing of it will be stored.
    fn stand_aside(&self, refusal: Refusal, draft: Draft) -> Reply {
        let reason = refusal.reason;
        self.0.record(reason, draft, &refusal.detail, 0, 0);
        Reply::Run(told(reason))
    }

    fn count_hit(&self, draft: Draft, known: &Known) -> u64 {
        let bytes = known.result.outputs.iter().map(|output| output.digest.size).sum();
        // What a question would have taken is nobody's gain: it was no compile.
        let avoided_us = if known.reason.outcome() == Outcome::Hit { known.result.tool_us } else { 0 };
        self.0.record(known.reason, draft, "", avoided_us, bytes)
    }

    fn lost(&self, plan: Plan) {
        self.0.writers.end(plan.lease);
        self.count_lost(plan);
    }

    fn count_lost(&self, plan: Plan) {
        plan.clean();
        self.0.record(Reason::LeaseLost, plan.draft, "", 0, 0);
    }

    fn not_supported(&self, sentence: &str) -> Reply {
        self.0.record(Reason::RequestMalformed, Draft::default(), sentence, 0, 0);
        Reply::NotSupported(NotSupported { sentence: sentence.to_owned(), daemon_speaks: PROTOCOL_VERSION })
    }

    fn malformed(&self, session: String, sentence: &str) -> Reply {
        let reason = Reason::RequestMalformed;
        self.0.record(reason, Draft::of_session(session), sentence, 0, 0);
        Reply::Failure(CompileFailure { id: reason.id().to_owned(), sentence: sentence.to_owned() })
    }
}

impl Service for Compile {
    fn name(&self) -> &'static str {
        NAME
    }

    fn lane(&self) -> Lane {
        COMPILE
    }

    fn call<'a>(&'a self, connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let reply = self.answer(connection, request).await;
            let reply = CompileReply {
                protocol: PROTOCOL_VERSION,
                daemon_version: LARDER_VERSION.to_owned(),
                reply: Some(reply),
            };
            reply.encode_to_vec()
        })
    }

    fn closed(&self, connection: ConnectionId) {
        self.0.peers.forget(connection);
        self.0.read_ahead(connection);
        for (plan, _hold) in self.0.leases.lose(connection, None) {
            self.0.writers.lose(plan.lease);
            self.count_lost(plan);
        }
        if let Err(error) = self.0.store.unpin_all(connection) {
            tracing::warn!(%error, "failed to let go of what a connection held");
        }
    }

    fn leases(&self) -> u64 {
        self.0.leases.open() as u64
    }

    fn figures(&self) -> Vec<Figure> {
        vec![Figure {
            id: "running".to_owned(),
            title: "Compilers and archivers running now".to_owned(),
            value: self.0.leases.open() as u64,
            unit: "count".to_owned(),
        }]
    }
}

/// Publishes, counts, and lets those who wait go.
fn finish(core: &Core, plan: Plan, hold: Hold<Plan>, publish: Publish) -> Result<(), Reason> {
    let clock = &*core.context.clock;
    let start = clock.monotonic_ns();
    let tool_us = publish.tool_us;
    let stored = core.publish(&plan, publish);
    core.writers.end(plan.lease);
    plan.clean();
    let mut draft = plan.draft;
    draft.publish_us = since(clock, start);
    draft.overhead_us += draft.publish_us;
    match stored {
        Ok(stored) => {
            draft.keyed(&stored.action);
            let (reason, detail) = plan.why;
            core.record(reason, draft, &detail, tool_us, stored.bytes);
            hold.end(Ending::Stored);
            Ok(())
        }
        Err(refusal) => {
            core.record(refusal.reason, draft, &refusal.detail, tool_us, 0);
            hold.end(Ending::NotStored);
            Err(refusal.reason)
        }
    }
}

/// A client that waits until what it made has been read: a build goes on when its client has ended, and what lies at
/// the outputs' places is then no longer sure to be what the tool left there.
struct Waiting<'a> {
    core: &'a Core,
    lease: u64,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.core.writers.leave(self.lease);
        }
    }
}

fn not_restored(told: &NotRestored) -> Reason {
    match told.cause() {
        NotRestoredCause::Write => Reason::RestoreFailed,
        NotRestoredCause::Place => Reason::OutputNotAFile,
        NotRestoredCause::Blob => Reason::ResultGone,
    }
}

/// A run for `reason`, without a lease.
fn told(reason: Reason) -> Run {
    Run {
        outcome: reason.outcome().id().to_owned(),
        reason: reason.id().to_owned(),
        sentence: reason.sentence().to_owned(),
        ..Default::default()
    }
}

fn published(stored: Result<(), Reason>) -> Reply {
    let reason = stored.err().map(|reason| reason.id().to_owned()).unwrap_or_default();
    Reply::Published(Published { stored: stored.is_ok(), reason })
}

/// Time spent waiting for others.
#[derive(Default)]
struct Waited {
    ns: u64,
    /// No more waiting: it would not help, or took too long.
    enough: bool,
}

impl Waited {
    async fn wait(&mut self, mut ending: watch::Receiver<Ending>, core: &Core, base: &Key) {
        let clock = &*core.context.clock;
        let start = clock.monotonic_ns();
        let deadline = Instant::now() + LONGEST_WAIT.saturating_sub(Duration::from_nanos(self.ns));
        self.enough = loop {
            let step = deadline.min(Instant::now() + LOOK_AGAIN);
            // An error of the channel is the end of the lease, too.
            if tokio::time::timeout_at(step, ending.changed()).await.is_ok() {
                break *ending.borrow() == Ending::NotStored;
            }
            let stopped = core.leases.holder(base).is_some_and(|holder| core.peers.is_stopped(holder));
            if stopped || Instant::now() >= deadline {
                break true;
            }
        };
        self.ns += clock.monotonic_ns().saturating_sub(start);
    }
}
