//! Stamps: what the file system says about a file without its content being read.

use std::ffi::CStr;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use rustix::fs::{FileType, Stat};

use crate::absent;

/// On file systems that keep whole seconds, or two of them, a stamp says nothing about the latest such span.
const COARSEST_STEP_NS: u64 = 2_000_000_000;

/// Length of a stamp's stored form.
pub const STAMP_BYTES: usize = 5 * 8;

/// What the file system says about a file. Two equal, [old enough](Stamp::proves_content_at) stamps mean equal content.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// When the content last changed, as anyone may set it; Unix time, nanoseconds.
    pub mtime_ns: i64,
    /// When content or metadata last changed, as only the kernel sets it; Unix time, nanoseconds.
    pub ctime_ns: i64,
    /// Number of the file in its file system.
    pub inode: u64,
    /// Number of the file system.
    pub device: u64,
}

impl Stamp {
    /// The stamp in `metadata`.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }

    /// The stored form, little-endian, in the order of the fields.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; STAMP_BYTES] {
        let times = [self.mtime_ns, self.ctime_ns].map(i64::cast_unsigned);
        let mut bytes = [0; STAMP_BYTES];
        for (place, field) in
            bytes.chunks_exact_mut(8).zip([self.size, times[0], times[1], self.inode, self.device])
        {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }

    /// What [`Self::to_bytes`] wrote.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; STAMP_BYTES]) -> Self {
        let (fields, _) = bytes.as_chunks::<8>();
        let field = |at: usize| fields.get(at).map_or(0, |field| u64::from_le_bytes(*field));
        Self {
            size: field(0),
            mtime_ns: field(1).cast_signed(),
            ctime_ns: field(2).cast_signed(),
            inode: field(3),
            device: field(4),
        }
    }

    pub(crate) fn of_stat(found: &Stat) -> Self {
        Self {
            size: u64::try_from(found.st_size).unwrap_or(0),
            mtime_ns: nanoseconds(found.st_mtime, found.st_mtime_nsec.cast_signed()),
            ctime_ns: nanoseconds(found.st_ctime, found.st_ctime_nsec.cast_signed()),
            inode: found.st_ino,
            device: found.st_dev,
        }
    }

    /// Whether content read at or after `file_time_ns` (of the clock that stamps files) is what this stamp stands
    /// for from then on: a later change would show in it.
    ///
    /// A file changed in the clock's current step may be changed again without its stamp moving, and one dated in
    /// the future may be dated so by a clock that goes another way.
    #[must_use]
    pub fn proves_content_at(&self, file_time_ns: u64) -> bool {
        self.young_until().is_some_and(|until| until < file_time_ns)
    }

    /// The last time, of the clock that stamps files, at which this proves nothing; `None`: it never proves anything.
    #[must_use]
    pub fn young_until(&self) -> Option<u64> {
        let changed = u64::try_from(self.mtime_ns.max(self.ctime_ns)).ok()?;
        let step = if self.ctime_ns % 1_000_000_000 == 0 { COARSEST_STEP_NS } else { 0 };
        Some(changed.saturating_add(step))
    }
}

/// What kind of thing a path leads to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// An ordinary file.
    File,
    /// A folder.
    Folder,
    /// A device, a pipe, a socket.
    Other,
}

impl Kind {
    /// The kind that `metadata` is of.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        if metadata.is_file() {
            Self::File
        } else if metadata.is_dir() {
            Self::Folder
        } else {
            Self::Other
        }
    }
}

impl Kind {
    pub(crate) fn of_stat(found: &Stat) -> Self {
        match FileType::from_raw_mode(found.st_mode) {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Folder,
            _ => Self::Other,
        }
    }
}

/// Whether a path leads to anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Presence {
    /// Nothing is there, or a link that leads nowhere.
    Absent,
    /// Something is there.
    Present {
        /// What it is.
        kind: Kind,
        /// How it is stamped.
        stamp: Stamp,
    },
}

impl Presence {
    /// What is at `path`: what a link leads to where it is `followed`, else the link, which is of the [other
    /// kind](Kind::Other).
    ///
    /// # Errors
    /// Where that cannot be known.
    pub fn at(path: &CStr, followed: bool) -> io::Result<Self> {
        let found = if followed { rustix::fs::stat(path) } else { rustix::fs::lstat(path) };
        match found.map_err(io::Error::from) {
            Ok(found) => Ok(Self::Present { kind: Kind::of_stat(&found), stamp: Stamp::of_stat(&found) }),
            Err(error) if absent(&error) => Ok(Self::Absent),
            Err(error) => Err(error),
        }
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn stamp(mtime_ns: i64, ctime_ns: i64) -> Stamp {
        Stamp { size: 1, mtime_ns, ctime_ns, inode: 1, device: 1 }
    }

    #[test]
    fn only_times_strictly_before_the_reading_prove_anything() {
        assert!(stamp(10, 11).proves_content_at(12));
        assert!(!stamp(10, 12).proves_content_at(12), "changed in the current step");
        assert!(!stamp(12, 10).proves_content_at(12), "content changed in the current step");
        assert!(!stamp(99, 10).proves_content_at(12), "dated in the future");
        assert!(!stamp(-5, -5).proves_content_at(12), "dated before all time");
    }

    #[test]
    fn both_ways_to_look_at_a_file_see_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "text").expect("written");
        std::os::unix::fs::symlink("file", &link).expect("linked");
        let at = |path: &std::path::Path, followed| {
            let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("no zero in it");
            Presence::at(&path, followed).expect("it can be looked at")
        };
        let of =
            |metadata: &Metadata| Presence::Present { kind: Kind::of(metadata), stamp: Stamp::of(metadata) };
        let metadata = file.metadata().expect("there");
        assert_eq!(at(&file, true), of(&metadata));
        assert_eq!(at(&link, true), of(&metadata));
        assert_eq!(at(&link, false), of(&link.symlink_metadata().expect("there")));
        assert_eq!(at(folder.path(), true), of(&folder.path().metadata().expect("there")));
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(at(&link, true), Presence::Absent);
        assert_eq!(at(&file.join("below"), true), Presence::Absent);
    }

    #[test]
    fn a_change_time_in_whole_seconds_must_be_two_seconds_old() {
        let coarse = stamp(7 * SECOND, 7 * SECOND);
        assert!(!coarse.proves_content_at(9_000_000_000));
        assert!(coarse.proves_content_at(9_000_000_001));
    }
}
