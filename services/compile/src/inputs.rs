//! The files that a tool read: from its own list to fingerprints that were true while it ran.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_fingerprint::Fingerprints;
use larder_service::{Digest, Reason};

use crate::args::Refusal;
use crate::directives::{self, Directives};
use crate::files;
use crate::manifest::Input;
use crate::paths;
use crate::texts::Texts;

/// Most files that one action may read.
const MAX_INPUTS: usize = 20_000;

/// One file that was read.
#[derive(Clone, Debug)]
pub(crate) struct ReadFile {
    pub(crate) input: Input,
    /// Where it lies.
    pub(crate) path: PathBuf,
    pub(crate) asks: Arc<Directives>,
}

/// How the listed files are looked at.
pub(crate) struct Reader<'a> {
    pub(crate) cwd: &'a Path,
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) texts: &'a Texts<Directives>,
    /// Clock of files just before the tool was started.
    pub(crate) started: u64,
}

impl Reader<'_> {
    /// Fingerprints what the tool listed; the first is the source, which must hold `content`.
    ///
    /// A file whose times are before the tool's start still holds what the tool read: writing, moving and linking all
    /// set the change time, and nobody but the clock's owner can set it back.
    pub(crate) fn read(
        &self,
        listed: Vec<Vec<u8>>,
        source: &[u8],
        content: &Digest,
    ) -> Result<Vec<ReadFile>, Refusal> {
        if listed.len() > MAX_INPUTS {
            return Err(about(Reason::DependenciesUnreadable, source));
        }
        if listed.first().is_none_or(|first| without_dot(first) != without_dot(source)) {
            return Err(about(Reason::DependenciesUnreadable, source));
        }
        let mut files = Vec::with_capacity(listed.len());
        let mut checked = HashSet::new();
        for spelled in listed {
            if spelled.ends_with(b".gch") || spelled.ends_with(b".pch") {
                return Err(about(Reason::PrecompiledHeader, &spelled));
            }
            let path = paths::resolve(self.cwd, &spelled);
            let changed = || about(Reason::InputsChangedMeanwhile, &spelled);
            // Gone since: what it was is not known.
            if path.symlink_metadata().is_err() {
                return Err(changed());
            }
            let (fingerprint, asks) = self.texts.read(self.fingerprints, &path)?;
            if files::young(&fingerprint.stamp, self.started) || self.moved(&path, &mut checked) {
                return Err(changed());
            }
            if files.is_empty() && fingerprint.digest != *content {
                return Err(changed());
            }
            refuse(&asks, &spelled)?;
            let input = Input { path: spelled, digest: fingerprint.digest, code: None };
            files.push(ReadFile { input, path, asks });
        }
        if files.iter().any(|file| file.asks.wraps_words)
            && let Some(file) = files.iter().find(|file| file.asks.middle_of_time)
        {
            return Err(about(Reason::TimeMacro, &file.input.path));
        }
        self.follow_other_names(&mut files)?;
        Ok(files)
    }

    /// Adds what `files` test for by other names of `__has_include`, which any of them may define for all.
    fn follow_other_names(&self, files: &mut [ReadFile]) -> Result<(), Refusal> {
        let names: Vec<Vec<u8>> =
            files.iter().flat_map(|file| file.asks.test_names.iter().cloned()).collect();
        if names.is_empty() {
            return Ok(());
        }
        for file in files {
            let changed = || about(Reason::InputsChangedMeanwhile, &file.input.path);
            let scan = |text: &[u8]| directives::scan_for(&names, text);
            let (fingerprint, found) = self.fingerprints.content(&file.path, scan).map_err(|_| changed())?;
            if fingerprint.digest != file.input.digest {
                return Err(changed());
            }
            refuse(&found, &file.input.path)?;
            if found != Directives::default() {
                let mut asks = Directives::clone(&file.asks);
                asks.tested_quoted.extend(found.tested_quoted);
                asks.tested_bracketed.extend(found.tested_bracketed);
                file.asks = Arc::new(asks);
            }
        }
        Ok(())
    }

    /// A link or folder on the way to `path` was put there after the tool was started.
    ///
    /// A change of what a folder lists sets both its times; moving or replacing it sets the change time alone.
    pub(crate) fn moved(&self, path: &Path, checked: &mut HashSet<PathBuf>) -> bool {
        let linked = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink() && self.is_young(&meta));
        let folder = path.parent().unwrap_or(Path::new("/"));
        if linked || checked.contains(folder) {
            return linked;
        }
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        for step in folder.ancestors().chain(real.ancestors()) {
            if !checked.insert(step.to_owned()) {
                continue;
            }
            let Ok(meta) = step.symlink_metadata() else { return true };
            let replaced = (meta.mtime(), meta.mtime_nsec()) != (meta.ctime(), meta.ctime_nsec());
            if self.is_young(&meta) && (meta.is_symlink() || replaced) {
                return true;
            }
        }
        false
    }

    fn is_young(&self, meta: &std::fs::Metadata) -> bool {
        let ctime = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        ctime >= i128::from(self.started)
    }
}

fn refuse(asks: &Directives, spelled: &[u8]) -> Result<(), Refusal> {
    let reasons = [
        (asks.time_macro, Reason::TimeMacro),
        (asks.assembler_input, Reason::AssemblerInput),
        (asks.computed_test, Reason::IncludeComputed),
    ];
    match reasons.iter().find(|(found, _)| *found) {
        Some((_, reason)) => Err(about(*reason, spelled)),
        None => Ok(()),
    }
}

/// Clang leaves a leading "./" out.
pub(crate) fn without_dot(mut spelled: &[u8]) -> &[u8] {
    while let Some(rest) = spelled.strip_prefix(b"./") {
        spelled = rest;
    }
    spelled
}

pub(crate) fn about(reason: Reason, path: &[u8]) -> Refusal {
    Refusal { reason, detail: paths::text(path) }
}
