//! Publishes what the tool made: checks that the inputs are still what it read, then stores.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use larder_proto::v1::Publish;
use larder_service::{Digest, Key, Reason};
use larder_store::{ActionResult, OutputBlob, StoreError};

use crate::args::Refusal;
use crate::arguments::Arguments;
use crate::depfile;
use crate::headers;
use crate::hit::{DEPFILE, OBJECT};
use crate::identity::Tool;
use crate::inputs::{self, ReadFile};
use crate::key;
use crate::lines;
use crate::manifest::{Entry, Input, Manifest, codec};
use crate::once::Once;
use crate::paths;
use crate::places::Places;
use crate::portable;
use crate::record::bare;
use crate::state::{Compiling, Core, OWNER, Plan, Planned};

/// Most bytes of one stream that are kept.
const MAX_STREAM: usize = 1024 * 1024;

/// Largest dependency file.
const MAX_LIST: u64 = 8 * 1024 * 1024;

/// Mode bits of everything a compiler or archiver writes, before the umask.
pub(crate) const MODE: u32 = 0o666;

/// Mode bits of what can be executed, before the umask.
pub(crate) const EXECUTABLE_MODE: u32 = 0o777;

/// What was stored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored {
    pub(crate) action: Key,
    /// Size of all outputs.
    pub(crate) bytes: u64,
}

impl Core {
    /// Stores what `publish` tells of, or says why not. Reads many files: for threads that may block.
    pub(crate) fn publish(&self, plan: &Plan, publish: Publish) -> Result<Stored, Refusal> {
        match &plan.work {
            Planned::Compile(compiling) => self.publish_compile(compiling, publish),
            Planned::Archive(filing) => self.publish_archive(filing, &publish),
            Planned::Link(joining) => self.publish_link(joining, publish),
            Planned::Rust(compiling) => self.publish_crate(compiling, publish),
            Planned::Question(question) => self.publish_answer(question, publish),
        }
    }

    /// Refuses failures, and what makes no sense. Tells when the tool was started, by the clock of files.
    pub(crate) fn may_be_stored(&self, publish: &Publish) -> Result<u64, Refusal> {
        if publish.exit_code != 0 {
            return Err(tool_failed(publish));
        }
        self.makes_sense(publish)
    }

    /// Refuses what makes no sense. Tells when the tool was started, by the clock of files.
    pub(crate) fn makes_sense(&self, publish: &Publish) -> Result<u64, Refusal> {
        if !publish.stdout.is_empty() && !publish.stderr.is_empty() {
            return Err(bare(Reason::StreamsMixed));
        }
        if publish.stdout.len().max(publish.stderr.len()) > MAX_STREAM {
            return Err(bare(Reason::StreamsTooLarge));
        }
        let started = publish.started_unix_ns;
        if started == 0 || started > self.context.clock.file_time_ns() {
            return Err(bare(Reason::RequestMalformed));
        }
        Ok(started)
    }

    fn publish_compile(&self, plan: &Compiling, publish: Publish) -> Result<Stored, Refusal> {
        let started = self.may_be_stored(&publish)?;
        let invocation = &plan.prepared.invocation;
        let cwd = plan.prepared.call.cwd.as_path();
        let depfile = match &invocation.depfile {
            Some(depfile) => Some(read_written(&paths::resolve(cwd, &depfile.path), &depfile.path, started)?),
            None => None,
        };
        let listed = self.listed(plan, depfile.as_deref(), started)?;
        self.same_compiler(plan)?;
        if Arguments::of(&plan.prepared.call)? != *plan.prepared.arguments {
            return Err(bare(Reason::InputsChangedMeanwhile));
        }
        let (mut entry, files) = self.entry(plan, listed, started)?;
        let root = plan.prepared.shared_root();
        if let Some(root) = root {
            root.refuse_traces_in(&plan.prepared, &files, &self.fingerprints)?;
            root.refuse_named_in(&publish)?;
            root.take_out_of(&mut entry)?;
        }
        entry.action = key::action(&plan.prepared.base, &entry);

        let failed = |error: StoreError| {
            tracing::warn!(%error, "failed to store an action");
            bare(Reason::StoreFailed)
        };
        let mut outputs = Vec::with_capacity(2 + invocation.side.len());
        let mut output = |name: &str, digest: Digest| {
            outputs.push(OutputBlob { name: name.to_owned(), digest, mode: MODE });
        };
        let written_files = std::iter::once((OBJECT, &invocation.object))
            .chain(invocation.side.iter().map(|side| (side.suffix, &side.path)));
        for (name, spelled) in written_files {
            let path = paths::resolve(cwd, spelled);
            let written = Written::at(&path, spelled, started)?;
            if let Some(root) = root {
                root.refuse_named_at(&path, spelled)?;
            }
            output(name, self.store.put_file(&path).map_err(failed)?);
            if Written::at(&path, spelled, started)? != written {
                return Err(inputs::about(Reason::InputsChangedMeanwhile, spelled));
            }
        }
        if let (Some(content), Some(list)) = (depfile, &invocation.depfile) {
            let content = match root {
                None => content,
                Some(root) => portable::list::taken_out(plan.prepared.driver.dialect.family, root, &content)
                    .ok_or_else(|| inputs::about(Reason::NamesTheRoot, &list.path))?,
            };
            output(DEPFILE, self.store.put_bytes(&content).map_err(failed)?);
        }
        let stored = self.store_result(publish, &plan.prepared.base, entry, outputs)?;
        self.seen.remember(plan.prepared.seen, files[0].input.digest);
        Ok(stored)
    }

    /// Stores `outputs` and what the tool said under the action of `entry`, unless another tool wrote to the same places.
    pub(crate) fn store_result(
        &self,
        publish: Publish,
        base: &Key,
        entry: Entry,
        outputs: Vec<OutputBlob>,
    ) -> Result<Stored, Refusal> {
        self.writers.refuse_disturbed(publish.lease)?;
        let bytes = outputs.iter().map(|output| output.digest.size).sum();
        let result = ActionResult {
            outputs,
            stdout: publish.stdout,
            stderr: publish.stderr,
            exit_code: publish.exit_code,
            tool_us: publish.tool_us,
            created_unix_ms: self.context.clock.unix_ms(),
        };
        let action = entry.action;
        self.put_entry(base, entry, &action, &result)?;
        if let Err(error) = self.store.evict_if_needed() {
            tracing::warn!(%error, "failed to make room in the store");
        }
        Ok(Stored { action, bytes })
    }

    /// The files that the tool read, by its own list.
    fn listed(
        &self,
        plan: &Compiling,
        depfile: Option<&[u8]>,
        started: u64,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let unreadable = || inputs::about(Reason::DependenciesUnreadable, &plan.prepared.invocation.source);
        if !plan.prepared.invocation.language.is_preprocessed() {
            return Ok(vec![plan.prepared.invocation.source.clone()]);
        }
        let own;
        let list = if plan.list_is_ours {
            own = read_written(&plan.list, &plan.prepared.invocation.source, started)
                .map_err(|_| unreadable())?;
            own.as_slice()
        } else {
            depfile.ok_or_else(unreadable)?
        };
        depfile::prerequisites(list).map_err(|error| {
            tracing::debug!(%error, "a dependency list is not understood");
            unreadable()
        })
    }

    /// The compiler that ran is the one that the key names.
    fn same_compiler(&self, plan: &Compiling) -> Result<(), Refusal> {
        let prepared = &plan.prepared;
        if let Tool::Compiler(driver) = &*self.compilers.tool(&prepared.call)? {
            let toolset = self.compilers.toolset(driver, &prepared.call, &prepared.invocation)?;
            if driver.key == prepared.driver.key && toolset.key == prepared.toolset.key {
                return Ok(());
            }
        }
        Err(Refusal { reason: Reason::InputsChangedMeanwhile, detail: paths::path_text(&prepared.call.tool) })
    }

    /// The input set, its action key still open.
    fn entry(
        &self,
        plan: &Compiling,
        listed: Vec<Vec<u8>>,
        started: u64,
    ) -> Result<(Entry, Vec<ReadFile>), Refusal> {
        let prepared = &plan.prepared;
        let invocation = &prepared.invocation;
        let cwd = prepared.call.cwd.as_path();
        let reader = inputs::Reader { cwd, fingerprints: &self.fingerprints, texts: &self.texts, started };
        let files = reader.read(listed, &invocation.source, &prepared.source)?;
        let output_folders: Vec<PathBuf> =
            invocation.outputs().map(|output| paths::resolve(cwd, paths::split(output).0)).collect();
        let mut known = HashSet::new();
        let folders: Vec<&[u8]> = invocation
            .search
            .folders
            .iter()
            .chain(&prepared.toolset.folders)
            .map(Vec::as_slice)
            .filter(|folder| known.insert(*folder))
            .collect();
        let family = prepared.driver.dialect.family;
        let mut asked = headers::asked(family, invocation, &files, &folders)?;
        let named = lines::named(&reader, family, invocation, &files, &mut asked)?;
        let once = Once::of(&files, &self.fingerprints)?;
        if let Some(twin) = once.twin() {
            return Err(inputs::about(Reason::IncludedOnce, &twin.input.path));
        }
        let places = Places {
            cwd,
            fingerprints: &self.fingerprints,
            absence: &self.absence,
            folders: &folders,
            inputs: files.iter().map(|file| file.path.as_path()).collect(),
            once,
            output_folders: &output_folders,
            started,
        };
        let (found, absent) = places.look(asked)?;
        let mut inputs: Vec<Input> = files.iter().map(|file| file.input.clone()).collect();
        if prepared.by_code {
            self.add_codes(&files, &mut inputs);
        }
        inputs.extend(named);
        for (path, real) in found.other_names {
            let known = files.iter().position(|file| file.path == real).map(|place| inputs[place].clone());
            inputs.extend(known.map(|input| Input { path, ..input }));
        }
        let entry =
            Entry { inputs, present: found.present, facts: Vec::new(), absent, action: prepared.base };
        Ok((entry, files))
    }

    /// Adds to `inputs` what of each text matters. It may have changed since it was read: then nothing is added.
    fn add_codes(&self, files: &[ReadFile], inputs: &mut [Input]) {
        let mut codes = Vec::with_capacity(files.len());
        for file in files {
            let Ok((fingerprint, code)) = self.codes.read(&self.fingerprints, &file.path) else { return };
            if code.embeds || fingerprint.digest != file.input.digest {
                return;
            }
            codes.push(code.digest);
        }
        // Of files to be read once, two that become the same text are read as one.
        let imported = files.iter().any(|file| file.asks.imports);
        let mut once: HashMap<Digest, usize> = HashMap::new();
        for (_, code) in files.iter().zip(&codes).filter(|(file, _)| imported || file.asks.once) {
            if let Some(code) = code {
                *once.entry(*code).or_default() += 1;
            }
        }
        for (input, code) in inputs.iter_mut().zip(codes) {
            input.code = code.filter(|code| once.get(code).is_none_or(|count| *count == 1));
        }
    }

    /// Stores the action, then the manifest that leads to it.
    fn put_entry(
        &self,
        base: &Key,
        entry: Entry,
        action: &Key,
        result: &ActionResult,
    ) -> Result<(), Refusal> {
        let failed = |error: StoreError| {
            tracing::warn!(%error, "failed to store an action");
            bare(Reason::StoreFailed)
        };
        let _one_at_a_time = self.manifests.lock().unwrap_or_else(PoisonError::into_inner);
        // One that cannot be read is worth no more than none.
        let mut manifest = match self.store.manifest(base).map_err(failed)? {
            Some(bytes) => codec::decode(&bytes).unwrap_or_default(),
            None => Manifest::default(),
        };
        manifest.put(entry);
        let bytes = codec::encode(&manifest).ok_or_else(|| {
            inputs::about(Reason::IncludeComputed, b"too many names in too many folders, or too long")
        })?;
        self.store.put_action(OWNER, action, result).map_err(failed)?;
        self.store.put_manifest(OWNER, base, &bytes).map_err(failed)
    }
}

/// An output as the tool left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    size: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Written {
    /// The ordinary file at `path`, spelled `spelled`, written since `started`.
    pub(crate) fn at(path: &Path, spelled: &[u8], started: u64) -> Result<Self, Refusal> {
        let meta = path.symlink_metadata().map_err(|_| inputs::about(Reason::OutputMissing, spelled))?;
        if !meta.is_file() {
            return Err(inputs::about(Reason::OutputNotAFile, spelled));
        }
        let modified = i128::from(meta.mtime()) * 1_000_000_000 + i128::from(meta.mtime_nsec());
        if modified < i128::from(started) {
            return Err(inputs::about(Reason::OutputMissing, spelled));
        }
        Ok(Self { size: meta.size(), inode: meta.ino(), changed: (meta.ctime(), meta.ctime_nsec()) })
    }
}

/// The tool failed, and that is no result.
pub(crate) fn tool_failed(publish: &Publish) -> Refusal {
    Refusal { reason: Reason::ToolFailed, detail: publish.exit_code.to_string() }
}

pub(crate) fn read_written(path: &Path, spelled: &[u8], started: u64) -> Result<Vec<u8>, Refusal> {
    let missing = || inputs::about(Reason::OutputMissing, spelled);
    if Written::at(path, spelled, started)?.size > MAX_LIST {
        return Err(inputs::about(Reason::DependenciesUnreadable, spelled));
    }
    let mut content = Vec::new();
    let file = std::fs::File::open(path).map_err(|_| missing())?;
    file.take(MAX_LIST + 1).read_to_end(&mut content).map_err(|_| missing())?;
    Ok(content)
}
