//! What was found at each path.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::Path;

use larder_service::{Digest, Hasher};

use crate::{Folder, Stamp};

/// One path that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the root, as bytes.
    pub path: Box<[u8]>,
    /// What was there.
    pub found: Found,
}

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An ordinary file, or a link to one.
    File {
        /// Its content.
        digest: Digest,
        /// Its owner may execute it.
        executable: bool,
        /// The stamp it was read under; all zeros where that proves nothing.
        stamp: Stamp,
    },
    /// A link that leads nowhere or in a circle, by its text.
    Link(Digest),
    /// A pipe, a socket, a device: never opened.
    Other,
    /// What could not be looked at; never the same as anything.
    Unreadable,
}

impl Found {
    /// Whether both are the same to who reads the file.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::File { digest, executable, .. },
                Self::File { digest: other, executable: other_executable, .. },
            ) => digest == other && executable == other_executable,
            (Self::Link(text), Self::Link(other)) => text == other,
            (Self::Other, Self::Other) => true,
            _ => false,
        }
    }
}

/// What was found below a root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// In byte order of their paths, each path once.
    pub entries: Vec<Entry>,
    /// All folders that were looked into, in byte order of their paths, if their stamps tell which names there are; else none.
    pub folders: Vec<Folder>,
}

impl Snapshot {
    /// Of `entries` in any order; of two with one path, either.
    #[must_use]
    pub fn of(mut entries: Vec<Entry>) -> Self {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        entries.dedup_by(|a, b| a.path == b.path);
        Self { entries, folders: Vec::new() }
    }

    /// The place in `entries` of the one with `path`.
    #[must_use]
    pub fn place(&self, path: &[u8]) -> Option<usize> {
        self.entries.binary_search_by(|entry| (*entry.path).cmp(path)).ok()
    }

    /// The places of the entries below `folder`, from the root; all of them for the root itself, which is empty.
    #[must_use]
    pub fn below(&self, folder: &[u8]) -> Range<usize> {
        if folder.is_empty() {
            return 0..self.entries.len();
        }
        // What sorts before the folder's slash, what is below it, and what sorts after.
        let side = |entry: &Entry| match entry.path.get(..folder.len()) {
            Some(head) if head == folder => {
                entry.path.get(folder.len()).map_or(Ordering::Less, |next| next.cmp(&b'/'))
            }
            _ => (*entry.path).cmp(folder),
        };
        let from = self.entries.partition_point(|entry| side(entry).is_lt());
        let after = self.entries[from..].partition_point(|entry| side(entry).is_le());
        from..from + after
    }

    /// Names every path and what is there; `None` where something could not be looked at.
    #[must_use]
    pub fn id(&self) -> Option<[u8; 32]> {
        let mut hasher = Hasher::key("snapshot");
        for entry in &self.entries {
            hasher.field("path", &entry.path);
            match &entry.found {
                Found::File { digest, executable, .. } => {
                    hasher.field(if *executable { "program" } else { "file" }, &digest.hash);
                }
                Found::Link(text) => hasher.field("link", &text.hash),
                Found::Other => hasher.field("other", b""),
                Found::Unreadable => return None,
            }
        }
        Some(hasher.finish_key().0)
    }

    /// The first path that was not the same, or not stamped the same, in `later`.
    #[must_use]
    pub fn first_difference<'a>(&'a self, later: &'a Self) -> Option<&'a [u8]> {
        let (mut ours, mut theirs) = (self.entries.iter().peekable(), later.entries.iter().peekable());
        loop {
            match (ours.peek(), theirs.peek()) {
                (None, None) => return None,
                (Some(a), Some(b)) if a == b && !matches!(a.found, Found::Unreadable) => {
                    ours.next();
                    theirs.next();
                }
                (Some(a), Some(b)) => return Some((&a.path).min(&b.path)),
                (Some(one), None) | (None, Some(one)) => return Some(&one.path),
            }
        }
    }

    /// A file whose stamp proved nothing when it was read.
    #[must_use]
    pub fn young(&self) -> Option<&Path> {
        use std::os::unix::ffi::OsStrExt as _;
        let young =
            |entry: &&Entry| matches!(entry.found, Found::File { stamp, .. } if stamp == Stamp::default());
        self.entries.iter().find(young).map(|entry| Path::new(std::ffi::OsStr::from_bytes(&entry.path)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn snapshot(paths: &[String]) -> Snapshot {
        Snapshot::of(
            paths.iter().map(|path| Entry { path: path.as_bytes().into(), found: Found::Other }).collect(),
        )
    }

    proptest! {
        #[test]
        fn what_is_below_a_folder_is_found_together(
            paths in prop::collection::vec("[a!/0]{1,4}", 0..40),
            folder in "[a!0]{0,2}",
        ) {
            let snapshot = snapshot(&paths);
            let range = snapshot.below(folder.as_bytes());
            let below = |path: &[u8]| folder.is_empty() || path.starts_with(format!("{folder}/").as_bytes());
            for (at, entry) in snapshot.entries.iter().enumerate() {
                prop_assert_eq!(range.contains(&at), below(&entry.path), "{:?} of {:?}", entry, folder);
                prop_assert_eq!(snapshot.place(&entry.path), Some(at));
            }
            prop_assert_eq!(snapshot.place(b"none"), None);
        }
    }
}
