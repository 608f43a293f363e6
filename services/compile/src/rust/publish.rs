//! Stores what a compile of a crate made, when it is sure what it was made of.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_proto::v1::Publish;
use larder_service::{Digest, Reason};
use larder_store::{OutputBlob, StoreError};

use super::args::{CrateType, Emit};
use super::lineage::{Crates, Looking};
use super::shows::Shows;
use super::{Compiling, Crate, dep_info, facts, linking, list, outputs, refused, surroundings};
use crate::args::Refusal;
use crate::files;
use crate::inputs::{self, about};
use crate::key;
use crate::manifest::{Entry, Fact, Input};
use crate::once::Once;
use crate::paths;
use crate::places::{Asked, Places};
use crate::portable;
use crate::publish::{EXECUTABLE_MODE, MODE, Stored, Written, read_written, tool_failed};
use crate::record::{Draft, bare};
use crate::state::Core;

/// Most files of one kind that one crate may read.
const MAX_INPUTS: usize = 20_000;

/// Most archives in a folder of native libraries that are all held to be inputs.
const FEW_ARCHIVES: usize = 256;

impl Core {
    /// All crates that go into `work`. May run the compiler: for threads that may block.
    fn crates_of(&self, work: &Crate) -> Result<Crates, Refusal> {
        self.rust.lineage.crates(&Looking {
            fingerprints: &self.fingerprints,
            clock: &*self.context.clock,
            call: &work.call,
            rustc: &work.rustc,
            request: &work.request,
        })
    }

    /// Remembers what `work` is made of, for the crates that name it: with a library's declarations written, they may
    /// be compiled while it still is. Tells what holds now and could change unnoticed while the compiler runs.
    pub(crate) async fn before_compile(self: &Arc<Self>, work: &Crate) -> Result<Vec<Fact>, Refusal> {
        let (core, told) = (Arc::clone(self), work.clone());
        let before = tokio::task::spawn_blocking(move || core.tell_and_look(&told)).await;
        before.unwrap_or_else(|_| Err(bare(Reason::InternalError)))
    }

    fn tell_and_look(&self, work: &Crate) -> Result<Vec<Fact>, Refusal> {
        let crates = self.crates_of(work)?;
        let folder = paths::resolve(&work.call.cwd, &work.request.out_dir);
        let is_macro = work.request.crate_types.contains(&CrateType::ProcMacro);
        self.rust.lineage.tell(&folder, &outputs::stem(&work.request), is_macro, &crates);
        let mut before = Vec::new();
        for (name, verbatim) in known_libraries(work) {
            before.push(work.fact(&facts::library_name(&name, verbatim), &self.fingerprints)?);
        }
        if crates.runs_code {
            before.push(work.fact(surroundings::PACKAGE, &self.fingerprints)?);
            before.push(work.fact(surroundings::GENERATED, &self.fingerprints)?);
        }
        Ok(before)
    }

    /// Stores what `publish` tells of, or says why not. Reads many files: for threads that may block.
    pub(crate) fn publish_crate(&self, plan: &Compiling, publish: Publish) -> Result<Stored, Refusal> {
        let refused = refused::is_for_features(&publish);
        let started = if refused { self.makes_sense(&publish)? } else { self.may_be_stored(&publish)? };
        let work = &plan.work;
        let request = &work.request;
        let expected = outputs::expected(request);
        let list_name = outputs::dep_info_name(request);
        let mut names = if refused {
            only_list(plan, &expected, &list_name, started).ok_or_else(|| tool_failed(&publish))?
        } else {
            expected.clone()
        };
        names.extend(linking::split_debug(work).into_iter().filter(|name| {
            let path = work.outputs.place(name).map(|place| paths::resolve(&work.call.cwd, &place));
            path.is_some_and(|path| Written::at(&path, name.as_bytes(), started).is_ok())
        }));
        let list_place = work.outputs.place(&list_name).ok_or_else(|| bare(Reason::InternalError))?;
        let list = read_written(&paths::resolve(&work.call.cwd, &list_place), &list_place, started)?;
        let info = dep_info::read(&list).map_err(|error| {
            tracing::debug!(%error, "a list of sources is not understood");
            about(Reason::DependenciesUnreadable, &list_place)
        })?;
        let same = self.prepare_crate(&work.call, &mut Draft::default())?;
        if same.base != work.base || *same.arguments != *work.arguments {
            return Err(about(Reason::InputsChangedMeanwhile, &request.source));
        }
        for fact in plan.before.as_ref().map_err(Refusal::clone)? {
            // Also what was taken away since, and may have been read.
            if work.holds(fact, &self.fingerprints).is_err() {
                return Err(about(Reason::InputsChangedMeanwhile, facts::text(fact)));
            }
        }
        let crates = self.crates_of(work)?;
        let mut entry = self.crate_entry(plan, &info, &crates, started)?;

        let failed = |error: StoreError| {
            tracing::warn!(%error, "failed to store a crate");
            bare(Reason::StoreFailed)
        };
        let notes = work
            .outputs
            .taken_out_of_notes(&publish.stderr, &names)
            .ok_or_else(|| bare(Reason::StreamsMixed))?;
        let stored_list = work
            .outputs
            .taken_out_of_list(&list, if refused { &expected } else { &names })
            // A longer one would not travel in a reply.
            .filter(|list| list.len() as u64 <= portable::list::MAX_BYTES)
            .ok_or_else(|| about(Reason::DependenciesUnreadable, &list_place))?;
        let mut shows = Shows::new(work, crates.runs_code);
        shows.look(&notes);
        shows.look(&publish.stdout);
        shows.look(&stored_list);
        let mut stored = Vec::with_capacity(names.len());
        for name in &names {
            let place = work.outputs.place(name).ok_or_else(|| bare(Reason::InternalError))?;
            let path = paths::resolve(&work.call.cwd, &place);
            let written = Written::at(&path, &place, started)?;
            let digest = if *name == list_name {
                self.store.put_bytes(&stored_list).map_err(failed)?
            } else {
                shows.look_at(&path);
                self.store.put_file(&path).map_err(failed)?
            };
            if Written::at(&path, &place, started)? != written {
                return Err(about(Reason::InputsChangedMeanwhile, &place));
            }
            let mode = if outputs::is_executable(name, request) { EXECUTABLE_MODE } else { MODE };
            stored.push(OutputBlob { name: name.clone(), digest, mode });
        }
        for name in shows.found() {
            entry.facts.push(work.fact(&name, &self.fingerprints)?);
        }
        if !outputs::only_notes(&notes) || !publish.stdout.is_empty() {
            entry.facts.push(work.fact(facts::SHOWN, &self.fingerprints)?);
        }
        entry.action = key::action(&work.base, &entry);
        if !refused {
            let about_it = self.store.put_bytes(&list::described(work)).map_err(failed)?;
            stored.push(OutputBlob { name: list::NAME.to_owned(), digest: about_it, mode: 0 });
        }
        let stored = self.store_result(Publish { stderr: notes, ..publish }, &work.base, entry, stored)?;
        self.seen.remember(work.seen, work.source);
        Ok(stored)
    }

    /// The input set, its action key still open.
    fn crate_entry(
        &self,
        plan: &Compiling,
        info: &dep_info::DepInfo,
        crates: &Crates,
        started: u64,
    ) -> Result<Entry, Refusal> {
        let work = &plan.work;
        let cwd = work.call.cwd.as_path();
        let changed = |path: &[u8]| about(Reason::InputsChangedMeanwhile, path);
        for path in &crates.files {
            if files::young(&files::fingerprint(&self.fingerprints, path)?.stamp, started) {
                return Err(changed(&paths::into_bytes(path.clone())));
            }
        }
        let mut entry = match &plan.lists {
            Some(lists) => self.linked_entry(work, lists, crates, started)?,
            None => Entry {
                inputs: Vec::new(),
                present: Vec::new(),
                facts: Vec::new(),
                absent: Default::default(),
                action: work.base,
            },
        };
        let mut asks = Libraries::default();
        let mut asked = Asked::default();
        let sources = self.sources(work, info, started, &mut asks)?;
        for source in &sources {
            if let Some((folder, name)) = twin(&source.path) {
                asked.add_local(&folder, &name, false);
            }
        }
        if work.rustc.lints {
            self.add_lint_settings(work, &mut entry, &mut asked, started)?;
        }
        let inputs: Vec<PathBuf> = sources.iter().map(|source| paths::resolve(cwd, &source.path)).collect();
        let places = Places {
            cwd,
            fingerprints: &self.fingerprints,
            absence: &self.absence,
            folders: &[],
            inputs: inputs.iter().map(PathBuf::as_path).collect(),
            once: Once::default(),
            output_folders: &[],
            started,
        };
        let (_, absent) = places.look(asked)?;
        entry.absent.add(absent);
        entry.inputs.extend(sources);
        self.add_facts(work, info, crates, asks, started, &mut entry)?;
        let folders = work.folders();
        let paths = entry.inputs.iter_mut().map(|input| &mut input.path);
        let paths = paths.chain(entry.present.iter_mut().map(|present| &mut present.path));
        for path in paths.chain(entry.absent.groups.iter_mut().map(|group| &mut group.folder)) {
            *path = folders.taken_out(path);
        }
        Ok(entry)
    }

    /// What the compiler read as source, the root among it.
    fn sources(
        &self,
        work: &Crate,
        info: &dep_info::DepInfo,
        started: u64,
        asks: &mut Libraries,
    ) -> Result<Vec<Input>, Refusal> {
        let cwd = work.call.cwd.as_path();
        if info.sources.len() > MAX_INPUTS {
            return Err(about(Reason::DependenciesUnreadable, &work.request.source));
        }
        let root = paths::resolve(cwd, &work.request.source);
        let reader = inputs::Reader { cwd, fingerprints: &self.fingerprints, texts: &self.texts, started };
        let mut checked = HashSet::new();
        let mut sources = Vec::with_capacity(info.sources.len());
        // Clippy lists its settings before it.
        let mut has_root = false;
        for spelled in &info.sources {
            let changed = || about(Reason::InputsChangedMeanwhile, spelled);
            let path = paths::resolve(cwd, spelled);
            if path.symlink_metadata().is_err() {
                return Err(changed());
            }
            let (fingerprint, text) = self.rust.texts.read(&self.fingerprints, &path)?;
            if files::young(&fingerprint.stamp, started) || reader.moved(&path, &mut checked) {
                return Err(changed());
            }
            if path == root {
                if fingerprint.digest != work.source {
                    return Err(changed());
                }
                has_root = true;
            }
            asks.add(&text);
            sources.push(Input { path: spelled.clone(), digest: fingerprint.digest, code: None });
        }
        if !has_root {
            return Err(about(Reason::DependenciesUnreadable, &work.request.source));
        }
        Ok(sources)
    }

    /// Adds what else the result rests on: variables, the crates behind those that are named, native libraries, and what
    /// procedural macros can see.
    fn add_facts(
        &self,
        work: &Crate,
        info: &dep_info::DepInfo,
        crates: &Crates,
        asks: Libraries,
        started: u64,
        entry: &mut Entry,
    ) -> Result<(), Refusal> {
        for (name, value) in &info.variables {
            let fact = work.fact(name, &self.fingerprints)?;
            if fact.digest != value.as_deref().map(Digest::of) {
                return Err(about(Reason::InputsChangedMeanwhile, name));
            }
            entry.facts.push(fact);
        }
        entry.facts.extend(crates.behind.iter().map(|(stem, digest)| facts::of_crate(stem, *digest)));
        for name in asks.crates.difference(&crates.named) {
            // Many stand under a condition that does not hold; else they come with the compiler.
            if work.finds_crate(name) {
                return Err(about(Reason::ExternUnknown, name));
            }
            if work.searches_crates() {
                entry.facts.push(work.fact(&facts::searched_name(name), &self.fingerprints)?);
            }
        }
        if work.request.emit.contains_key(&Emit::Link) {
            self.add_libraries(work, asks, started, entry)?;
        }
        if crates.runs_code {
            entry.facts.extend(surroundings::facts(&work.call, work.tree.as_ref(), &self.fingerprints)?);
        }
        Ok(())
    }

    /// Adds the static libraries that go into the result.
    fn add_libraries(
        &self,
        work: &Crate,
        asks: Libraries,
        started: u64,
        entry: &mut Entry,
    ) -> Result<(), Refusal> {
        let folders = work.native_folders();
        if folders.spelled().is_empty() {
            return Ok(());
        }
        if asks.computed {
            return Err(about(Reason::NativeLibraryUnknown, &work.request.source));
        }
        let mut names: HashSet<(Vec<u8>, bool)> = known_libraries(work);
        // Whether the attribute says that the name is the file's own is not looked into.
        names.extend(asks.libraries.into_iter().flat_map(|name| [(name.clone(), false), (name, true)]));
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort();
        for (name, verbatim) in names {
            if let Some(path) = work.library_file(&name, verbatim, &self.fingerprints)?
                && files::young(&files::fingerprint(&self.fingerprints, &path)?.stamp, started)
            {
                return Err(about(Reason::InputsChangedMeanwhile, &paths::into_bytes(path)));
            }
            entry.facts.push(work.fact(&facts::library_name(&name, verbatim), &self.fingerprints)?);
        }
        Ok(())
    }

    /// Adds the files that Clippy's driver looks for by itself.
    fn add_lint_settings(
        &self,
        work: &Crate,
        entry: &mut Entry,
        asked: &mut Asked,
        started: u64,
    ) -> Result<(), Refusal> {
        const NAMES: [&str; 4] = [".clippy.toml", "clippy.toml", "Cargo.toml", "Cargo.lock"];
        let variable = |name| work.call.whole_env.get(name).filter(|value| !value.is_empty());
        let start = variable("CLIPPY_CONF_DIR").or_else(|| variable("CARGO_MANIFEST_DIR"));
        let start =
            start.map_or_else(|| work.call.cwd.clone(), |folder| paths::resolve(&work.call.cwd, folder));
        for folder in start.ancestors() {
            for name in NAMES {
                let path = folder.join(name);
                let spelled = paths::into_bytes(path.clone());
                if path.is_file() {
                    let fingerprint = files::fingerprint(&self.fingerprints, &path)?;
                    if files::young(&fingerprint.stamp, started) {
                        return Err(about(Reason::InputsChangedMeanwhile, &spelled));
                    }
                    entry.inputs.push(Input { path: spelled, digest: fingerprint.digest, code: None });
                } else {
                    asked.add_local(&paths::into_bytes(folder.to_owned()), name.as_bytes(), false);
                }
            }
        }
        Ok(())
    }
}

/// The outputs of a compile that was refused a feature, of the `expected`; `None` where that is more or less than its list of
/// sources.
fn only_list(plan: &Compiling, expected: &[String], list_name: &str, started: u64) -> Option<Vec<String>> {
    let written = |name: &&String| {
        let place = plan.work.outputs.place(name);
        place.is_some_and(|place| {
            Written::at(&paths::resolve(&plan.work.call.cwd, &place), &place, started).is_ok()
        })
    };
    let names: Vec<String> = expected.iter().filter(written).cloned().collect();
    (plan.lists.is_none() && names == [list_name]).then_some(names)
}

/// What all sources of a crate ask for.
#[derive(Default)]
struct Libraries {
    libraries: HashSet<Vec<u8>>,
    crates: HashSet<Vec<u8>>,
    computed: bool,
}

impl Libraries {
    fn add(&mut self, text: &super::text::Asks) {
        self.libraries.extend(text.libraries.iter().cloned());
        self.crates.extend(text.crates.iter().cloned());
        self.computed |= text.computed_library;
    }
}

/// Static libraries that are known before the sources are: those that options name, and all in folders that have few.
/// What a macro of another crate asks for is among the latter. Each with whether its name is the file's own.
fn known_libraries(work: &Crate) -> HashSet<(Vec<u8>, bool)> {
    if !work.request.emit.contains_key(&Emit::Link) {
        return HashSet::new();
    }
    let mut names: HashSet<_> = work.request.static_libraries.iter().cloned().collect();
    for folder in work.native_folders().spelled() {
        let archives = archives(&paths::resolve(&work.call.cwd, folder));
        if archives.len() <= FEW_ARCHIVES {
            names.extend(archives.into_iter().map(|name| (name, true)));
        }
    }
    names
}

/// Names of the archives in `folder`.
fn archives(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| paths::into_bytes(entry.file_name().into()));
    names.filter(|name| name.ends_with(b".a") || name.ends_with(b".lib")).collect()
}

/// Where the module in the file `spelled` could stand as well, which is an error when both are there: `a/mod.rs` for
/// `a.rs`, and the other way round. Folder and name.
fn twin(spelled: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (folder, name) = paths::split(spelled);
    if name == b"mod.rs" {
        let (above, module) = paths::split(folder);
        return (!module.is_empty()).then(|| (above.to_vec(), [module, b".rs"].concat()));
    }
    let module = name.strip_suffix(b".rs")?;
    Some((paths::join(folder, module), b"mod.rs".to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_could_stand_in_another_file() {
        let pair = |folder: &str, name: &str| Some((folder.as_bytes().to_vec(), name.as_bytes().to_vec()));
        assert_eq!(twin(b"src/a.rs"), pair("src/a", "mod.rs"));
        assert_eq!(twin(b"src/a/mod.rs"), pair("src", "a.rs"));
        assert_eq!(twin(b"/x/a/mod.rs"), pair("/x", "a.rs"));
        assert_eq!(twin(b"data.bin"), None);
    }
}
