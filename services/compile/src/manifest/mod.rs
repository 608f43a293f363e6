//! Manifests: under one base key, the input sets seen before, each with the action it led to.

pub(crate) mod codec;
pub(crate) mod validate;

use larder_service::{Digest, Key};

/// Most input sets of one manifest; the oldest go first.
pub(crate) const MAX_ENTRIES: usize = 16;

/// The input sets of one base key, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) entries: Vec<Entry>,
}

/// One input set. All paths are spelled as the tool spells them; relative ones start at the caller's folder, and where
/// working trees share it, a mark stands for the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Files that were read.
    pub(crate) inputs: Vec<Input>,
    /// What existed and mattered though it was not read.
    pub(crate) present: Vec<Present>,
    /// What else held: variables of the environment, and what the service that made the entry names by itself.
    pub(crate) facts: Vec<Fact>,
    /// Names that did not exist where the tool could have looked for them.
    pub(crate) absent: Absences,
    /// The action these inputs lead to.
    pub(crate) action: Key,
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Input {
    pub(crate) path: Vec<u8>,
    pub(crate) digest: Digest,
    /// Of the text without its comments, where only that matters.
    pub(crate) code: Option<Digest>,
}

/// Something that is neither a file nor a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Fact {
    pub(crate) name: Vec<u8>,
    /// Of what it was; `None` where it was not at all.
    pub(crate) digest: Option<Digest>,
}

/// Something that existed, whatever it held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Present {
    pub(crate) path: Vec<u8>,
    /// It was a folder; otherwise a file.
    pub(crate) folder: bool,
}

/// Absent names by folder. Nearly every name is absent from nearly every search folder, so that a folder says which
/// names it does have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Absences {
    /// All names that any group speaks of, sorted by their own folder part.
    pub(crate) names: Vec<Vec<u8>>,
    /// How many of them, from the start, were looked for in every search folder.
    pub(crate) shared: usize,
    pub(crate) groups: Vec<Group>,
}

/// The absent names of one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) folder: Vec<u8>,
    pub(crate) names: Names,
}

/// Which names; indices into [`Absences::names`], rising.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// All shared names but these.
    AllBut(Vec<u32>),
    /// These.
    Only(Vec<u32>),
}

impl Absences {
    /// Indices of the names that `group` says are absent, rising.
    pub(crate) fn of<'a>(&'a self, group: &'a Group) -> Box<dyn Iterator<Item = usize> + 'a> {
        match &group.names {
            Names::Only(names) => Box::new(names.iter().map(|name| *name as usize)),
            Names::AllBut(except) => {
                let mut except = except.iter().map(|name| *name as usize).peekable();
                Box::new((0..self.shared).filter(move |name| except.next_if_eq(name).is_none()))
            }
        }
    }

    /// Adds what `other`, which has no shared names, says.
    pub(crate) fn add(&mut self, other: Self) {
        let before = self.names.len() as u32;
        self.names.extend(other.names);
        self.groups.extend(other.groups.into_iter().map(|group| match group.names {
            Names::Only(names) | Names::AllBut(names) => {
                let names = Names::Only(names.into_iter().map(|name| name + before).collect());
                Group { folder: group.folder, names }
            }
        }));
    }

    /// Calls `visit` with each folder and each name absent from it.
    pub(crate) fn each<'a>(&'a self, mut visit: impl FnMut(&'a [u8], &'a [u8])) {
        for group in &self.groups {
            for name in self.of(group) {
                visit(&group.folder, &self.names[name]);
            }
        }
    }
}

impl Manifest {
    /// Puts `entry` first; an older one for the same action, and what is beyond the limit, goes.
    pub(crate) fn put(&mut self, entry: Entry) {
        self.entries.retain(|known| known.action != entry.action);
        self.entries.insert(0, entry);
        self.entries.truncate(MAX_ENTRIES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_service::Hasher;

    fn entry(number: u8) -> Entry {
        let mut hasher = Hasher::key("test");
        hasher.field("number", &[number]);
        let action = hasher.finish_key();
        Entry {
            inputs: Vec::new(),
            present: Vec::new(),
            facts: Vec::new(),
            absent: Absences::default(),
            action,
        }
    }

    #[test]
    fn the_newest_entry_is_first_and_an_action_stands_once() {
        let mut manifest = Manifest::default();
        for number in 0..20 {
            manifest.put(entry(number));
        }
        assert_eq!(manifest.entries.len(), MAX_ENTRIES);
        manifest.put(entry(10));
        assert_eq!(manifest.entries.len(), MAX_ENTRIES);
        assert_eq!(manifest.entries[0], entry(10));
        assert_eq!(manifest.entries[1], entry(19));
    }

    #[test]
    fn a_folder_lacks_all_shared_names_but_those_it_has() {
        let names = ["a.h", "b.h", "c.h", "a.h.gch"].map(|name| name.as_bytes().to_vec()).to_vec();
        let absent = Absences {
            names,
            shared: 3,
            groups: vec![
                Group { folder: b"inc".into(), names: Names::AllBut(vec![1]) },
                Group { folder: b"sys".into(), names: Names::Only(vec![3]) },
            ],
        };
        let mut seen = Vec::new();
        absent.each(|folder, name| seen.push((folder, name)));
        assert_eq!(seen, [(&b"inc"[..], &b"a.h"[..]), (b"inc", b"c.h"), (b"sys", b"a.h.gch")]);
    }
}
