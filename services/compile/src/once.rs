//! Files that a tool takes for one: of those that are to be read once, GCC reads no second one with the same text and
//! time, and Clang none that is another name of the first. Such a second file stands in no list.

use std::collections::{HashMap, HashSet};
use std::path::{Component, Path, PathBuf};

use larder_fingerprint::{Fingerprints, Stamp};
use larder_service::Digest;

use crate::args::Refusal;
use crate::files::{self, Node};
use crate::inputs::ReadFile;

/// The inputs that are to be read once.
#[derive(Default)]
pub(crate) struct Once<'a> {
    by_content: HashMap<Digest, Vec<&'a ReadFile>>,
    /// Sizes and times of those, for a first look.
    looks: HashSet<(u64, i64)>,
}

impl<'a> Once<'a> {
    pub(crate) fn of(files: &'a [ReadFile], fingerprints: &Fingerprints) -> Result<Self, Refusal> {
        let mut once = Self { by_content: HashMap::new(), looks: HashSet::new() };
        let imported = files.iter().any(|file| file.asks.imports);
        for file in files.iter().filter(|file| imported || file.asks.once) {
            once.by_content.entry(file.input.digest).or_default().push(file);
            if let Node::File(stamp) = files::node(fingerprints, &file.path)? {
                once.looks.insert(look(&stamp));
            }
        }
        Ok(once)
    }

    /// An input that would not have been read, had its time or its links been those of another one.
    pub(crate) fn twin(&self) -> Option<&'a ReadFile> {
        let twin = |files: &Vec<&'a ReadFile>| {
            let (first, rest) = files.split_first()?;
            rest.iter().find(|file| !is_same_place(&first.path, &file.path)).copied()
        };
        self.by_content.values().find_map(twin)
    }

    /// Whether the file at `path`, which was not read, may have been taken for one that was.
    pub(crate) fn may_be(
        &self,
        fingerprints: &Fingerprints,
        path: &Path,
        stamp: &Stamp,
    ) -> Result<bool, Refusal> {
        if !self.looks.contains(&look(stamp)) {
            return Ok(false);
        }
        let digest = files::fingerprint(fingerprints, path)?.digest;
        let alike = self.by_content.get(&digest);
        Ok(alike.is_some_and(|files| !files.iter().any(|file| is_same_place(&file.path, path))))
    }
}

/// What the tools compare before the text: the size, and the time in seconds.
fn look(stamp: &Stamp) -> (u64, i64) {
    (stamp.size, stamp.mtime_ns.div_euclid(1_000_000_000))
}

/// Whether two paths lead to one file and always will, whatever links become: they go the same way.
fn is_same_place(a: &Path, b: &Path) -> bool {
    plain(a) == plain(b) && a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b))
}

/// `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}
