//! Looking at every file of a selection, on all processors.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};
use larder_service::Digest;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Stat};

use crate::listed::Listing;
use crate::{Entry, FingerprintError, Found, Kind, Reader, Selection, Snapshot, Stamp, absent};

/// Most paths that one walk looks at: links can make a small tree a huge one.
const MAX_PATHS: usize = 4_000_000;

/// The mode's bit that lets a file's owner execute it.
const OWNER_EXECUTES: u32 = 0o100;

/// Most threads of one walk.
pub(crate) const MAX_THREADS: usize = 16;

/// Why a folder could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The root cannot be listed.
    #[error("failed to list {}", .root.display())]
    Root {
        /// As it was given.
        root: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The walk does not come to an end.
    #[error("failed to list {}: it has more than {MAX_PATHS} files and folders\nhint: a link may lead out of it; leave it out with --exclude", .root.display())]
    TooLarge {
        /// As it was given.
        root: PathBuf,
    },
    /// The walk failed without saying where.
    #[error("failed to list {}: {why}", .root.display())]
    Walk {
        /// As it was given.
        root: PathBuf,
        /// What it says.
        why: String,
    },
}

/// What a walk comes across, on any of its threads.
pub(crate) trait Visit: Send {
    /// The ordinary file at `path`, `from_root` as bytes.
    fn file(&mut self, from_root: &[u8], path: &Path, looked: Looked);
    /// Anything else.
    fn other(&mut self, from_root: &[u8], found: Found);
}

/// What a look at a file says.
#[derive(Clone, Copy)]
pub(crate) struct Looked {
    pub(crate) stamp: Stamp,
    pub(crate) executable: bool,
}

/// Shows every file of `selection` to one of the visitors that `visitor` makes; the file with the device and inode
/// `skip` is passed by. Tells `listing` which folders were looked into.
pub(crate) fn walk<'s, V: Visit + 's>(
    selection: &Selection,
    skip: Option<(u64, u64)>,
    listing: Option<&Arc<Listing>>,
    visitor: impl Fn() -> V + Sync + 's,
) -> Result<(), TreeError> {
    let root = selection.root();
    let failed = |source| TreeError::Root { root: root.to_owned(), source };
    std::fs::read_dir(root).map_err(failed)?;
    let heeds = selection.heeds_ignore_rules();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS);
    let mut walker = WalkBuilder::new(root);
    walker
        .standard_filters(false)
        .git_ignore(heeds)
        .git_exclude(heeds)
        .ignore(heeds)
        .parents(heeds)
        // What lies elsewhere must not decide what of a tree counts.
        .git_global(false)
        .require_git(false)
        .follow_links(true)
        .threads(threads);
    if let Some(listing) = listing {
        // Rules stand in files, which no folder's stamp tells of.
        if heeds {
            listing.give_up();
        }
        listing.enter(b"", root);
    }
    if selection.leaves_out() || listing.is_some() {
        let (selection, listing) = (selection.clone(), listing.cloned());
        // A folder is shown to this before it is listed.
        walker.filter_entry(move |entry| {
            if entry.depth() == 0 {
                return true;
            }
            let Ok(from_root) = entry.path().strip_prefix(&selection.root) else { return true };
            let is_in = !selection.excludes(from_root);
            // Each time that file is written its folder changes.
            let is_skipped = skip.is_some_and(|(_, inode)| entry.ino() == Some(inode));
            match &listing {
                Some(listing) if is_skipped || (is_in && entry.path_is_symlink()) => listing.give_up(),
                Some(listing) if is_in && entry.file_type().is_some_and(|kind| kind.is_dir()) => {
                    listing.enter(from_root.as_os_str().as_bytes(), entry.path());
                }
                _ => {}
            }
            is_in
        });
    }
    let walk = Shared::new(selection, skip, listing.map(|listing| &**listing));
    walker.build_parallel().visit(&mut Builder { walk: &walk, visitor: &visitor });
    walk.end()
}

/// What the threads of a walk share.
pub(crate) struct Shared<'a> {
    selection: &'a Selection,
    skip: Option<(u64, u64)>,
    listing: Option<&'a Listing>,
    root_bytes: usize,
    paths: AtomicUsize,
    too_large: AtomicBool,
    error: Mutex<Option<String>>,
}

impl<'a> Shared<'a> {
    pub(crate) fn new(
        selection: &'a Selection,
        skip: Option<(u64, u64)>,
        listing: Option<&'a Listing>,
    ) -> Self {
        Self {
            selection,
            skip,
            listing,
            root_bytes: selection.root().as_os_str().as_bytes().len(),
            paths: AtomicUsize::new(0),
            too_large: AtomicBool::new(false),
            error: Mutex::new(None),
        }
    }

    /// Whether all was looked at.
    pub(crate) fn end(self) -> Result<(), TreeError> {
        let root = self.selection.root().to_owned();
        if self.too_large.into_inner() {
            return Err(TreeError::TooLarge { root });
        }
        match self.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(TreeError::Walk { root, why }),
            None => Ok(()),
        }
    }
}

struct Builder<'a, F> {
    walk: &'a Shared<'a>,
    visitor: &'a F,
}

impl<'s, V: Visit + 's, F: Fn() -> V> ParallelVisitorBuilder<'s> for Builder<'s, F> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 's> {
        Box::new(Visitor::new(self.walk, (self.visitor)()))
    }
}

/// One thread of a walk.
pub(crate) struct Visitor<'a, V> {
    walk: &'a Shared<'a>,
    visitor: V,
    /// The folder of the file that was looked at last. Others are likely to follow, and a look from there is shorter.
    folder: Option<(Vec<u8>, OwnedFd)>,
}

impl<V: Visit> ParallelVisitor for Visitor<'_, V> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        if self.walk.paths.fetch_add(1, Ordering::Relaxed) >= MAX_PATHS {
            self.walk.too_large.store(true, Ordering::Relaxed);
            return WalkState::Quit;
        }
        match entry {
            Ok(entry) if entry.file_type().is_some_and(|kind| kind.is_dir()) => {}
            Ok(entry) => self.file(entry.path(), entry.path_is_symlink()),
            Err(error) => match path_of(&error) {
                Some(path) => self.trouble(path),
                None => {
                    let mut first = self.walk.error.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert_with(|| error.to_string());
                    return WalkState::Quit;
                }
            },
        }
        WalkState::Continue
    }
}

impl<'a, V: Visit> Visitor<'a, V> {
    pub(crate) fn new(walk: &'a Shared<'a>, visitor: V) -> Self {
        Self { walk, visitor, folder: None }
    }

    /// Whatever is at `path`, which was no folder when its name was listed.
    pub(crate) fn file(&mut self, path: &Path, is_link: bool) {
        let Some(from_root) = self.below_root(path) else { return };
        if !self.walk.selection.includes(Path::new(std::ffi::OsStr::from_bytes(from_root))) {
            return;
        }
        match self.look(path, is_link) {
            Ok(found) if Kind::of_stat(&found) == Kind::File => {
                let looked =
                    Looked { stamp: Stamp::of_stat(&found), executable: found.st_mode & OWNER_EXECUTES != 0 };
                if self.walk.skip != Some((looked.stamp.device, looked.stamp.inode)) {
                    self.visitor.file(from_root, path, looked);
                }
            }
            // It was no folder when the folder it is in was listed, and so was not looked into.
            Ok(found) if Kind::of_stat(&found) == Kind::Folder => {
                self.visitor.other(from_root, Found::Unreadable);
            }
            Ok(_) => self.visitor.other(from_root, Found::Other),
            Err(_) => self.trouble(path),
        }
    }

    fn look(&mut self, path: &Path, is_link: bool) -> rustix::io::Result<Stat> {
        let flags = if is_link { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
        let bytes = path.as_os_str().as_bytes();
        let Some(slash) = bytes.iter().rposition(|byte| *byte == b'/') else {
            return rustix::fs::statat(CWD, path, flags);
        };
        let (folder, name) = (&bytes[..=slash], &bytes[slash + 1..]);
        if self.folder.as_ref().is_none_or(|(known, _)| known != folder) {
            let opened =
                rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
            self.folder = opened.ok().map(|opened| (folder.to_owned(), opened));
        }
        match &self.folder {
            Some((_, folder)) => rustix::fs::statat(folder, name, flags),
            None => rustix::fs::statat(CWD, path, flags),
        }
    }

    /// What is at `path`, where the walk could not look: gone, a link that leads nowhere, or closed to us.
    fn trouble(&mut self, path: &Path) {
        if let Some(listing) = self.walk.listing {
            listing.give_up();
        }
        let Some(from_root) = self.below_root(path) else {
            let mut first = self.walk.error.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| "the root cannot be listed".to_owned());
            return;
        };
        let selection = self.walk.selection;
        let from_root_path = Path::new(std::ffi::OsStr::from_bytes(from_root));
        if selection.excludes(from_root_path) {
            return;
        }
        match path.symlink_metadata() {
            Err(error) if absent(&error) => {}
            // Should it lead to a folder one day, that folder's files appear then.
            Ok(metadata) if metadata.is_symlink() && !selection.includes(from_root_path) => {}
            Ok(metadata) if metadata.is_symlink() => {
                let text = std::fs::read_link(path).map(|text| Digest::of(text.as_os_str().as_bytes()));
                self.visitor.other(from_root, text.map_or(Found::Unreadable, Found::Link));
            }
            Ok(metadata) if metadata.is_dir() || selection.includes(from_root_path) => {
                self.visitor.other(from_root, Found::Unreadable);
            }
            Ok(_) => {}
            Err(_) => self.visitor.other(from_root, Found::Unreadable),
        }
    }

    fn below_root<'p>(&self, path: &'p Path) -> Option<&'p [u8]> {
        let rest = path.as_os_str().as_bytes().get(self.walk.root_bytes..)?;
        let rest = rest.strip_prefix(b"/").unwrap_or(rest);
        (!rest.is_empty()).then_some(rest)
    }
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Partial(errors) => errors.first().and_then(path_of),
        _ => None,
    }
}

/// What reading the file at `path` found.
pub(crate) fn read_one(reader: &dyn Reader, path: &Path) -> Option<Found> {
    let executable = match path.metadata() {
        Ok(metadata) => is_executable(&metadata),
        Err(error) if absent(&error) => return None,
        Err(_) => return Some(Found::Unreadable),
    };
    match reader.read(path) {
        Ok(reading) => {
            let stamp = if reading.lasting { reading.stamp } else { Stamp::default() };
            Some(Found::File { digest: reading.digest, executable, stamp })
        }
        Err(FingerprintError::Missing { .. }) => None,
        Err(_) => Some(Found::Unreadable),
    }
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    metadata.mode() & OWNER_EXECUTES != 0
}

/// Reads every file of `selection`.
///
/// # Errors
/// When the root cannot be listed, or the walk does not come to an end.
pub fn snapshot(selection: &Selection, reader: &dyn Reader) -> Result<Snapshot, TreeError> {
    let all = Mutex::new(Vec::new());
    walk(selection, None, None, || Reading { reader, entries: Vec::new(), all: &all })?;
    Ok(Snapshot::of(all.into_inner().unwrap_or_else(PoisonError::into_inner)))
}

/// Reads what it is shown.
struct Reading<'a> {
    reader: &'a dyn Reader,
    entries: Vec<Entry>,
    all: &'a Mutex<Vec<Entry>>,
}

impl Visit for Reading<'_> {
    fn file(&mut self, from_root: &[u8], path: &Path, _: Looked) {
        if let Some(found) = read_one(self.reader, path) {
            self.entries.push(Entry { path: from_root.into(), found });
        }
    }

    fn other(&mut self, from_root: &[u8], found: Found) {
        self.entries.push(Entry { path: from_root.into(), found });
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).append(&mut self.entries);
    }
}
