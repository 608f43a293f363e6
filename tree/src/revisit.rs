//! Looking at every file of a tree whose folders hold the names that they held, so that none of them is listed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::listed::stamp_of;
use crate::walk::{MAX_THREADS, Shared, Visit, Visitor};
use crate::{Selection, Snapshot, TreeError};

/// How many folders or files a thread looks at before it asks for more.
const SHARE: usize = 512;

/// Whether the names below the root of `selection` are those that were there when `earlier` was found.
pub(crate) fn has_its_names(selection: &Selection, earlier: &Snapshot) -> bool {
    let same = AtomicBool::new(!earlier.folders.is_empty());
    on_all_processors(&earlier.folders, || {
        |folder| {
            let path = selection.root().join(OsStr::from_bytes(&folder.path));
            if same.load(Ordering::Relaxed) && stamp_of(&path) != Some(folder.stamp) {
                same.store(false, Ordering::Relaxed);
            }
        }
    });
    same.into_inner()
}

/// Shows every file of `earlier` to one of the visitors that `visitor` makes, as a walk would.
pub(crate) fn revisit<V: Visit>(
    selection: &Selection,
    skip: Option<(u64, u64)>,
    earlier: &Snapshot,
    visitor: impl Fn() -> V + Sync,
) -> Result<(), TreeError> {
    let shared = Shared::new(selection, skip, None);
    let mut root = selection.root().as_os_str().as_bytes().to_vec();
    if !root.ends_with(b"/") {
        root.push(b'/');
    }
    on_all_processors(&earlier.entries, || {
        let (mut path, kept) = (root.clone(), root.len());
        let mut thread = Visitor::new(&shared, visitor());
        move |entry| {
            path.truncate(kept);
            path.extend_from_slice(&entry.path);
            thread.file(Path::new(OsStr::from_bytes(&path)), false);
        }
    });
    shared.end()
}

/// Shows each of `all` to one of the workers that `worker` makes, each on a thread of its own.
fn on_all_processors<T: Sync, W: FnMut(&T)>(all: &[T], worker: impl Fn() -> W + Sync) {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut show = worker();
        while let Some(rest) =
            all.get(next.fetch_add(SHARE, Ordering::Relaxed)..).filter(|rest| !rest.is_empty())
        {
            rest.iter().take(SHARE).for_each(&mut show);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..processors.min(MAX_THREADS).min(all.len().div_ceil(SHARE)) {
            scope.spawn(work);
        }
        work();
    });
}
