//! Which names there are in a tree, known from the stamps of its folders: a folder that is stamped as it was holds the names
//! that it held.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_service::{Clock as _, SystemClock};

use crate::{Kind, Presence, Stamp};

/// A folder that was looked into.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    /// From the root, as bytes; empty for the root.
    pub path: Box<[u8]>,
    /// Its stamp before it was listed.
    pub stamp: Stamp,
}

/// File systems of which it is known that they stamp a folder whenever a name comes or goes, by the number that statfs(2) gives
/// them: ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, bcachefs, ZFS. Procfs for one does not.
#[cfg(target_os = "linux")]
const STAMPING: [u32; 8] =
    [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0xf2f5_2010, 0xca45_1a4e, 0x2fc1_2fc1];

/// The folders of one walk; they tell which names there are only if all of them are known and no link was followed.
pub(crate) struct Listing {
    folders: Mutex<Option<Vec<Folder>>>,
    /// Devices, and whether their file systems stamp folders.
    systems: Mutex<HashMap<u64, bool>>,
}

impl Listing {
    pub(crate) fn new() -> Self {
        Self { folders: Mutex::new(Some(Vec::new())), systems: Mutex::default() }
    }

    /// The folder at `path`, before it is listed.
    pub(crate) fn enter(&self, from_root: &[u8], path: &Path) {
        if self.folders().is_none() {
            return;
        }
        let now = SystemClock.file_time_ns();
        let stamp = stamp_of(path).filter(|stamp| proves(stamp, now) && self.is_stamped(path, stamp.device));
        let Some(stamp) = stamp else { return self.give_up() };
        if let Some(folders) = &mut *self.folders() {
            folders.push(Folder { path: from_root.into(), stamp });
        }
    }

    /// Folders alone do not tell which names there are.
    pub(crate) fn give_up(&self) {
        *self.folders() = None;
    }

    /// In byte order; none where they do not tell which names there are.
    pub(crate) fn take_folders(&self) -> Vec<Folder> {
        let mut folders = self.folders().take().unwrap_or_default();
        folders.sort_unstable();
        folders
    }

    fn folders(&self) -> MutexGuard<'_, Option<Vec<Folder>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stamped(&self, path: &Path, device: u64) -> bool {
        let mut systems = self.systems.lock().unwrap_or_else(PoisonError::into_inner);
        *systems.entry(device).or_insert_with(|| is_stamped(path))
    }
}

#[cfg(target_os = "linux")]
fn is_stamped(path: &Path) -> bool {
    // The number has 32 bits, whatever the width of the field.
    rustix::fs::statfs(path).is_ok_and(|system| STAMPING.contains(&(system.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn is_stamped(_: &Path) -> bool {
    false
}

/// The stamp of the folder at `path`, which is no link.
pub(crate) fn stamp_of(path: &Path) -> Option<Stamp> {
    match Presence::at(&CString::new(path.as_os_str().as_bytes()).ok()?, false) {
        Ok(Presence::Present { kind: Kind::Folder, stamp }) => Some(stamp),
        _ => None,
    }
}

/// Whether a name that comes or goes from `now` on, of the clock of files, shows in `stamp`. Some file systems have no times for
/// their root.
fn proves(stamp: &Stamp, now: u64) -> bool {
    stamp.mtime_ns > 0 && stamp.ctime_ns > 0 && stamp.proves_content_at(now)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, FileTimes};
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn one_folder_whose_stamp_proves_nothing_leaves_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let dated = |when| {
            let times = FileTimes::new().set_modified(when);
            File::open(folder.path()).and_then(|open| open.set_times(times)).expect("dated");
            let changed = SystemClock.unix_ns();
            while SystemClock.file_time_ns() <= changed {
                std::thread::yield_now();
            }
            let listing = Listing::new();
            listing.enter(b"", folder.path());
            listing
        };
        let now = SystemTime::now();
        assert_eq!(dated(now).take_folders().len(), 1);
        assert_eq!(dated(now + Duration::from_hours(1)).take_folders(), [], "a change would not show");
        assert_eq!(dated(SystemTime::UNIX_EPOCH).take_folders(), [], "a file system without times");
        let listing = dated(now);
        listing.enter(b"file", &folder.path().join("absent"));
        listing.enter(b"", folder.path());
        assert_eq!(listing.take_folders(), []);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_does_not_stamp_folders_is_known() {
        assert!(!is_stamped(Path::new("/proc")));
        assert!(is_stamped(&std::env::temp_dir()));
    }
}
