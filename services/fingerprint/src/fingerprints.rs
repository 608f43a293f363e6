//! The questions that can be asked about files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use larder_service::{Clock, Digest, NoteError, Reader};

use larder_tree::{Discard, MAX_CONTENT_BYTES, Original, Reading, absent, as_copy, read};

use crate::copies::Copies;
use crate::memo::Memo;
use crate::noted::{self, NOTE};
use crate::readers::Readers;
use crate::{FingerprintError, Kind, Presence, Stamp};

/// Content of a file, and the stamp it was read under.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint {
    /// Digest of the content.
    pub digest: Digest,
    /// Stamp before and after the content was read.
    pub stamp: Stamp,
}

/// Answers what is at a path now, reading content only when no earlier answer is proven to hold.
///
/// Paths should be absolute. Links are followed, as a tool that opens the path would.
pub struct Fingerprints {
    clock: Arc<dyn Clock>,
    memo: Memo,
    readers: Readers,
    copies: Copies,
}

/// From this size on nobody reads a file that somebody else is reading: to wait takes less than to read it as well.
const SHARED_BYTES: u64 = 256 << 10;

impl Fingerprints {
    /// Remembers about `max_entries` files, those least recently used being forgotten first.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, max_entries: usize) -> Self {
        Self { clock, memo: Memo::new(max_entries), readers: Readers::default(), copies: Copies::default() }
    }

    /// What is at `path`, links followed.
    ///
    /// # Errors
    /// [`FingerprintError::Unreadable`] when that cannot be known: a folder on the way refuses, links form a circle.
    pub fn presence(&self, path: &Path) -> Result<Presence, FingerprintError> {
        match std::fs::metadata(path) {
            Ok(metadata) => Ok(Presence::Present { kind: Kind::of(&metadata), stamp: Stamp::of(&metadata) }),
            Err(error) if absent(&error) => Ok(Presence::Absent),
            Err(error) => Err(FingerprintError::io(path, error)),
        }
    }

    /// Whether nothing is at `path`, or a link that leads nowhere.
    ///
    /// This always asks the file system. A memory of it would have to be proven by the stamps of every folder on the
    /// way, and of those on the way of every link, which costs more than the question.
    ///
    /// # Errors
    /// As [`Fingerprints::presence`].
    pub fn absent(&self, path: &Path) -> Result<bool, FingerprintError> {
        Ok(self.presence(path)? == Presence::Absent)
    }

    /// Digest and stamp of the ordinary file at `path`.
    ///
    /// # Errors
    /// Every [`FingerprintError`] but `TooLarge`.
    pub fn file(&self, path: &Path) -> Result<Fingerprint, FingerprintError> {
        // Looked at before it is opened: opening a pipe or a device can have effects.
        let stamp = self.file_stamp(path)?;
        if let Some(digest) = self.memo.get(&stamp) {
            return Ok(Fingerprint { digest, stamp });
        }
        let _alone = (stamp.size >= SHARED_BYTES).then(|| self.readers.begin(stamp));
        // Somebody may have read it meanwhile.
        if let Some(digest) = self.memo.get(&stamp) {
            return Ok(Fingerprint { digest, stamp });
        }
        if let Some(original) = self.copies.of(path) {
            let copy = as_copy(path, &original, &*self.clock);
            // A young one is compared again.
            if copy.is_none_or(|copy| copy.lasting) {
                self.copies.forget(path);
            }
            if let Some(copy) = copy {
                return Ok(self.remember(&copy));
            }
        }
        let reading = read(path, &*self.clock, u64::MAX, &mut Discard)?;
        Ok(self.remember(&reading))
    }

    /// The file at `path` is about to become a copy of `original`. Whether it did is looked at when it is asked for.
    pub fn expect_copy(&self, path: PathBuf, original: Original) {
        self.copies.expect(path, original);
    }

    /// Whether [`Self::file`] would answer without reading the file.
    #[must_use]
    pub fn knows(&self, path: &Path) -> bool {
        self.file_stamp(path).is_ok_and(|stamp| self.memo.get(&stamp).is_some())
    }

    /// Reads the ordinary file at `path` as a whole and lets `look` see the bytes that the digest is of.
    ///
    /// # Errors
    /// Every [`FingerprintError`]; `TooLarge` from [`MAX_CONTENT_BYTES`] on.
    pub fn content<T>(
        &self,
        path: &Path,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<(Fingerprint, T), FingerprintError> {
        let stamp = self.file_stamp(path)?;
        if stamp.size > MAX_CONTENT_BYTES {
            return Err(FingerprintError::TooLarge { path: path.to_owned(), limit: MAX_CONTENT_BYTES });
        }
        let mut bytes = Vec::new();
        let reading = read(path, &*self.clock, MAX_CONTENT_BYTES, &mut bytes)?;
        Ok((self.remember(&reading), look(&bytes)))
    }

    /// What is known of large files and of those that were asked for last, for [`Self::recall`] of a later daemon.
    #[must_use]
    pub fn note(&self, reader: &Reader) -> Vec<u8> {
        NOTE.seal(reader, &noted::encode(&self.memo.by_worth()))
    }

    /// Knows from here on what was [noted](Self::note); of how many files that is.
    ///
    /// # Errors
    /// Every [`NoteError`]; nothing is known then but what was known before.
    pub fn recall(&self, reader: &Reader, note: &[u8]) -> Result<usize, NoteError> {
        let files = noted::decode(NOTE.open(reader, note)?)?;
        let count = files.len();
        for (stamp, digest) in files {
            self.memo.put(stamp, digest);
        }
        Ok(count)
    }

    /// Knows nothing any more: each file is read again.
    pub fn forget(&self) {
        self.memo.forget();
    }

    fn file_stamp(&self, path: &Path) -> Result<Stamp, FingerprintError> {
        match self.presence(path)? {
            Presence::Present { kind: Kind::File, stamp } => Ok(stamp),
            Presence::Present { .. } => Err(FingerprintError::NotAFile { path: path.to_owned() }),
            Presence::Absent => Err(FingerprintError::Missing { path: path.to_owned() }),
        }
    }

    fn remember(&self, reading: &Reading) -> Fingerprint {
        if reading.lasting {
            self.memo.put(reading.stamp, reading.digest);
        }
        Fingerprint { digest: reading.digest, stamp: reading.stamp }
    }
}
