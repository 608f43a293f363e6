//! Whether a file is a copy of another whose content is known.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use larder_service::{Clock, Digest};

use crate::read::open;
use crate::{Reading, Stamp};

/// Read of both at once, bytes: little enough to stay in a processor's own memory.
const CHUNK: usize = 64 << 10;

/// A file of known content.
#[derive(Clone, Debug)]
pub struct Original {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds, as long as it is stamped so.
    pub digest: Digest,
    /// Unix time, nanoseconds.
    pub mtime_ns: i64,
    /// Unix time, nanoseconds.
    pub ctime_ns: i64,
    /// Number of the file in its file system.
    pub inode: u64,
}

impl Original {
    fn is(&self, stamp: &Stamp) -> bool {
        (stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode)
            == (self.digest.size, self.mtime_ns, self.ctime_ns, self.inode)
    }
}

/// What reading the file at `path` would find, if it holds what `original` does; `None` where it does not, or that cannot be
/// seen.
pub fn as_copy(path: &Path, original: &Original, clock: &dyn Clock) -> Option<Reading> {
    // Read before everything else: what changes after this has a time that is not before it.
    let began = clock.file_time_ns();
    let (mut file, mut known) = (open(path).ok()?, open(&original.path).ok()?);
    let look =
        |file: &File| file.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| Stamp::of(&found));
    let stamp = look(&file)?;
    if stamp.size != original.digest.size {
        return None;
    }
    let same = is_same(&mut file, &mut known, stamp.size).ok()?;
    // Had the original been another before, its stamp would say so now.
    let unchanged = look(&file)? == stamp && original.is(&look(&known)?);
    (same && unchanged).then(|| Reading {
        digest: original.digest,
        stamp,
        lasting: stamp.proves_content_at(began),
    })
}

/// Whether both have the same `size` bytes, and no more.
fn is_same(one: &mut File, other: &mut File, size: u64) -> io::Result<bool> {
    let (mut here, mut there) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut left = size;
    while left > 0 {
        let length = CHUNK.min(usize::try_from(left).unwrap_or(CHUNK));
        one.read_exact(&mut here[..length])?;
        other.read_exact(&mut there[..length])?;
        if here[..length] != there[..length] {
            return Ok(false);
        }
        left -= length as u64;
    }
    Ok(one.read(&mut here[..1])? == 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use larder_service::SystemClock;

    use super::*;
    use crate::{Discard, read};

    fn original(path: &Path) -> Original {
        let reading = read(path, &SystemClock, u64::MAX, &mut Discard).expect("read");
        let Stamp { mtime_ns, ctime_ns, inode, .. } = reading.stamp;
        Original { path: path.to_owned(), digest: reading.digest, mtime_ns, ctime_ns, inode }
    }

    #[test]
    fn a_copy_has_the_digest_of_its_original_and_everything_else_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let long = |last: u8| [&vec![7; 2 * CHUNK + 5][..], &[last]].concat();
        fs::write(at("original"), long(1)).expect("written");
        fs::copy(at("original"), at("copy")).expect("copied");
        fs::write(at("last"), long(2)).expect("written");
        fs::write(at("first"), [&[8][..], &long(1)[1..]].concat()).expect("written");
        fs::write(at("longer"), [long(1), vec![1]].concat()).expect("written");
        fs::write(at("shorter"), &long(1)[1..]).expect("written");
        fs::create_dir(at("folder")).expect("made");
        let original = original(&at("original"));
        let copy = as_copy(&at("copy"), &original, &SystemClock).expect("a copy");
        let read = read(&at("copy"), &SystemClock, u64::MAX, &mut Discard).expect("read");
        assert_eq!((copy.digest, copy.stamp), (read.digest, read.stamp));
        for name in ["last", "first", "longer", "shorter", "folder", "absent"] {
            assert_eq!(as_copy(&at(name), &original, &SystemClock), None, "{name}");
        }
    }

    #[test]
    fn an_original_that_is_stamped_otherwise_tells_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (folder.path().join("original"), folder.path().join("copy"));
        fs::write(&one, "content").expect("written");
        let before = original(&one);
        // Both hold the same, and it is not what the digest is of.
        for path in [&one, &other] {
            fs::remove_file(path).ok();
            fs::write(path, "CONTENT").expect("written");
        }
        let swapped = Original { inode: original(&one).inode, ..before.clone() };
        for known in [before, swapped] {
            if original(&one).ctime_ns != known.ctime_ns {
                assert_eq!(as_copy(&other, &known, &SystemClock), None);
            }
        }
        fs::remove_file(&one).expect("removed");
        assert_eq!(as_copy(&other, &Original { path: one, ..original(&other) }, &SystemClock), None);
    }

    #[test]
    fn a_copy_that_is_as_young_as_the_clock_does_not_last() {
        struct Stopped(u64);
        impl Clock for Stopped {
            fn unix_ns(&self) -> u64 {
                self.0
            }
            fn file_time_ns(&self) -> u64 {
                self.0
            }
            fn monotonic_ns(&self) -> u64 {
                self.0
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (folder.path().join("original"), folder.path().join("copy"));
        fs::write(&one, "content").expect("written");
        fs::copy(&one, &other).expect("copied");
        let original = original(&one);
        let changed =
            u64::try_from(Stamp::of(&other.metadata().expect("there")).ctime_ns).expect("after 1970");
        let lasts = |now| as_copy(&other, &original, &Stopped(now)).expect("a copy").lasting;
        assert!(!lasts(changed) && lasts(changed + 3_000_000_000));
    }
}
