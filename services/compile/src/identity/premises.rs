//! What an answer about a compiler rests on; while it holds, the compiler need not be asked again.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use larder_fingerprint::{Fingerprints, Stamp};
use larder_service::{Clock, Digest};

use super::noted;
use crate::args::Refusal;
use crate::files::{self, Node};
use crate::paths;
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
    listings: Vec<Listing>,
    /// Something was changed while the answer was being found: ask again next time.
    unsure: bool,
}

/// What a folder has of certain names, and what in it may lead to others. Unlike the folder's stamp, that is not changed by
/// whatever else is written there.
#[derive(Debug)]
struct Listing {
    folder: PathBuf,
    names: Vec<OsString>,
    found: Vec<OsString>,
    /// The folder's stamp when that was found last, where no later change can have the same.
    stamp: Mutex<Option<Stamp>>,
}

impl Listing {
    /// What `folder` has now of `names`, and all that is no ordinary file; `None` where that cannot be known.
    fn look(folder: &Path, names: &[OsString]) -> Option<Vec<OsString>> {
        use std::io::ErrorKind::{NotADirectory, NotFound};
        let entries = match folder.read_dir() {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), NotFound | NotADirectory) => return Some(Vec::new()),
            Err(_) => return None,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.ok()?;
            if names.contains(&entry.file_name()) || !entry.file_type().ok()?.is_file() {
                found.push(entry.file_name());
            }
        }
        found.sort_unstable();
        Some(found)
    }

    /// It is as it was. Nothing was looked at before `began`, of the clock of files.
    fn holds(&self, fingerprints: &Fingerprints, began: u64) -> bool {
        let mut known = self.stamp.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at before what it stands for.
        let stamp = match files::node(fingerprints, &self.folder) {
            Ok(Node::Folder(stamp)) => Some(stamp),
            _ => None,
        };
        if stamp.is_some() && stamp == *known {
            return true;
        }
        let holds = Self::look(&self.folder, &self.names).is_some_and(|now| now == self.found);
        *known = stamp.filter(|stamp| holds && !files::young(stamp, began));
        holds
    }
}

/// Collects premises.
pub(crate) struct Collector<'a> {
    pub(crate) fingerprints: &'a Fingerprints,
    premises: Premises,
    /// Clock of files when the collection began.
    began: u64,
}

impl Premises {
    /// What folders list is as it was, however often they were written to; nothing was looked at before `began`, of the
    /// clock of files. No proof has it.
    pub(crate) fn listings_hold(&self, fingerprints: &Fingerprints, began: u64) -> bool {
        self.listings.iter().all(|listing| listing.holds(fingerprints, began))
    }

    /// Everything else is as it was; `trail` learns what was looked at.
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

impl Premises {
    /// Their stored form; `None` where they are not sure to be all.
    pub(super) fn noted(&self) -> Option<noted::Rests> {
        let bytes = |path: &Path| paths::into_bytes(path.to_owned());
        let each = |names: &[OsString]| names.iter().map(|name| name.as_encoded_bytes().to_vec()).collect();
        let file = |(path, digest): &(PathBuf, Digest)| noted::File {
            path: bytes(path),
            hash: digest.hash.to_vec(),
            size: digest.size,
        };
        let link =
            |(path, target): &(PathBuf, PathBuf)| noted::Link { path: bytes(path), target: bytes(target) };
        let folder = |(path, stamp): &(PathBuf, Option<Stamp>)| noted::Folder {
            path: bytes(path),
            stamp: stamp.map(|stamp| stamp.to_bytes().to_vec()),
        };
        let listing = |listing: &Listing| noted::Listing {
            folder: bytes(&listing.folder),
            names: each(&listing.names),
            found: each(&listing.found),
        };
        (!self.unsure).then(|| noted::Rests {
            files: self.files.iter().map(file).collect(),
            links: self.links.iter().map(link).collect(),
            absent: self.absent.iter().map(|path| bytes(path)).collect(),
            folders: self.folders.iter().map(folder).collect(),
            listings: self.listings.iter().map(listing).collect(),
        })
    }

    /// Those that were [noted](Self::noted); `None` for what that never gives.
    pub(super) fn recalled(rests: noted::Rests) -> Option<Self> {
        let names = |names: Vec<Vec<u8>>| names.iter().map(|name| noted::path(name).into()).collect();
        let folder = |folder: noted::Folder| {
            let stamp = match &folder.stamp {
                Some(bytes) => Some(Stamp::from_bytes(bytes.as_slice().try_into().ok()?)),
                None => None,
            };
            Some((noted::path(&folder.path), stamp))
        };
        let listing = |listing: noted::Listing| Listing {
            folder: noted::path(&listing.folder),
            names: names(listing.names),
            found: names(listing.found),
            stamp: Mutex::default(),
        };
        let file = |file: noted::File| Some((noted::path(&file.path), noted::digest(&file.hash, file.size)?));
        let link = |link: noted::Link| (noted::path(&link.path), noted::path(&link.target));
        Some(Self {
            files: rests.files.into_iter().map(file).collect::<Option<_>>()?,
            links: rests.links.into_iter().map(link).collect(),
            absent: rests.absent.iter().map(|path| noted::path(path)).collect(),
            folders: rests.folders.into_iter().map(folder).collect::<Option<_>>()?,
            listings: rests.listings.into_iter().map(listing).collect(),
            unsure: false,
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

    /// That `folder` has what it has of `names`, and of folders and links, is a premise. To be called before an answer is
    /// asked for that rests on it.
    pub(crate) fn listing(&mut self, folder: &Path, names: Vec<OsString>) {
        match Listing::look(folder, &names) {
            Some(found) => {
                let stamp = Mutex::default();
                self.premises.listings.push(Listing { folder: folder.to_owned(), names, found, stamp });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_changes_by_the_names_it_is_about_and_by_what_may_lead_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let names = [OsString::from("libc.so.6")];
        let look = || Listing::look(folder.path(), &names).unwrap();
        assert_eq!(Listing::look(&at("none"), &names), Some(Vec::new()));
        let before = look();
        std::fs::write(at("libother.so"), "").unwrap();
        assert_eq!(look(), before, "nobody looks for that");
        for change in [
            (&|| std::fs::write(at("libc.so.6"), "").unwrap()) as &dyn Fn(),
            &|| std::fs::create_dir(at("glibc-hwcaps")).unwrap(),
            &|| std::os::unix::fs::symlink("elsewhere", at("tls")).unwrap(),
        ] {
            let before = look();
            change();
            assert_ne!(look(), before);
        }
    }

    #[test]
    fn a_listing_is_made_again_whenever_its_folder_has_another_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let fingerprints = Fingerprints::new(std::sync::Arc::new(larder_service::SystemClock), 10);
        let mut collector = Collector::new(&fingerprints, &larder_service::SystemClock);
        collector.listing(&path, vec![OsString::from("libc.so.6")]);
        let premises = collector.finish();
        // Long after everything that is written here, and before it.
        for began in [u64::MAX / 2, 0] {
            let holds = || premises.listings_hold(&fingerprints, began);
            assert!(holds() && holds());
            let stamp = || Stamp::of(&path.metadata().unwrap());
            let before = stamp();
            while stamp() == before {
                std::fs::write(path.join("libother.so"), "").unwrap();
                std::fs::remove_file(path.join("libother.so")).unwrap();
            }
            assert!(holds(), "nobody looks for that");
            let before = stamp();
            while stamp() == before {
                std::fs::write(path.join("libc.so.6"), "").unwrap();
                if stamp() == before {
                    std::fs::remove_file(path.join("libc.so.6")).unwrap();
                }
            }
            assert!(!holds() && !holds());
            std::fs::remove_file(path.join("libc.so.6")).unwrap();
        }
        std::fs::remove_dir(&path).unwrap();
        assert!(premises.listings_hold(&fingerprints, 0), "what is not there has nothing");
    }

    #[test]
    fn every_premise_is_told_to_the_trail() {
        type Change = fn(&Path) -> std::io::Result<()>;
        let changes: [(&str, Change); 6] = [
            ("a file", |at| std::fs::write(at.join("file"), "something else")),
            ("a link", |at| {
                std::fs::remove_file(at.join("link"))?;
                std::os::unix::fs::symlink("elsewhere", at.join("link"))
            }),
            ("what was absent", |at| std::fs::write(at.join("absent"), "")),
            ("what was absent in no folder", |at| {
                std::fs::create_dir(at.join("none"))?;
                std::fs::write(at.join("none/absent"), "")
            }),
            ("a folder", |at| std::fs::write(at.join("folder/new"), "")),
            ("a folder that was not", |at| std::fs::create_dir(at.join("no folder"))),
        ];
        for (about, change) in changes {
            let folder = tempfile::tempdir().unwrap();
            let at = folder.path();
            std::fs::write(at.join("file"), "something").unwrap();
            std::fs::create_dir(at.join("folder")).unwrap();
            std::os::unix::fs::symlink("file", at.join("link")).unwrap();
            let fingerprints = Fingerprints::new(std::sync::Arc::new(larder_service::SystemClock), 10);
            let mut collector = Collector::new(&fingerprints, &larder_service::SystemClock);
            // As if it had begun long after all of this was written.
            collector.began = u64::MAX / 2;
            collector.file(&at.join("file")).unwrap();
            collector.follow(&at.join("link")).unwrap();
            assert!(collector.absent(&at.join("absent")) && collector.absent(&at.join("none/absent")));
            collector.folder(&at.join("folder"));
            collector.folder(&at.join("no folder"));
            let premises = collector.finish();
            let mut trail = Trail::begin(u64::MAX / 2);
            assert!(premises.hold(&fingerprints, &mut trail), "{about}");
            let proof = trail.finish().expect("nothing is young");
            assert!(proof.holds(), "{about}");
            // The clock of files goes in steps: a change in the same one may not show.
            let tick = tempfile::NamedTempFile::new().unwrap();
            let written = || Stamp::of(&tick.path().metadata().unwrap()).mtime_ns;
            let before = written();
            while written() == before {
                std::fs::write(tick.path(), "").unwrap();
            }
            change(at).unwrap();
            assert!(!proof.holds(), "{about} changed");
        }
    }
}
