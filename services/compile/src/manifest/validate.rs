//! Whether an input set is still what the files are.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use larder_fingerprint::{Fingerprint, Fingerprints, Stamp};
use larder_service::{Digest, Hasher, Reason};

use super::{Absences, Entry, Fact, Group, Input};
use crate::absence::Absence;
use crate::args::Refusal;
use crate::code::Code;
use crate::files::{self, Node};
use crate::paths;
use crate::proof::Trail;
use crate::texts::Texts;

/// What calls may have each in their own way, and stored paths have a mark for.
pub(crate) trait Marked {
    /// Adds everything that [`Marked::put_in`] goes by.
    fn add_to(&self, call: &mut Hasher);
    /// `stored` with what this call has in the mark's place. `None` where it has nothing there.
    fn put_in(&self, stored: &[u8]) -> Option<Vec<u8>>;
}

/// What a call has of its own, where entries speak of calls in general.
#[derive(Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) cwd: &'a Path,
    /// What stands where paths have a mark.
    pub(crate) marks: Option<&'a dyn Marked>,
    /// What holds now of what an entry says beyond files: the reason and the detail where it does not.
    pub(crate) holds: &'a dyn Fn(&Fact) -> Result<(), Refusal>,
}

/// Validation of the entries of one manifest: a file that several of them name is looked at once.
pub(crate) struct Validation<'a> {
    own: Own<'a>,
    means: Means<'a>,
    files: HashMap<PathBuf, Option<Fingerprint>>,
    /// The clock of files before anything was looked at.
    began: u64,
}

/// What was looked at: what was there, and what was not.
pub(crate) struct Looked {
    pub(crate) inputs: Trail,
    pub(crate) absences: Trail,
}

/// What validation goes by.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) absence: &'a Absence,
    pub(crate) codes: &'a Texts<Code>,
}

/// A folder, and how it is stamped.
#[derive(Clone, Copy)]
struct Here<'a> {
    path: &'a Path,
    stamp: Stamp,
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

impl<'a> Validation<'a> {
    /// `began` is of the clock of files.
    pub(crate) fn begin(own: Own<'a>, means: Means<'a>, began: u64) -> Self {
        Self { own, means, files: HashMap::new(), began }
    }

    /// Says what is no longer as `entry` has it: the reason of the miss, and the file it is about.
    pub(crate) fn check(&mut self, entry: &Entry, by: By) -> Result<Looked, Refusal> {
        entry.facts.iter().try_for_each(self.own.holds)?;
        let mut inputs = Trail::begin(self.began);
        for input in &entry.inputs {
            match self.content(input, &mut inputs) {
                Some(digest) if digest == input.digest => {}
                Some(_) if by == By::Code && self.is_same_code(input) => {}
                Some(_) => return Err(self.broken(Reason::InputChanged, &input.path)),
                None => return Err(self.broken(Reason::InputVanished, &input.path)),
            }
        }
        for present in &entry.present {
            match self.node(&present.path) {
                Ok((path, Node::File(stamp))) if !present.folder => inputs.saw(&path, stamp),
                Ok((path, Node::Folder(_))) if present.folder => inputs.saw_folder(&path),
                _ => return Err(self.broken(Reason::InputVanished, &present.path)),
            }
        }
        let absences = self.absent(&entry.absent)?;
        Ok(Looked { inputs, absences })
    }

    /// What the file of `input` holds now.
    fn content(&mut self, input: &Input, trail: &mut Trail) -> Option<Digest> {
        let path = self.place(&input.path)?;
        let look = |path: &PathBuf| self.means.fingerprints.file(path).ok();
        let known = match self.files.get(&path) {
            Some(known) => *known,
            None => *self.files.entry(path.clone()).or_insert_with_key(look),
        };
        let known = known?;
        trail.saw(&path, known.stamp);
        Some(known.digest)
    }

    /// The file of `input` holds what was looked at before, and that is the same but for comments.
    fn is_same_code(&mut self, input: &Input) -> bool {
        let Some(code) = input.code else { return false };
        let Some(path) = self.place(&input.path) else { return false };
        let Ok((fingerprint, now)) = self.means.codes.read(self.means.fingerprints, &path) else {
            return false;
        };
        let content = self.content(input, &mut Trail::begin(self.began));
        now.digest == Some(code) && !now.embeds && Some(fingerprint.digest) == content
    }

    /// Says which name appeared that was absent.
    pub(crate) fn absent(&self, absent: &Absences) -> Result<Trail, Refusal> {
        let mut trail = Trail::begin(self.began);
        for group in &absent.groups {
            // A search folder that became a file could be one that Clang takes for a map of headers.
            let (folder, stamp) = match self.node(&group.folder) {
                Ok((folder, Node::Absent)) => {
                    trail.saw_nothing(&folder);
                    continue;
                }
                Ok((folder, Node::Folder(stamp))) => (folder, stamp),
                _ => return Err(self.broken(Reason::InputAppeared, &group.folder)),
            };
            let here = Here { path: &folder, stamp };
            let lacking = self.lacking(absent, group, here, &mut trail);
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
                let found = if inner.is_empty() {
                    self.existing(here, &names, &mut trail)
                } else {
                    match self.node(&spelled) {
                        Ok((path, Node::Folder(stamp))) => {
                            self.existing(Here { path: &path, stamp }, &names, &mut trail)
                        }
                        Ok((path, Node::Absent)) => {
                            trail.saw_nothing(&path);
                            None
                        }
                        // Nothing can be in what is not a folder; an odd name such as "x.h/y.h" leads here.
                        Ok((path, Node::File(stamp))) => {
                            trail.saw(&path, stamp);
                            None
                        }
                        Ok((_, Node::Other)) => {
                            trail.spoil();
                            None
                        }
                        Err(_) => return Err(self.broken(Reason::InputAppeared, &spelled)),
                    }
                };
                if let Some(name) = found {
                    return Err(self.broken(Reason::InputAppeared, &paths::join(&spelled, name)));
                }
            }
        }
        Ok(trail)
    }

    /// The first of `names` that exists in a folder.
    fn existing<'n>(&self, folder: Here<'_>, names: &[&'n [u8]], trail: &mut Trail) -> Option<&'n [u8]> {
        let found =
            self.means.absence.existing_in(folder.path, Node::Folder(folder.stamp), self.began, names);
        trail.saw_none_of(folder.path, folder.stamp, names);
        found.first().map(|name| names[*name])
    }

    /// Folders that the names of `group` are looked for in, and that its own folder lacks: one look at that spares one at
    /// each of them. A link that leads nowhere is not among them.
    fn lacking<'n>(
        &self,
        absent: &'n Absences,
        group: &Group,
        folder: Here<'_>,
        trail: &mut Trail,
    ) -> HashSet<&'n [u8]> {
        let mut inner: Vec<&[u8]> =
            absent.of(group).map(|name| outermost(paths::split(&absent.names[name]).0)).collect();
        inner.retain(|folder| !folder.is_empty());
        inner.dedup();
        if inner.is_empty() {
            return HashSet::new();
        }
        let node = Node::Folder(folder.stamp);
        let existing = self.means.absence.existing_in(folder.path, node, self.began, &inner);
        let existing: HashSet<&[u8]> = existing.into_iter().map(|position| inner[position]).collect();
        inner.retain(|folder| !existing.contains(folder));
        trail.saw_none_of(folder.path, folder.stamp, &inner);
        inner.into_iter().collect()
    }

    /// Where the path `stored` leads; `None` where it would not be the caller's.
    fn place(&self, stored: &[u8]) -> Option<PathBuf> {
        match self.own.marks {
            Some(marks) => Some(paths::resolve(self.own.cwd, &marks.put_in(stored)?)),
            None => Some(paths::resolve(self.own.cwd, stored)),
        }
    }

    /// Where the path `stored` leads, and what is there.
    fn node(&self, stored: &[u8]) -> Result<(PathBuf, Node), Refusal> {
        let path = self.place(stored).ok_or_else(|| self.broken(Reason::InputVanished, stored))?;
        let node = files::node(self.means.fingerprints, &path)?;
        Ok((path, node))
    }

    fn broken(&self, reason: Reason, stored: &[u8]) -> Refusal {
        let spelled = self.own.marks.and_then(|marks| marks.put_in(stored));
        Refusal { reason, detail: paths::text(spelled.as_deref().unwrap_or(stored)) }
    }
}
