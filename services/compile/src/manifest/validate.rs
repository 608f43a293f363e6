//! Whether an input set is still what the files are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use larder_fingerprint::Fingerprints;
use larder_service::{Digest, Reason};

use super::{Absences, Entry, Input};
use crate::absence::Absence;
use crate::args::Refusal;
use crate::code::Code;
use crate::files::{self, Node};
use crate::paths;
use crate::portable::{Root, place};
use crate::texts::Texts;

/// Validation of the entries of one manifest: a file that several of them name is looked at once.
pub(crate) struct Validation<'a> {
    pub(crate) cwd: &'a Path,
    /// Stands where paths have a mark.
    pub(crate) root: Option<&'a Root>,
    pub(crate) fingerprints: &'a Fingerprints,
    pub(crate) absence: &'a Absence,
    pub(crate) codes: &'a Texts<Code>,
    pub(crate) seen: HashMap<PathBuf, Option<Digest>>,
}

/// What counts as unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A file's content.
    Content,
    /// A text's content without its comments, where only that matters.
    Code,
}

impl Validation<'_> {
    /// Says what is no longer as `entry` has it: the reason of the miss, and the file it is about.
    pub(crate) fn check(&mut self, entry: &Entry, by: By) -> Result<(), Refusal> {
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

    /// Where the path `stored` leads; `None` where it would not be the caller's.
    fn place(&self, stored: &[u8]) -> Option<PathBuf> {
        place(self.root, self.cwd, stored)
    }

    fn node(&self, stored: &[u8]) -> Result<Node, Refusal> {
        let path = self.place(stored).ok_or_else(|| self.broken(Reason::InputVanished, stored))?;
        files::node(self.fingerprints, &path)
    }

    fn broken(&self, reason: Reason, stored: &[u8]) -> Refusal {
        let spelled = self.root.and_then(|root| root.put_in(stored));
        Refusal { reason, detail: paths::text(spelled.as_deref().unwrap_or(stored)) }
    }
}
