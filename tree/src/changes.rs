//! Whether anything has changed since the last success.

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use larder_service::{Clock, SystemClock};

use crate::listed::Listing;
use crate::revisit::{has_its_names, revisit};
use crate::walk::{self, Looked, Visit, read_one};
use crate::{
    Discard, Entry, FingerprintError, Found, Kept, Reading, Selection, Snapshot, Stamp, State, TreeError,
    read,
};

/// Reads one file; may answer from memory where that is proven.
pub trait Reader: Sync {
    /// Content and stamp of the ordinary file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or is no ordinary file.
    fn read(&self, path: &Path) -> Result<Reading, FingerprintError>;
}

/// Reads every file.
pub struct Plain<'a>(&'a dyn Clock);

impl<'a> Plain<'a> {
    /// By the time that `clock` shows.
    #[must_use]
    pub fn new(clock: &'a dyn Clock) -> Self {
        Self(clock)
    }
}

impl Plain<'static> {
    /// By the system's time.
    #[must_use]
    pub fn by_system_time() -> Self {
        Self(&SystemClock)
    }
}

impl Reader for Plain<'_> {
    fn read(&self, path: &Path) -> Result<Reading, FingerprintError> {
        read(path, self.0, u64::MAX, &mut Discard)
    }
}

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Stamps first; the content only where a stamp is another, or proves nothing.
    TwoLayer,
    /// The content of every file.
    Content,
}

/// Paths from the root, each list in byte order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// There now and not at the last success.
    pub added: Vec<Vec<u8>>,
    /// There at the last success and not now.
    pub removed: Vec<Vec<u8>>,
    /// With another content, or executable when it was not, or the other way round.
    pub changed: Vec<Vec<u8>>,
    /// Cannot be looked at, and so counts as changed.
    pub unreadable: Vec<Vec<u8>>,
}

impl Changes {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.removed.is_empty()
            && self.changed.is_empty()
            && self.unreadable.is_empty()
    }
}

/// The answer to a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Nothing has to be done.
    pub unchanged: bool,
    /// What differs from the last success with this selection.
    pub changes: Changes,
    /// Why there is something to do although no file may have changed; empty where files alone are the reason.
    pub because: &'static str,
    /// How many files were looked at.
    pub files: u64,
    /// What is to be kept from now on; `None`: what was kept before.
    pub state: Option<State>,
}

/// No success is known.
const NEVER: &str = "no success was marked before";
/// What was kept is lost.
const DAMAGED: &str = "what was kept is damaged or of another version";
/// The selection is another one.
const OTHER_SELECTION: &str = "the last success was with another selection of files";
/// The last work failed.
const FAILED: &str = "the last work failed";
/// The last work was not marked.
const UNMARKED: &str = "the last work was not marked as a success";

/// Compares the files of `selection` with the last success in `kept`, passing by the file with the device and inode
/// `skip`.
///
/// # Errors
/// When the root cannot be listed, or the walk does not come to an end.
pub fn check(
    selection: &Selection,
    depth: Depth,
    kept: Kept,
    skip: Option<(u64, u64)>,
    reader: &dyn Reader,
) -> Result<Checked, TreeError> {
    let id = selection.id();
    let (earlier, because) = match kept {
        Kept::Nothing => (None, NEVER),
        Kept::Damaged => (None, DAMAGED),
        Kept::State(state) if state.selection != id => (None, OTHER_SELECTION),
        Kept::State(state) => {
            let because = match (&state.success, state.failed, &state.pending) {
                (None, ..) => NEVER,
                (_, true, _) => FAILED,
                (_, _, Some(_)) => UNMARKED,
                _ => "",
            };
            (state.success, because)
        }
    };
    let known = earlier.is_some();
    let earlier = earlier.unwrap_or_default();
    let seen = Seen::default();
    let comparison = Comparison::new(&earlier, depth, reader);
    let comparing = || Comparing {
        comparison: &comparison,
        folder: (Vec::new(), comparison.earlier.below(b"")),
        next: 0,
        part: Seen::default(),
        seen: &seen,
    };
    // Who wants every file read trusts no stamp.
    let folders = if depth == Depth::TwoLayer && has_its_names(selection, &earlier) {
        revisit(selection, skip, &earlier, comparing)?;
        None
    } else {
        let listing = Arc::new(Listing::new());
        walk::walk(selection, skip, Some(&listing), comparing)?;
        Some(listing.take_folders())
    };
    let Lists { new, refreshed, unchanged } = seen.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    let changes = comparison.changes(&new);
    let files = (unchanged + new.len() + refreshed.len()) as u64;
    let nothing = known && because.is_empty() && changes.is_empty();
    let failed = because == FAILED;
    let lists_better =
        folders.as_ref().is_some_and(|folders| !folders.is_empty() && *folders != earlier.folders);
    if nothing && refreshed.is_empty() && !lists_better {
        return Ok(Checked { unchanged: true, changes, because, files, state: None });
    }
    let met = comparison.into_met();
    let folders = folders.unwrap_or_else(|| earlier.folders.clone());
    let now = Snapshot { folders, ..now(&earlier, &met, new, refreshed) };
    let state = if nothing {
        State { selection: id, failed: false, success: Some(now), pending: None }
    } else {
        State { selection: id, failed, success: known.then_some(earlier), pending: Some(now) }
    };
    Ok(Checked { unchanged: nothing, changes, because, files, state: Some(state) })
}

/// All that is there now: what is as it was, and what is not.
fn now(earlier: &Snapshot, met: &[bool], new: Vec<Entry>, refreshed: Vec<(usize, Stamp)>) -> Snapshot {
    let replaced: std::collections::HashSet<&[u8]> = new.iter().map(|entry| &*entry.path).collect();
    let stamps: HashMap<usize, Stamp> = refreshed.into_iter().collect();
    let kept =
        earlier.entries.iter().enumerate().filter(|(at, entry)| met[*at] && !replaced.contains(&*entry.path));
    let mut entries: Vec<Entry> = kept
        .map(|(at, entry)| {
            let mut entry = entry.clone();
            if let (Some(later), Found::File { stamp, .. }) = (stamps.get(&at), &mut entry.found) {
                *stamp = *later;
            }
            entry
        })
        .collect();
    entries.extend(new);
    Snapshot::of(entries)
}

/// What was found at the last success, to be held against what is there.
struct Comparison<'a> {
    earlier: &'a Snapshot,
    met: Vec<AtomicBool>,
    depth: Depth,
    reader: &'a dyn Reader,
}

/// What one thread came across, or all of them.
#[derive(Default)]
struct Seen(Mutex<Lists>);

#[derive(Default)]
struct Lists {
    /// Not as it was.
    new: Vec<Entry>,
    /// As it was, under another stamp.
    refreshed: Vec<(usize, Stamp)>,
    /// How many are as they were.
    unchanged: usize,
}

impl<'a> Comparison<'a> {
    fn new(earlier: &'a Snapshot, depth: Depth, reader: &'a dyn Reader) -> Self {
        let met = earlier.entries.iter().map(|_| AtomicBool::new(false)).collect();
        Self { earlier, met, depth, reader }
    }

    fn into_met(self) -> Vec<bool> {
        self.met.into_iter().map(AtomicBool::into_inner).collect()
    }

    fn changes(&self, new: &[Entry]) -> Changes {
        let mut changes = Changes::default();
        for entry in new {
            let list = match &entry.found {
                Found::Unreadable => &mut changes.unreadable,
                _ if self.earlier.place(&entry.path).is_some() => &mut changes.changed,
                _ => &mut changes.added,
            };
            list.push(entry.path.to_vec());
        }
        let gone = self.met.iter().zip(&self.earlier.entries).filter(|(met, _)| !met.load(Ordering::Relaxed));
        changes.removed = gone.map(|(_, entry)| entry.path.to_vec()).collect();
        changes.added.sort_unstable();
        changes.changed.sort_unstable();
        changes.unreadable.sort_unstable();
        changes
    }
}

/// One thread of a comparison.
struct Comparing<'a> {
    comparison: &'a Comparison<'a>,
    /// The folder that was looked into last, and the places of what was below it.
    folder: (Vec<u8>, Range<usize>),
    /// The place after the one that was found last.
    next: usize,
    part: Seen,
    seen: &'a Seen,
}

impl Comparing<'_> {
    fn part(&mut self) -> &mut Lists {
        self.part.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn compare(&mut self, place: Option<usize>, from_root: &[u8], found: Found) {
        let earlier = place.map(|at| (at, &self.comparison.earlier.entries[at].found));
        match earlier {
            Some((at, earlier)) if earlier.is_same(&found) => {
                if let (Found::File { stamp, .. }, true) = (found, *earlier != found) {
                    self.part().refreshed.push((at, stamp));
                } else {
                    self.part().unchanged += 1;
                }
            }
            _ => self.part().new.push(Entry { path: from_root.into(), found }),
        }
    }

    /// The place of the entry for `from_root`. Files come folder by folder, and in their order where they are known already.
    fn place(&mut self, from_root: &[u8]) -> Option<usize> {
        let earlier = self.comparison.earlier;
        if earlier.entries.get(self.next).is_some_and(|entry| *entry.path == *from_root) {
            self.next += 1;
            return Some(self.next - 1);
        }
        let folder = from_root.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |at| &from_root[..at]);
        if self.folder.0 != folder {
            self.folder = (folder.to_vec(), earlier.below(folder));
        }
        let Range { start, end } = self.folder.1;
        let below = &earlier.entries[start..end];
        let at = start + below.binary_search_by(|entry| (*entry.path).cmp(from_root)).ok()?;
        self.next = at + 1;
        Some(at)
    }

    fn meet(&mut self, from_root: &[u8]) -> Option<usize> {
        let place = self.place(from_root)?;
        self.comparison.met[place].store(true, Ordering::Relaxed);
        Some(place)
    }
}

impl Visit for Comparing<'_> {
    fn file(&mut self, from_root: &[u8], path: &Path, looked: Looked) {
        let place = self.place(from_root);
        if let (Some(at), Depth::TwoLayer) = (place, self.comparison.depth)
            && let Found::File { stamp, executable, .. } = self.comparison.earlier.entries[at].found
            && stamp == looked.stamp
            && executable == looked.executable
        {
            self.comparison.met[at].store(true, Ordering::Relaxed);
            self.part().unchanged += 1;
            return;
        }
        // What has vanished meanwhile was not met.
        if let Some(found) = read_one(self.comparison.reader, path) {
            let place = self.meet(from_root);
            self.compare(place, from_root, found);
        }
    }

    fn other(&mut self, from_root: &[u8], found: Found) {
        let place = self.meet(from_root);
        self.compare(place, from_root, found);
    }
}

impl Drop for Comparing<'_> {
    fn drop(&mut self) {
        let part = std::mem::take(self.part());
        let mut all = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.new.extend(part.new);
        all.refreshed.extend(part.refreshed);
        all.unchanged += part.unchanged;
    }
}
