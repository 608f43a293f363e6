//! Stores what a link made, when it is sure what it was made of.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_proto::v1::Publish;
use larder_service::Reason;
use larder_store::{OutputBlob, StoreError};

use super::{Joining, LINKED, Study};
use crate::args::Refusal;
use crate::arguments::Arguments;
use crate::depfile;
use crate::files;
use crate::hit::DEPFILE;
use crate::inputs::{self, about, without_dot};
use crate::key;
use crate::manifest::{Entry, Input};
use crate::once::Once;
use crate::paths;
use crate::places::{Asked, Places};
use crate::publish::{EXECUTABLE_MODE, MODE, Stored, Written, read_written};
use crate::record::bare;
use crate::state::Core;

/// Most files of one link.
const MAX_FILES: usize = 20_000;

/// What linkers say when a library of the right name is of no use to them; they do not list it then.
const PASSED_BY: &[u8] = b"skipping incompatible";

/// One file that the linker read.
pub(crate) struct Part {
    pub(crate) input: Input,
    pub(crate) path: PathBuf,
    study: Arc<Study>,
}

impl Core {
    /// Stores what `publish` tells of, or says why not. Reads many files: for threads that may block.
    pub(crate) fn publish_link(&self, joining: &Joining, publish: Publish) -> Result<Stored, Refusal> {
        let started = self.may_be_stored(&publish)?;
        let said = |stream: &[u8]| memchr::memmem::find(stream, PASSED_BY).is_some();
        if said(&publish.stdout) || said(&publish.stderr) {
            return Err(bare(Reason::LibraryPassedBy));
        }
        let (linking, request) = (&joining.linking, &joining.linking.request);
        let cwd = linking.call.cwd.as_path();
        let output = paths::resolve(cwd, &request.output);
        let written = Written::at(&output, &request.output, started)?;
        let unreadable = || about(Reason::DependenciesUnreadable, &request.output);
        let list = read_written(&joining.list, &request.output, started).map_err(|_| unreadable())?;
        let listed = depfile::prerequisites(&list).map_err(|_| unreadable())?;
        self.same_linker(joining)?;
        let parts = self.parts(joining, listed, started)?;
        let mut entry = self.link_entry(joining, &parts, &output, started)?;
        entry.action = key::action(&linking.base, &entry);

        let failed = |error: StoreError| {
            tracing::warn!(%error, "failed to store a link");
            bare(Reason::StoreFailed)
        };
        let digest = self.store.put_file(&output).map_err(failed)?;
        let mode = output.metadata().map_or(0, |meta| meta.permissions().mode());
        if Written::at(&output, &request.output, started)? != written {
            return Err(about(Reason::InputsChangedMeanwhile, &request.output));
        }
        let mode = if mode & 0o100 == 0 { MODE } else { EXECUTABLE_MODE };
        let mut outputs = vec![OutputBlob { name: LINKED.to_owned(), digest, mode }];
        if request.list.is_some() {
            let digest = self.store.put_bytes(&list).map_err(failed)?;
            outputs.push(OutputBlob { name: DEPFILE.to_owned(), digest, mode: MODE });
        }
        self.store_result(publish, &linking.base, entry, outputs)
    }

    /// The tools that ran, and what they were told, are what the key names.
    fn same_linker(&self, joining: &Joining) -> Result<(), Refusal> {
        let linking = &joining.linking;
        let call = &linking.call;
        let tool = self.compilers.tool(call)?;
        let linker = self.compilers.linker(&tool, call, &linking.request.ask)?;
        if tool.key() != linking.tool.key() || linker.key != linking.linker.key {
            let detail = paths::path_text(&call.tool);
            return Err(Refusal { reason: Reason::InputsChangedMeanwhile, detail });
        }
        if Arguments::of(call)? != *linking.arguments {
            return Err(bare(Reason::InputsChangedMeanwhile));
        }
        Ok(())
    }

    /// All files that the linker read, each once.
    pub(crate) fn parts(
        &self,
        joining: &Joining,
        listed: Vec<Vec<u8>>,
        started: u64,
    ) -> Result<Vec<Part>, Refusal> {
        let linking = &joining.linking;
        let cwd = linking.call.cwd.as_path();
        // A linker need not list what was named to it and of no use.
        let named = linking.request.files.iter().cloned();
        let here = |script: &&Vec<u8>| paths::resolve(cwd, script).is_file();
        let scripts = linking.request.scripts.iter().filter(here).cloned();
        let reader = inputs::Reader { cwd, fingerprints: &self.fingerprints, texts: &self.texts, started };
        let mut checked = HashSet::new();
        let mut known = HashSet::new();
        let mut parts = Vec::new();
        for spelled in listed.into_iter().chain(named).chain(scripts) {
            let changed = || about(Reason::InputsChangedMeanwhile, &spelled);
            let path = paths::resolve(cwd, &spelled);
            if !known.insert(path.clone()) {
                continue;
            }
            if path.symlink_metadata().is_err() {
                return Err(changed());
            }
            let (fingerprint, study) = self.studies.read(&self.fingerprints, &path)?;
            if files::young(&fingerprint.stamp, started) || reader.moved(&path, &mut checked) {
                return Err(changed());
            }
            if study.unfinished {
                return Err(about(Reason::LinkTimeOptimization, &spelled));
            }
            if study.thin {
                return Err(about(Reason::ArchiveOperationUncacheable, &spelled));
            }
            if study.endless {
                return Err(about(Reason::DependenciesUnreadable, &spelled));
            }
            parts.push(Part {
                input: Input { path: spelled, digest: fingerprint.digest, code: None },
                path,
                study,
            });
            if parts.len() > MAX_FILES {
                return Err(about(Reason::DependenciesUnreadable, &linking.request.output));
            }
        }
        Ok(parts)
    }

    /// The input set, its action key still open.
    pub(crate) fn link_entry(
        &self,
        joining: &Joining,
        parts: &[Part],
        output: &Path,
        started: u64,
    ) -> Result<Entry, Refusal> {
        let linking = &joining.linking;
        let output_folder = output.parent().unwrap_or(Path::new("/")).to_owned();
        let folders = folders(joining, parts, &output_folder);
        let folders: Vec<&[u8]> = folders.iter().map(Vec::as_slice).collect();
        let places = Places {
            cwd: &linking.call.cwd,
            fingerprints: &self.fingerprints,
            absence: &self.absence,
            folders: &folders,
            inputs: parts.iter().map(|part| part.path.as_path()).collect(),
            once: Once::default(),
            output_folders: std::slice::from_ref(&output_folder),
            started,
        };
        let (found, absent) = places.look(asked(joining, parts))?;
        let inputs = parts.iter().map(|part| part.input.clone()).collect();
        Ok(Entry { inputs, present: found.present, facts: Vec::new(), absent, action: linking.base })
    }
}

/// Every name that the linker or its driver may have looked for in folders.
fn asked(joining: &Joining, parts: &[Part]) -> Asked {
    let request = &joining.linking.request;
    let mut asked = Asked::default();
    for library in &request.libraries {
        match library.strip_prefix(b":") {
            Some(name) => asked.add(None, name, false),
            None => both_kinds(&mut asked, library),
        }
    }
    for script in &request.scripts {
        asked.add(Some(b""), script, false);
    }
    let named: HashSet<&[u8]> = request.files.iter().map(|file| without_dot(file)).collect();
    for part in parts {
        for needed in &part.study.needs {
            asked.add(None, needed, false);
        }
        // What the command line names is looked for nowhere else.
        if named.contains(without_dot(&part.input.path)) {
            continue;
        }
        let (_, name) = paths::split(&part.input.path);
        asked.add(None, name, false);
        let stem = name.strip_suffix(b".a").or_else(|| name.strip_suffix(b".so"));
        if let Some(library) = stem.and_then(|stem| stem.strip_prefix(b"lib")) {
            both_kinds(&mut asked, library);
        }
    }
    asked
}

/// Which of the two is found first depends on the folder, and on options before it.
fn both_kinds(asked: &mut Asked, library: &[u8]) {
    for suffix in [&b".so"[..], b".a"] {
        asked.add(None, &[b"lib", library, suffix].concat(), false);
    }
}

/// Every folder in which the linker or its driver may have looked, each once.
fn folders(joining: &Joining, parts: &[Part], output_folder: &Path) -> Vec<Vec<u8>> {
    let linking = &joining.linking;
    let variables = ["LD_RUN_PATH", "LD_LIBRARY_PATH", "LIBRARY_PATH"].into_iter();
    let variables = variables.filter_map(|name| linking.call.env.get(name)).filter(|value| !value.is_empty());
    let variables = variables.flat_map(|value| value.split(|byte| matches!(byte, b':' | b';')));
    let mut folders: Vec<Vec<u8>> = linking.request.folders.clone();
    folders.extend(linking.linker.folders.iter().cloned());
    folders.extend(variables.map(<[u8]>::to_vec));
    let output_folder = paths::into_bytes(output_folder.to_owned());
    for folder in &linking.request.needed_folders {
        folders.push(expanded(folder, &output_folder));
        folders.push(folder.clone());
    }
    for part in parts {
        let own = paths::split(&part.input.path).0;
        folders.extend(part.study.folders.iter().map(|folder| expanded(folder, own)));
    }
    each_once(folders)
}

/// An empty folder in a list is the one in which the linker runs.
fn each_once(mut folders: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    folders.iter_mut().filter(|folder| folder.is_empty()).for_each(|folder| folder.push(b'.'));
    let mut known = HashSet::new();
    folders.retain(|folder| known.insert(folder.clone()));
    folders
}

/// `folder` with `origin` in the place of the variable that stands for it.
fn expanded(folder: &[u8], origin: &[u8]) -> Vec<u8> {
    let rest = folder.strip_prefix(b"$ORIGIN").or_else(|| folder.strip_prefix(b"${ORIGIN}"));
    match rest {
        Some(rest) if origin.is_empty() => [b".", rest].concat(),
        Some(rest) => [origin, rest].concat(),
        None => folder.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_is_the_one_in_which_the_linker_runs() {
        let folders = ["/x", "", "/x", "."].map(|folder| folder.as_bytes().to_vec());
        assert_eq!(each_once(folders.to_vec()), [b"/x".to_vec(), b".".to_vec()]);
    }

    #[test]
    fn the_origin_is_the_folder_of_the_one_who_names_it() {
        assert_eq!(expanded(b"$ORIGIN/../lib", b"d/x"), b"d/x/../lib");
        assert_eq!(expanded(b"${ORIGIN}", b"/d"), b"/d");
        assert_eq!(expanded(b"$ORIGIN/x", b""), b"./x");
        assert_eq!(expanded(b"/usr/lib", b"/d"), b"/usr/lib");
    }
}
