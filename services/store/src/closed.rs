//! The note that a store leaves when it is closed: what it holds, and how its files were stamped. While they are stamped so,
//! the next one who opens it need not look at each.

use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use larder_service::Hasher;

use crate::bytes::{DecodeError, Fields};
use crate::catalog::Totals;
use crate::folder::{self, Folder};
use crate::index;

const VERSION: u8 = 1;

/// Such a note.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Closed {
    /// A digest of what [`state`] looks at.
    pub(crate) state: [u8; 32],
    pub(crate) totals: Totals,
}

impl Closed {
    /// The stored form, little-endian: version; state; bytes, blobs and actions.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.state);
        bytes.extend(self.totals.bytes.to_le_bytes());
        bytes.extend(self.totals.blobs.to_le_bytes());
        bytes.extend(self.totals.actions.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields(bytes);
        fields.version(VERSION)?;
        let state = fields.array()?;
        let bytes = u128::from_le_bytes(fields.array()?);
        let totals = Totals { bytes, blobs: fields.u64()?, actions: fields.u64()? };
        fields.end()?;
        Ok(Self { state, totals })
    }
}

/// Takes the note, which is good for one opening; the sums, if the store is as it was closed in this run of the machine.
pub(crate) fn take(folder: &Folder, boot: u64) -> Option<Totals> {
    let path = path(folder);
    let metadata = path.symlink_metadata().ok()?;
    let known = (metadata.is_file() && metadata.len() < 1000).then(|| std::fs::read(&path).ok()).flatten();
    // One that stays would be believed after a crash.
    folder::remove(&path).ok()?;
    let closed = Closed::decode(&known?).ok()?;
    (closed.state == state(folder, boot)?).then_some(closed.totals)
}

/// Leaves the note. Nothing is to be written to the store after that.
pub(crate) fn leave(folder: &Folder, boot: u64, totals: Totals) -> io::Result<()> {
    let Some(state) = state(folder, boot) else { return Ok(()) };
    folder::append(&path(folder))?.write_all(&Closed { state, totals }.encode())
}

/// A digest of the run of the machine, and of the stamps of the index and of all folders of blobs: no blob comes or goes, and
/// no page of the index is written, without a change of it.
fn state(folder: &Folder, boot: u64) -> Option<[u8; 32]> {
    let mut hasher = Hasher::key("closed store");
    hasher.field("boot", &boot.to_le_bytes());
    stamp(&mut hasher, &index::path(&folder.index()))?;
    stamp(&mut hasher, &folder.blobs())?;
    for shelf in 0..=u8::MAX {
        let path = folder.shelf_path(shelf);
        if stamp(&mut hasher, &path).is_none() {
            hasher.field("no shelf", &[shelf]);
        }
    }
    Some(hasher.finish_key().0)
}

fn stamp(hasher: &mut Hasher, path: &Path) -> Option<()> {
    let metadata = path.symlink_metadata().ok()?;
    hasher.field("device", &metadata.dev().to_le_bytes());
    hasher.field("inode", &metadata.ino().to_le_bytes());
    hasher.field("size", &metadata.len().to_le_bytes());
    for time in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
        hasher.field("time", &time.to_le_bytes());
    }
    Some(())
}

fn path(folder: &Folder) -> PathBuf {
    folder.index().join("closed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stored_form_is_that_of_version_1() {
        let totals = Totals { bytes: 1 << 70, blobs: 5, actions: 2 };
        let closed = Closed { state: [7; 32], totals };
        let golden = include_bytes!("../golden/closed.v1.bin");
        assert_eq!(closed.encode(), golden);
        assert_eq!(Closed::decode(golden), Ok(closed));
        for length in 0..golden.len() {
            assert!(Closed::decode(&golden[..length]).is_err(), "cut to {length}");
        }
        assert!(Closed::decode(&[&golden[..], &[0]].concat()).is_err());
        assert!(Closed::decode(&[&[2], &golden[1..]].concat()).is_err());
    }
}
