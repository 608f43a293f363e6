//! Looks a call up: what it is, which key it has, whether a known input set still holds.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;

use larder_service::{ConnectionId, Digest, Hasher, Key, Reason};
use larder_store::ActionResult;

use crate::archive::Filing;
use crate::args::{self, Invocation, Refusal};
use crate::arguments::Arguments;
use crate::call::Call;
use crate::code;
use crate::files;
use crate::identity::{self, Driver, Tool, Toolset};
use crate::key::{self, Parts};
use crate::link::Linking;
use crate::manifest::Fact;
use crate::manifest::codec;
use crate::manifest::validate::{By, Marked, Means, Own, Validation, nothing_holds};
use crate::paths;
use crate::portable::{Portable, Root};
use crate::record::{Draft, bare, since};
use crate::rust::{Crate, Question};
use crate::state::Core;

/// A call that can be cached, and what its key is made of.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) call: Arc<Call>,
    pub(crate) driver: Arc<Driver>,
    pub(crate) arguments: Arc<Arguments>,
    pub(crate) invocation: Arc<Invocation>,
    pub(crate) toolset: Arc<Toolset>,
    /// Content of the source.
    pub(crate) source: Digest,
    pub(crate) base: Key,
    /// It is to be the same in every working tree.
    pub(crate) portable: Option<Portable>,
    /// Texts may be compared without their comments.
    pub(crate) by_code: bool,
    /// The call whatever its source holds.
    pub(crate) seen: Key,
}

impl Prepared {
    /// The root that what is stored must not depend on.
    pub(crate) fn shared_root(&self) -> Option<&Root> {
        self.portable.as_ref().and_then(Portable::shared_root)
    }
}

/// A call that can be cached.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Compile(Box<Prepared>),
    Archive(Box<Filing>),
    Link(Box<Linking>),
    Rust(Box<Crate>),
    Question(Box<Question>),
}

impl Work {
    /// What others wait for who ask the same.
    pub(crate) fn base(&self) -> Key {
        match self {
            Self::Compile(prepared) => prepared.base,
            Self::Archive(filing) => filing.base,
            Self::Link(linking) => linking.base,
            Self::Rust(work) => work.base,
            Self::Question(question) => question.base,
        }
    }
}

/// A known result, its blobs present and pinned.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) action: Key,
    pub(crate) result: ActionResult,
    /// Why it is the call's.
    pub(crate) reason: Reason,
}

/// What the store knew.
#[derive(Debug)]
pub(crate) enum Found {
    Known(Box<Known>),
    /// Why not.
    Missing(Refusal),
}

/// What the store knew under a base key.
enum Sought {
    Known(Box<Known>),
    Missing(Refusal),
    /// There is nothing under it.
    Never,
}

impl Sought {
    /// `why` says why there is nothing.
    fn or_else(self, why: impl FnOnce() -> Refusal) -> Found {
        match self {
            Self::Known(known) => Found::Known(known),
            Self::Missing(why) => Found::Missing(why),
            Self::Never => Found::Missing(why()),
        }
    }
}

impl Core {
    /// What `call` is, and whether its result is known; `draft` learns what becomes known on the way. What the result
    /// holds is pinned to `connection`.
    pub(crate) async fn seek(
        self: &Arc<Self>,
        call: &Arc<Call>,
        draft: &mut Draft,
        connection: ConnectionId,
    ) -> Result<(Work, Found), Refusal> {
        if !call.sees_like(self.context.filesystem_view) {
            return Err(bare(Reason::OtherFilesystemView));
        }
        call.env.refuse()?;
        if !identity::is_rustc(&call.tool_name) {
            let work = self.prepare(call, draft).await?;
            let start = self.context.clock.monotonic_ns();
            let found = self.find(&work, connection)?;
            draft.validate_us = since(&*self.context.clock, start);
            return Ok((work, found));
        }
        let mut own = draft.clone();
        let seek = move |core: &Self, call: &Arc<Call>| {
            let prepared = match core.question(call) {
                Some(question) => Ok(Work::Question(Box::new(question))),
                None => core.prepare_crate(call, &mut own).map(|work| Work::Rust(Box::new(work))),
            };
            let sought = prepared.and_then(|work| {
                let start = core.context.clock.monotonic_ns();
                let found = core.find(&work, connection)?;
                own.validate_us = since(&*core.context.clock, start);
                Ok((work, found))
            });
            Ok((own, sought))
        };
        let (told, sought) = self.blocking(call, seek).await?;
        *draft = told;
        sought
    }

    /// Takes `call` apart and makes its base key; `draft` learns what becomes known on the way.
    async fn prepare(self: &Arc<Self>, call: &Arc<Call>, draft: &mut Draft) -> Result<Work, Refusal> {
        let tool = match self.compilers.known_tool(call) {
            Some(known) => known?,
            None => self.blocking(call, |core, call| core.compilers.tool(call)).await?,
        };
        match &*tool {
            Tool::Compiler(driver) => {
                let arguments = Arguments::of(call)?;
                if args::is_link(&arguments.all) {
                    let linking = self.prepare_link(call, tool, arguments, draft).await?;
                    return Ok(Work::Link(Box::new(linking)));
                }
                let prepared = self.prepare_compile(call, Arc::clone(driver), arguments, draft).await?;
                Ok(Work::Compile(Box::new(prepared)))
            }
            Tool::Linker(_) => {
                let linking = self.prepare_link(call, tool, Arguments::of(call)?, draft).await?;
                Ok(Work::Link(Box::new(linking)))
            }
            Tool::Archiver(archiver) => {
                let filing = self.prepare_archive(call, Arc::clone(archiver), draft).await?;
                Ok(Work::Archive(Box::new(filing)))
            }
        }
    }

    async fn prepare_compile(
        self: &Arc<Self>,
        call: &Arc<Call>,
        driver: Arc<Driver>,
        arguments: Arguments,
        draft: &mut Draft,
    ) -> Result<Prepared, Refusal> {
        let invocation = args::parse(driver.dialect, &arguments.all)?;
        draft.parsed(&invocation);
        let invocation = Arc::new(invocation);
        refuse(&invocation)?;
        self.outputs_are_files(call, &invocation)?;
        let toolset = match self.compilers.known_toolset(&driver, call, &invocation) {
            Some(known) => known?,
            None => {
                let (driver, invocation) = (Arc::clone(&driver), Arc::clone(&invocation));
                let ask =
                    move |core: &Self, call: &Arc<Call>| core.compilers.toolset(&driver, call, &invocation);
                self.blocking(call, ask).await?
            }
        };
        let path = paths::resolve(&call.cwd, &invocation.source);
        let by_code = code::decides(driver.dialect.family, &invocation);
        let (source, code) = if by_code {
            let (fingerprint, code) = self.codes.read(&self.fingerprints, &path)?;
            (fingerprint.digest, code.digest.filter(|_| !code.embeds))
        } else {
            (files::fingerprint(&self.fingerprints, &path)?.digest, None)
        };
        let portable = Portable::of(call, driver.dialect.family, &arguments, &invocation, &toolset.folders);
        let parts = Parts {
            driver: driver.key,
            toolset: toolset.key,
            family: driver.dialect.family,
            call,
            arguments: &arguments,
            invocation: &invocation,
            portable: portable.as_ref(),
        };
        let without_content = key::without_content(parts);
        let mut seen = without_content.clone();
        seen.field("place", &paths::into_bytes(path));
        let base = key::base(without_content, &source, code.as_ref());
        let seen = seen.finish_key();
        let (call, arguments) = (Arc::clone(call), Arc::new(arguments));
        Ok(Prepared { call, driver, arguments, invocation, toolset, source, base, portable, by_code, seen })
    }

    /// Runs what may take long on a thread that may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        call: &Arc<Call>,
        work: impl FnOnce(&Self, &Arc<Call>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let (core, call) = (Arc::clone(self), Arc::clone(call));
        tokio::task::spawn_blocking(move || work(&core, &call))
            .await
            .unwrap_or_else(|_| Err(bare(Reason::InternalError)))
    }

    /// What stands where the outputs go is replaced on a hit, which must not happen to a device or a link, nor to the
    /// source under whatever name: GCC's drivers refuse that.
    fn outputs_are_files(&self, call: &Call, invocation: &Invocation) -> Result<(), Refusal> {
        let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let source = paths::resolve(&call.cwd, &invocation.source).metadata().ok().map(identity);
        for output in invocation.outputs() {
            let Ok(meta) = paths::resolve(&call.cwd, output).symlink_metadata() else { continue };
            if !meta.is_file() {
                return Err(Refusal { reason: Reason::OutputNotAFile, detail: paths::text(output) });
            }
            if source == Some(identity(meta)) {
                return Err(Refusal { reason: Reason::OptionUncacheable, detail: paths::text(output) });
            }
        }
        Ok(())
    }

    /// Whether the result of `work` is known. What it holds is pinned to `connection`.
    pub(crate) fn find(&self, work: &Work, connection: ConnectionId) -> Result<Found, Refusal> {
        match work {
            Work::Compile(prepared) => {
                let marks = prepared.shared_root().map(|root| root as &dyn Marked);
                let own = Own { cwd: &prepared.call.cwd, marks, holds: &nothing_holds };
                let found = self.find_by_manifest(&prepared.base, own, prepared.by_code, connection)?;
                if matches!(found, Sought::Known(_)) {
                    self.seen.remember(prepared.seen, prepared.source);
                }
                Ok(found.or_else(|| self.never_seen(prepared)))
            }
            Work::Link(linking) => {
                let own = Own { cwd: &linking.call.cwd, marks: None, holds: &nothing_holds };
                let found = self.find_by_manifest(&linking.base, own, false, connection)?;
                Ok(found.or_else(|| self.earlier.never_linked(linking)))
            }
            Work::Rust(work) => {
                let folders = work.folders();
                let holds = |fact: &Fact| work.holds(fact, &self.fingerprints);
                let own = Own { cwd: &work.call.cwd, marks: Some(&folders), holds: &holds };
                let found = self.find_by_manifest(&work.base, own, false, connection)?;
                if matches!(found, Sought::Known(_)) {
                    self.seen.remember(work.seen, work.source);
                }
                Ok(found.or_else(|| self.never_compiled(work)))
            }
            Work::Question(question) => {
                // No compile, whether it is known or not.
                let Some(mut known) = self.fetch(question.base, connection)? else {
                    return Ok(Found::Missing(bare(Reason::NotACompile)));
                };
                known.reason = Reason::Answered;
                Ok(Found::Known(known))
            }
            Work::Archive(filing) => {
                let Some(known) = self.fetch(filing.base, connection)? else {
                    return Ok(Found::Missing(self.archive_missing(filing)));
                };
                self.remember_archive(filing);
                Ok(Found::Known(known))
            }
        }
    }

    /// The result stored under `action`, if it is there with all its blobs.
    fn fetch(&self, action: Key, connection: ConnectionId) -> Result<Option<Box<Known>>, Refusal> {
        let Some(result) = self.store.action(&action).map_err(store_failed)? else { return Ok(None) };
        for output in &result.outputs {
            self.store.pin(connection, &output.digest).map_err(store_failed)?;
            if self.store.blob(&output.digest).map_err(store_failed)?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Box::new(Known { action, result, reason: Reason::DirectHit })))
    }

    /// Whether an input set under `base` still holds and its result is there. What the result holds is pinned to
    /// `connection`.
    fn find_by_manifest(
        &self,
        base: &Key,
        own: Own<'_>,
        by_code: bool,
        connection: ConnectionId,
    ) -> Result<Sought, Refusal> {
        let call = call_in_its_place(base, own);
        let now = self.context.clock.file_time_ns();
        let proven = self.proofs.of(&call).filter(|proven| {
            proven.facts.iter().all(|fact| (own.holds)(fact).is_ok()) && proven.inputs.holds()
        });
        if let Some(proven) = &proven
            && proven.lacks_the_same(now)
            && let Some(known) = self.fetch(proven.action, connection)?
        {
            return Ok(Sought::Known(known));
        }
        let Some(bytes) = self.store.manifest(base).map_err(store_failed)? else { return Ok(Sought::Never) };
        let manifest = match codec::decode(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                tracing::warn!(base = %base.hex(), %error, "a manifest is left aside");
                return Ok(Sought::Missing(bare(Reason::ResultGone)));
            }
        };
        let means = Means { fingerprints: &self.fingerprints, absence: &self.absence, codes: &self.codes };
        let mut validation = Validation::begin(own, means, now);
        // What was there is as it was: only what was not is to be looked for.
        let set = proven.and_then(|proven| {
            let entry = manifest.entries.iter().find(|entry| entry.action == proven.action)?;
            Some((validation.absent(&entry.absent).ok()?, proven))
        });
        if let Some((absences, proven)) = set
            && let Some(known) = self.fetch(proven.action, connection)?
        {
            self.proofs.remember_absences(call, proven, absences);
            return Ok(Sought::Known(known));
        }
        let mut missing = None;
        for entry in &manifest.entries {
            match validation.check(entry, By::Content) {
                // The newest set says best what changed since.
                Err(why) => missing = missing.or(Some(why)),
                Ok(looked) => {
                    let Some(known) = self.fetch(entry.action, connection)? else {
                        return Ok(Sought::Missing(bare(Reason::ResultGone)));
                    };
                    self.proofs.remember(call, entry.action, &entry.facts, looked.inputs, looked.absences);
                    return Ok(Sought::Known(known));
                }
            }
        }
        for entry in manifest.entries.iter().filter(|_| by_code) {
            if validation.check(entry, By::Code).is_ok()
                && let Some(mut known) = self.fetch(entry.action, connection)?
                // What is said of a text quotes it.
                && known.result.stdout.is_empty()
                && known.result.stderr.is_empty()
            {
                known.reason = Reason::PreprocessedHit;
                return Ok(Sought::Known(known));
            }
        }
        Ok(missing.map_or(Sought::Never, Sought::Missing))
    }

    fn never_compiled(&self, work: &Crate) -> Refusal {
        match self.seen.source(&work.seen) {
            Some(then) if then != work.source => {
                Refusal { reason: Reason::InputChanged, detail: paths::text(&work.request.source) }
            }
            _ => Refusal { reason: Reason::FirstSeen, detail: self.earlier.never_compiled(work) },
        }
    }

    fn never_seen(&self, prepared: &Prepared) -> Refusal {
        match self.seen.source(&prepared.seen) {
            Some(then) if then != prepared.source => {
                Refusal { reason: Reason::InputChanged, detail: paths::text(&prepared.invocation.source) }
            }
            _ => Refusal { reason: Reason::FirstSeen, detail: self.earlier.difference(prepared) },
        }
    }
}

/// Everything that decides where the paths under `base` lead.
fn call_in_its_place(base: &Key, own: Own<'_>) -> Key {
    let mut hasher = Hasher::key("call in its place");
    hasher.field("base", &base.0);
    hasher.field("cwd", own.cwd.as_os_str().as_bytes());
    if let Some(marks) = own.marks {
        marks.add_to(&mut hasher);
    }
    hasher.finish_key()
}

fn store_failed(error: larder_store::StoreError) -> Refusal {
    tracing::warn!(%error, "failed to look up an action");
    bare(Reason::StoreFailed)
}

/// Refuses what only the command line itself brings into the text.
fn refuse(invocation: &Invocation) -> Result<(), Refusal> {
    const WORDS: &[(&str, Reason)] = &[
        ("__DATE__", Reason::TimeMacro),
        ("__TIME__", Reason::TimeMacro),
        ("__TIMESTAMP__", Reason::TimeMacro),
        ("__has_include", Reason::IncludeComputed),
        ("__has_embed", Reason::IncludeComputed),
        (".incbin", Reason::AssemblerInput),
        (".include", Reason::AssemblerInput),
        ("no-integrated-as", Reason::OptionUncacheable),
    ];
    for arg in &invocation.key_args {
        // Assemblers take their directives in either case.
        let has =
            |word: &str| arg.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word.as_bytes()));
        if let Some((word, reason)) = WORDS.iter().find(|(word, _)| has(word)) {
            return Err(Refusal { reason: *reason, detail: (*word).to_owned() });
        }
    }
    Ok(())
}
