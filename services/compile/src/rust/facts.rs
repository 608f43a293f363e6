//! What an entry says about a call beyond files: each fact by its name, and what it is now.
//!
//! A name without `=` is a variable's. The others are relative to the call that asks: its own folders, its own libraries.

use larder_fingerprint::Fingerprints;
use larder_service::{Digest, Hasher, Reason};

use super::args::{FolderKind, Request};
use super::{Crate, lineage, surroundings};
use crate::args::Refusal;
use crate::files::{self, Node};
use crate::inputs::about;
use crate::manifest::Fact;
use crate::paths;

/// Before the stem of a crate that stands behind those which the call names.
const CRATE: &[u8] = b"=crate ";
/// Before the name of a native library that goes into the result.
const LIBRARY: &[u8] = b"=library ";
/// Before the name of such a library that is the file's own.
const VERBATIM: &[u8] = b"=file ";
/// Before the name of a crate that is looked for in the folders of the search.
const SEARCHED: &[u8] = b"=search for crate ";
/// Where the outputs go, as it is spelled.
pub(super) const OUT_DIR: &[u8] = b"=output folder";
/// The root of the working tree, where it is mapped.
pub(super) const ROOT: &[u8] = b"=root";
/// The working folder, where it is not in the key.
pub(super) const CWD: &[u8] = b"=working folder";
/// Folders that are searched, as they are spelled.
pub(super) const FOLDERS: &[u8] = b"=search folders";
/// The form of messages.
pub(super) const SHOWN: &[u8] = b"=form of messages";

impl Crate {
    /// Whether `fact` holds for this call; else the reason of the miss.
    pub(crate) fn holds(&self, fact: &Fact, fingerprints: &Fingerprints) -> Result<(), Refusal> {
        let reason = if fact.name.starts_with(b"=") { Reason::InputChanged } else { Reason::VariableChanged };
        let reason = match fact.name.as_slice() {
            OUT_DIR | FOLDERS | SHOWN | ROOT | CWD => Reason::SurroundingsChanged,
            surroundings::NAMES => Reason::VariableChanged,
            name if name.starts_with(surroundings::BELOW_ROOT) => Reason::VariableChanged,
            _ => reason,
        };
        match self.now(&fact.name, fingerprints) {
            Ok(digest) if digest == fact.digest => Ok(()),
            _ => Err(about(reason, text(fact))),
        }
    }

    /// What the fact called `name` is now.
    fn now(&self, name: &[u8], fingerprints: &Fingerprints) -> Result<Option<Digest>, Refusal> {
        if let Some(stem) = name.strip_prefix(CRATE) {
            return self.crate_behind(&paths::text(stem), fingerprints);
        }
        if let Some(library) = name.strip_prefix(LIBRARY) {
            return self.library(library, false, fingerprints);
        }
        if let Some(library) = name.strip_prefix(VERBATIM) {
            return self.library(library, true, fingerprints);
        }
        if let Some(name) = name.strip_prefix(SEARCHED) {
            return Ok(self.finds_crate(name).then(|| Digest::of(b"")));
        }
        if let Some(name) = name.strip_prefix(surroundings::BELOW_ROOT) {
            return Ok(surroundings::below_root(&self.call, self.tree.as_ref(), name));
        }
        Ok(match name {
            OUT_DIR => Some(Digest::of(&self.request.out_dir)),
            ROOT => self.tree.as_ref().map(|tree| Digest::of(tree.root.bytes())),
            CWD => Some(surroundings::folder(&self.call)),
            FOLDERS => Some(list(&self.request)),
            SHOWN => Some(self.shown()),
            surroundings::NAMES => Some(surroundings::names(&self.call)),
            surroundings::PACKAGE => surroundings::package(&self.call, fingerprints)?,
            surroundings::GENERATED => surroundings::generated(&self.call, fingerprints)?,
            _ => str::from_utf8(name).ok().and_then(|name| self.call.whole_env.get(name)).map(Digest::of),
        })
    }

    /// A fact that is so now.
    pub(super) fn fact(&self, name: &[u8], fingerprints: &Fingerprints) -> Result<Fact, Refusal> {
        Ok(Fact { name: name.to_vec(), digest: self.now(name, fingerprints)? })
    }

    /// Content of the file by which the crate `stem` counts.
    fn crate_behind(&self, stem: &str, fingerprints: &Fingerprints) -> Result<Option<Digest>, Refusal> {
        match lineage::file(fingerprints, &self.call.cwd, &self.request, stem)? {
            Some(path) => Ok(Some(files::fingerprint(fingerprints, &path)?.digest)),
            None => Ok(None),
        }
    }

    /// Whether crates are looked for that the call does not name.
    pub(super) fn searches_crates(&self) -> bool {
        self.searched_folders().next().is_some()
    }

    fn searched_folders(&self) -> impl Iterator<Item = &Vec<u8>> {
        let searched = |kind: &FolderKind| matches!(kind, FolderKind::All | FolderKind::Crate);
        self.request.folders.iter().filter(move |(kind, _)| searched(kind)).map(|(_, folder)| folder)
    }

    /// Whether a file in the folders of the search may be the crate `name`.
    pub(super) fn finds_crate(&self, name: &[u8]) -> bool {
        let prefix = [b"lib", name].concat();
        let has = |folder: &Vec<u8>| {
            let entries = std::fs::read_dir(paths::resolve(&self.call.cwd, folder)).into_iter().flatten();
            entries.flatten().any(|entry| entry.file_name().as_encoded_bytes().starts_with(&prefix))
        };
        self.searched_folders().any(has)
    }

    /// Content of the static library `name`, as the compiler finds it.
    fn library(
        &self,
        name: &[u8],
        verbatim: bool,
        fingerprints: &Fingerprints,
    ) -> Result<Option<Digest>, Refusal> {
        let Some(path) = self.library_file(name, verbatim, fingerprints)? else { return Ok(None) };
        Ok(Some(files::fingerprint(fingerprints, &path)?.digest))
    }

    /// Where the compiler finds the static library `name`.
    pub(super) fn library_file(
        &self,
        name: &[u8],
        verbatim: bool,
        fingerprints: &Fingerprints,
    ) -> Result<Option<std::path::PathBuf>, Refusal> {
        let file = if verbatim { name.to_vec() } else { [b"lib", name, b".a"].concat() };
        for folder in self.native_folders().spelled() {
            let path = paths::resolve(&self.call.cwd, folder).join(paths::as_path(&file));
            if let Node::File(_) = files::node(fingerprints, &path)? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    /// What only messages can show.
    fn shown(&self) -> Digest {
        let mut hasher = Hasher::key("shown");
        for arg in &self.request.shown_args {
            hasher.field("argument", arg);
        }
        hasher.field("terminal", &[u8::from(self.call.stderr_terminal)]);
        if self.call.stderr_terminal {
            hasher.field("columns", &self.call.terminal_columns.to_le_bytes());
            hasher.field("kind", self.call.env.get("TERM").unwrap_or_default());
        }
        hasher.finish_digest()
    }
}

/// The fact about the crate `stem`.
pub(super) fn of_crate(stem: &str, digest: Digest) -> Fact {
    Fact { name: [CRATE, stem.as_bytes()].concat(), digest: Some(digest) }
}

/// Name of the fact about a static library.
pub(super) fn library_name(name: &[u8], verbatim: bool) -> Vec<u8> {
    [if verbatim { VERBATIM } else { LIBRARY }, name].concat()
}

/// Name of the fact about a crate that is looked for in the folders of the search.
pub(super) fn searched_name(name: &[u8]) -> Vec<u8> {
    [SEARCHED, name].concat()
}

/// What a fact is about, for people.
pub(super) fn text(fact: &Fact) -> &[u8] {
    fact.name.strip_prefix(b"=").unwrap_or(&fact.name)
}

fn list(request: &Request) -> Digest {
    let mut hasher = Hasher::key("folders");
    for (_, folder) in &request.folders {
        hasher.field("folder", folder);
    }
    hasher.finish_digest()
}
