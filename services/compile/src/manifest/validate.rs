//! Whether an input set is still what the files are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use larder_fingerprint::Fingerprints;
use larder_service::{Digest, Reason};

use super::{Absences, Entry, Fact, Group, Input};
use crate::absence::Absence;
use crate::args::Refusal;
use crate::code::Code;
use crate::files::{self, Node};
use crate::paths;
use crate::texts::Texts;

/// What calls may have each in their own way, and stored paths have a mark for.
pub(crate) trait Marked {
    /// `stored` with what this call has in the mark's place. `None` where it has nothing there.
    fn put_in(&self, stored: &[u8]) -> Option<Vec<u8>>;
}

/// Validation of the entries of one manifest: a file that several of them name is looked at once.
pub(crate) struct Validation<'a> {
    pub(crate) cwd: &'a Path,
    /// What stands where paths have a mark.
    pub(crate) marks: Option<&'a dyn Marked>,
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) absence: &'a Absence,
    pub(crate) codes: &'a Texts<Code>,
    /// What holds now of what an entry says beyond files: the reason and the detail where it does not.
    pub(crate) holds: &'a dyn Fn(&Fact) -> Result<(), Refusal>,
    pub(crate) seen: HashMap<PathBuf, Option<Digest>>,
}

/// For entries that say nothing beyond files.
pub(crate) fn nothing_holds(fact: &Fact) -> Result<(), Refusal> {
    Err(Refusal { reason: Reason::SurroundingsChanged, detail: paths::text(&fact.name) })
}

/// What counts as unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A file's content.
    Content,
    /// A text's content without its comments, where only that matters.
    Code,
}

/// The first of the folders in `inner`; empty where there is none below the folder that is searched.
fn outermost(inner: &[u8]) -> &[u8] {
    inner.split(|byte| *byte == b'/').next().unwrap_or_default()
}

impl Validation<'_> {
    /// Says what is no longer as `entry` has it: the reason of the miss, and the file it is about.
    pub(crate) fn check(&mut self, entry: &Entry, by: By) -> Result<(), Refusal> {
        entry.facts.iter().try_for_each(self.holds)?;
        for input in &entry.inputs {
            match self.content(input) {
                Some(digest) if digest == input.digest => {}
                Some(_) if by == By::Code && self.is_same_code(input) => {}
                Some(_) => return Err(self.broken(Reason::InputChanged, &input.path)),
                None => return Err(self.broken(Reason::InputVanished, &input.path)),
            }
        }
        for present in &entry.present {
            match self.node(&present.path) {
                Ok(Node::File(_)) if !present.folder => {}
                Ok(Node::Folder(_)) if present.folder => {}
                _ => return Err(self.broken(Reason::InputVanished, &present.path)),
            }
        }
        self.absent(&entry.absent)
    }

    /// What the file of `input` holds now.
    pub(crate) fn content(&mut self, input: &Input) -> Option<Digest> {
        let path = self.place(&input.path)?;
        let look = |path: &PathBuf| self.fingerprints.file(path).ok().map(|fingerprint| fingerprint.digest);
        *self.seen.entry(path).or_insert_with_key(look)
    }

    /// The file of `input` holds what was looked at before, and that is the same but for comments.
    fn is_same_code(&mut self, input: &Input) -> bool {
        let Some(code) = input.code else { return false };
        let Some(path) = self.place(&input.path) else { return false };
        let Ok((fingerprint, now)) = self.codes.read(self.fingerprints, &path) else { return false };
        now.digest == Some(code) && !now.embeds && Some(fingerprint.digest) == self.content(input)
    }

    fn absent(&self, absent: &Absences) -> Result<(), Refusal> {
        for group in &absent.groups {
            // A search folder that became a file could be one that Clang takes for a map of headers.
            match self.node(&group.folder) {
                Ok(Node::Absent) => continue,
                Ok(Node::Folder(_)) => {}
                _ => return Err(self.broken(Reason::InputAppeared, &group.folder)),
            }
            let lacking = self.lacking(absent, group);
            let mut indices = absent.of(group).peekable();
            while let Some(first) = indices.next() {
                let (inner, name) = paths::split(&absent.names[first]);
                let mut names = vec![name];
                // Names are sorted by folder, so that each folder is looked at once.
                while let Some(next) = indices.peek() {
                    let (next_inner, next_name) = paths::split(&absent.names[*next]);
                    if next_inner != inner {
                        break;
                    }
                    names.push(next_name);
                    indices.next();
                }
                if lacking.contains(outermost(inner)) {
                    continue;
                }
                let spelled = paths::join(&group.folder, inner);
                let appeared = |spelled: &[u8]| self.broken(Reason::InputAppeared, spelled);
                let folder = self.place(&spelled).ok_or_else(|| appeared(&spelled))?;
                let found = self
                    .absence
                    .existing(self.fingerprints, &folder, &names)
                    .map_err(|_| appeared(&spelled))?;
                if let Some(name) = found.first() {
                    return Err(appeared(&paths::join(&spelled, names[*name])));
                }
            }
        }
        Ok(())
    }

    /// Folders that the names of `group` are looked for in, and that its own folder lacks: one look at that spares one at
    /// each of them. A link that leads nowhere is not among them.
    fn lacking<'n>(&self, absent: &'n Absences, group: &Group) -> HashSet<&'n [u8]> {
        let mut inner: Vec<&[u8]> =
            absent.of(group).map(|name| outermost(paths::split(&absent.names[name]).0)).collect();
        inner.retain(|folder| !folder.is_empty());
        inner.dedup();
        let Some(folder) = self.place(&group.folder).filter(|_| !inner.is_empty()) else {
            return HashSet::new();
        };
        // Where that cannot be known, each is looked at by itself.
        let Ok(existing) = self.absence.existing(self.fingerprints, &folder, &inner) else {
            return HashSet::new();
        };
        let existing: HashSet<&[u8]> = existing.into_iter().map(|position| inner[position]).collect();
        inner.into_iter().filter(|folder| !existing.contains(folder)).collect()
    }

    /// Where the path `stored` leads; `None` where it would not be the caller's.
    fn place(&self, stored: &[u8]) -> Option<PathBuf> {
        match self.marks {
            Some(marks) => Some(paths::resolve(self.cwd, &marks.put_in(stored)?)),
            None => Some(paths::resolve(self.cwd, stored)),
        }
    }

    fn node(&self, stored: &[u8]) -> Result<Node, Refusal> {
        let path = self.place(stored).ok_or_else(|| self.broken(Reason::InputVanished, stored))?;
        files::node(self.fingerprints, &path)
    }

    fn broken(&self, reason: Reason, stored: &[u8]) -> Refusal {
        let spelled = self.marks.and_then(|marks| marks.put_in(stored));
        Refusal { reason, detail: paths::text(spelled.as_deref().unwrap_or(stored)) }
    }
}
