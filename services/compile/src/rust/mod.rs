//! Rust: one crate, from the call of `rustc` to what is stored.
//!
//! The base key holds the compiler, the options, the root source and the crates that the call names, by content. What
//! else a compile goes by it says itself, in its dependency file, or becomes known once it has run: that stands in the
//! manifest's entries, among it facts about this call's own folders and variables.

pub(crate) mod args;
pub mod dep_info;
pub(crate) mod facts;
pub(crate) mod lineage;
pub mod link_args;
mod linking;
pub(crate) mod list;
mod options;
pub(crate) mod outputs;
mod prepare;
mod publish;
mod question;
mod refused;
mod shows;
mod surroundings;
pub mod text;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_service::{Digest, Hasher, Key};

use self::args::{FolderKind, Request};
use self::lineage::Lineage;
use self::linking::Ways;
pub(crate) use self::linking::{CrateLinker, Lists};
use self::outputs::Outputs;
pub(crate) use self::question::Question;
pub(crate) use self::tree::Tree;
use crate::args::Refusal;
use crate::arguments::Arguments;
use crate::call::Call;
use crate::identity::Rustc;
use crate::manifest::Fact;
use crate::manifest::validate::Marked;
use crate::paths;
use crate::portable::Root;
use crate::texts::Texts;

/// A crate that can be cached, and what its key is made of.
#[derive(Clone, Debug)]
pub(crate) struct Crate {
    pub(crate) call: Arc<Call>,
    pub(crate) rustc: Arc<Rustc>,
    pub(crate) arguments: Arc<Arguments>,
    pub(crate) request: Arc<Request>,
    pub(crate) outputs: Arc<Outputs>,
    /// Content of the root source.
    pub(crate) source: Digest,
    /// The crates that the call names, by name and content.
    pub(crate) externs: Arc<Vec<(Vec<u8>, Digest)>>,
    /// The root of the working tree, where the compiler maps it.
    pub(crate) tree: Option<Tree>,
    /// Where a linker runs, the one that does.
    pub(crate) linker: Option<CrateLinker>,
    pub(crate) base: Key,
    /// The call whatever its root source and the crates hold.
    pub(crate) seen: Key,
}

/// A crate that is being compiled.
#[derive(Debug)]
pub(crate) struct Compiling {
    pub(crate) work: Crate,
    /// Where a linker runs.
    pub(crate) lists: Option<Lists>,
    /// What held before, and must still when the compiler has ended. Where it was not to be learned, nothing is stored.
    pub(crate) before: Result<Vec<Fact>, Refusal>,
}

/// What is remembered for Rust.
pub(crate) struct Memory {
    pub(crate) lineage: Lineage,
    pub(crate) ways: Ways,
    pub(crate) texts: Texts<text::Asks>,
}

impl Default for Memory {
    fn default() -> Self {
        Self { lineage: Lineage::default(), ways: Ways::default(), texts: Texts::new(text::scan) }
    }
}

impl Crate {
    /// The folders in which native libraries are looked for, as the caller spells them.
    pub(crate) fn native_folders(&self) -> Folders {
        let native = |kind: &FolderKind| matches!(kind, FolderKind::Native | FolderKind::All);
        let folders = self.request.folders.iter().filter(|(kind, _)| native(kind));
        Folders { listed: folders.map(|(_, folder)| folder.clone()).collect(), root: None }
    }

    /// The folders that stand for others in the paths of this call's entries.
    pub(crate) fn folders(&self) -> Folders {
        Folders { root: self.tree.as_ref().map(|tree| tree.root.clone()), ..self.native_folders() }
    }

    /// Files that the call names, and what its build script made.
    pub(crate) fn named_files(&self) -> Vec<PathBuf> {
        let externs = self.request.externs.iter().filter_map(|one| one.path.as_ref());
        let spelled = externs.chain([&self.request.source]).chain(&self.request.files);
        let mut files: Vec<PathBuf> =
            spelled.map(|spelled| paths::resolve(&self.call.cwd, spelled)).collect();
        if let Some(folder) = self.call.whole_env.get("OUT_DIR") {
            add_generated(paths::as_path(folder), 0, &mut files);
        }
        files
    }
}

/// Adds the files below `folder`, as far as they are few and not far below.
fn add_generated(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    const DEEPEST: usize = 3;
    const MOST: usize = 1000;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if files.len() >= MOST {
            return;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEEPEST => add_generated(&entry.path(), depth + 1, files),
            Ok(kind) if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
}

/// Folders that each call names in its own way: stored paths have a mark and a number in their place, or the mark alone
/// in that of the root.
#[derive(Clone, Debug)]
pub(crate) struct Folders {
    listed: Vec<Vec<u8>>,
    root: Option<Root>,
}

/// Stands before the number of a folder; no path has it.
const MARK: u8 = 0;

impl Folders {
    /// `spelled` with the mark, where it lies in one of the folders.
    pub(crate) fn taken_out(&self, spelled: &[u8]) -> Vec<u8> {
        let inside = |folder: &Vec<u8>| {
            let rest = spelled.strip_prefix(folder.as_slice())?;
            (rest.is_empty() || rest.starts_with(b"/")).then(|| rest.to_vec())
        };
        let found = self.listed.iter().enumerate().find_map(|(at, folder)| Some((at, inside(folder)?)));
        match found {
            Some((at, rest)) => [&[MARK], at.to_string().as_bytes(), &rest].concat(),
            None => self.root.as_ref().map_or_else(|| spelled.to_vec(), |root| root.taken_out(spelled)),
        }
    }

    /// The folders as they are spelled.
    pub(crate) fn spelled(&self) -> &[Vec<u8>] {
        &self.listed
    }
}

impl Marked for Folders {
    fn add_to(&self, call: &mut Hasher) {
        for folder in &self.listed {
            call.field("folder", folder);
        }
        if let Some(root) = &self.root {
            root.add_to(call);
        }
    }

    fn put_in(&self, stored: &[u8]) -> Option<Vec<u8>> {
        let digits = match stored.split_first() {
            Some((&MARK, rest)) => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            _ => 0,
        };
        if digits == 0 {
            return match &self.root {
                Some(root) => root.put_in(stored),
                None => (stored.first() != Some(&MARK)).then(|| stored.to_vec()),
            };
        }
        let rest = &stored[1..];
        let at: usize = str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        Some([self.listed.get(at)?.as_slice(), &rest[digits..]].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_folder_of_one_call_is_the_same_path_in_that_of_another() {
        let folders = |listed: &[&str], root: Option<&str>| Folders {
            listed: listed.iter().map(|folder| folder.as_bytes().to_vec()).collect(),
            root: root.and_then(|root| Root::of(root.as_bytes(), Path::new(root))),
        };
        let one = folders(&["/a", "/t/out"], Some("/t"));
        let other = folders(&["/a", "/v/out"], Some("/u"));
        for (path, there) in [
            ("/t/out/libz.a", "/v/out/libz.a"),
            ("/t/out", "/v/out"),
            ("/t/outer/x", "/u/outer/x"),
            ("/t", "/u"),
            ("/w/x", "/w/x"),
        ] {
            let stored = one.taken_out(path.as_bytes());
            assert_eq!(other.put_in(&stored).as_deref(), Some(there.as_bytes()), "{path}");
        }
        let none = folders(&[], None);
        assert_eq!(none.put_in(&one.taken_out(b"/a/x")), None);
        assert_eq!(none.put_in(&one.taken_out(b"/t/x")), None);
        assert_eq!(other.put_in(b"/u/x"), None, "what was mapped for no root then is now");
    }
}
