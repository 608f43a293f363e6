//! What an answer about a compiler rests on; while it holds, the compiler need not be asked again.

use std::path::{Component, Path, PathBuf};

use larder_fingerprint::{Fingerprints, Stamp};
use larder_service::{Clock, Digest};

use crate::args::Refusal;
use crate::files::{self, Node};
use crate::proof::Trail;

/// Most links followed on the way to one file.
const MAX_LINKS: usize = 40;

/// Files, links and folders as they were.
#[derive(Debug, Default)]
pub(crate) struct Premises {
    files: Vec<(PathBuf, Digest)>,
    links: Vec<(PathBuf, PathBuf)>,
    absent: Vec<PathBuf>,
    /// `None`: there was no such folder.
    folders: Vec<(PathBuf, Option<Stamp>)>,
    /// Something was changed while the answer was being found: ask again next time.
    unsure: bool,
}

/// Collects premises.
pub(crate) struct Collector<'a> {
    pub(crate) fingerprints: &'a Fingerprints,
    premises: Premises,
    /// Clock of files when the collection began.
    began: u64,
}

impl Premises {
    /// Everything is as it was; `trail` learns what was looked at.
    pub(crate) fn hold(&self, fingerprints: &Fingerprints, trail: &mut Trail) -> bool {
        !self.unsure
            && self.links.iter().all(|(link, target)| {
                trail.look_at_link(link);
                link.read_link().is_ok_and(|now| now == *target)
            })
            && self.absent.iter().all(|path| {
                trail.saw_nothing_on_the_way_to(path);
                is_absent(path)
            })
            && self.folders.iter().all(|(path, then)| {
                match then {
                    Some(stamp) => trail.saw(path, *stamp),
                    None => trail.saw_nothing(path),
                }
                folder(fingerprints, path) == Some(*then)
            })
            && self.files.iter().all(|(path, digest)| {
                fingerprints.file(path).is_ok_and(|fingerprint| {
                    trail.saw(path, fingerprint.stamp);
                    fingerprint.digest == *digest
                })
            })
    }
}

impl<'a> Collector<'a> {
    pub(crate) fn new(fingerprints: &'a Fingerprints, clock: &dyn Clock) -> Self {
        Self { fingerprints, premises: Premises::default(), began: clock.file_time_ns() }
    }

    pub(crate) fn finish(self) -> Premises {
        self.premises
    }

    /// The content of `path` is a premise.
    pub(crate) fn file(&mut self, path: &Path) -> Result<Digest, Refusal> {
        let fingerprint = files::fingerprint(self.fingerprints, path)?;
        self.premises.unsure |= files::young(&fingerprint.stamp, self.began);
        self.premises.files.push((path.to_owned(), fingerprint.digest));
        Ok(fingerprint.digest)
    }

    /// The content of `path`, or that there is none, is a premise.
    pub(crate) fn file_or_absent(&mut self, path: &Path) -> Result<Option<Digest>, Refusal> {
        if self.absent(path) { Ok(None) } else { self.file(path).map(Some) }
    }

    /// That `path` does not exist becomes a premise, if it does not.
    pub(crate) fn absent(&mut self, path: &Path) -> bool {
        let absent = is_absent(path);
        if absent {
            self.premises.absent.push(path.to_owned());
        }
        absent
    }

    /// What a folder lists is a premise.
    pub(crate) fn folder(&mut self, path: &Path) {
        match folder(self.fingerprints, path) {
            Some(stamp) => {
                self.premises.unsure |= stamp.is_some_and(|stamp| files::young(&stamp, self.began));
                self.premises.folders.push((path.to_owned(), stamp));
            }
            None => self.premises.unsure = true,
        }
    }

    /// Follows every link on the way to `path`, each a premise, and returns where it leads. `None`: nowhere.
    pub(crate) fn follow(&mut self, path: &Path) -> Option<PathBuf> {
        let mut links = 0;
        let mut found = PathBuf::new();
        let mut left: Vec<PathBuf> = components(path);
        while let Some(next) = left.pop() {
            match next.components().next()? {
                Component::RootDir => found = PathBuf::from("/"),
                Component::ParentDir => {
                    found.pop();
                }
                Component::Normal(name) => {
                    let step = found.join(name);
                    if step.symlink_metadata().ok()?.is_symlink() {
                        links += 1;
                        if links > MAX_LINKS {
                            return None;
                        }
                        let target = step.read_link().ok()?;
                        left.extend(components(&target));
                        self.premises.links.push((step, target));
                    } else {
                        found = step;
                    }
                }
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Some(found)
    }
}

/// The components of `path`, last first.
fn components(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|component| PathBuf::from(component.as_os_str())).collect()
}

fn is_absent(path: &Path) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    path.symlink_metadata().is_err_and(|error| matches!(error.kind(), NotFound | NotADirectory))
}

fn folder(fingerprints: &Fingerprints, path: &Path) -> Option<Option<Stamp>> {
    match files::node(fingerprints, path).ok()? {
        Node::Absent => Some(None),
        Node::File(stamp) | Node::Folder(stamp) => Some(Some(stamp)),
        Node::Other => None,
    }
}
