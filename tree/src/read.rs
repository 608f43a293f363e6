//! Reading one file so that the digest belongs to the stamp.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use larder_service::{Clock, Digest, Hasher};
use rustix::fs::OFlags;

use crate::{FingerprintError, Stamp};

/// The largest file that is handed out as a whole, bytes.
pub const MAX_CONTENT_BYTES: u64 = 256 << 20;

/// How often a file that changes under the reader is read before that is an error.
const ATTEMPTS: usize = 4;

const CHUNK: usize = 128 << 10;

/// What one reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Digest of the content.
    pub digest: Digest,
    /// The stamp before and after the content was read.
    pub stamp: Stamp,
    /// A later change of the content would show in the stamp.
    pub lasting: bool,
}

/// Reads the file to its end, handing its content to `sink` too, which may see several attempts.
///
/// # Errors
/// Every [`FingerprintError`]; `TooLarge` beyond `limit` bytes.
pub fn read(
    path: &Path,
    clock: &dyn Clock,
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<Reading, FingerprintError> {
    for _ in 0..ATTEMPTS {
        if let Some(reading) = attempt(path, clock, limit, sink)? {
            return Ok(reading);
        }
    }
    Err(FingerprintError::Changing { path: path.to_owned() })
}

/// Where the content goes besides the digest.
pub trait Sink {
    /// Forget everything: a reading of about `size` bytes begins.
    fn start(&mut self, size: u64);
    /// The next part.
    fn part(&mut self, part: &[u8]);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Discard;

impl Sink for Discard {
    fn start(&mut self, _: u64) {}
    fn part(&mut self, _: &[u8]) {}
}

impl Sink for Vec<u8> {
    fn start(&mut self, size: u64) {
        self.clear();
        self.reserve_exact(usize::try_from(size.min(MAX_CONTENT_BYTES)).unwrap_or(0));
    }
    fn part(&mut self, part: &[u8]) {
        self.extend_from_slice(part);
    }
}

fn attempt(
    path: &Path,
    clock: &dyn Clock,
    limit: u64,
    sink: &mut dyn Sink,
) -> Result<Option<Reading>, FingerprintError> {
    let io = |source| FingerprintError::io(path, source);
    // Read before everything else: what changes after this has a time that is not before it.
    let began = clock.file_time_ns();
    let mut file = open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(FingerprintError::NotAFile { path: path.to_owned() });
    }
    let stamp = Stamp::of(&metadata);
    sink.start(stamp.size);
    let mut hasher = Hasher::content();
    let mut buffer = vec![0; CHUNK.min(usize::try_from(stamp.size).unwrap_or(CHUNK).saturating_add(1))];
    let mut total: u64 = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(io(error)),
        };
        total += count as u64;
        if total > limit {
            return Err(FingerprintError::TooLarge { path: path.to_owned(), limit });
        }
        hasher.update(&buffer[..count]);
        sink.part(&buffer[..count]);
    }
    let after = Stamp::of(&file.metadata().map_err(io)?);
    if after != stamp || total != stamp.size {
        return Ok(None);
    }
    Ok(Some(Reading { digest: hasher.finish_digest(), stamp, lasting: stamp.proves_content_at(began) }))
}

/// Opens without waiting for a writer, should the file have become a pipe since it was looked at.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::path::PathBuf;

    use larder_service::SystemClock;

    use super::*;

    /// Writes to the file while it is being read, in the first `meddle` attempts.
    struct Meddler {
        path: PathBuf,
        attempts: usize,
        meddle: usize,
    }

    impl Sink for Meddler {
        fn start(&mut self, _: u64) {
            self.attempts += 1;
            if self.attempts <= self.meddle {
                OpenOptions::new().append(true).open(&self.path).unwrap().write_all(b"more").unwrap();
            }
        }
        fn part(&mut self, _: &[u8]) {}
    }

    fn meddled(meddle: usize) -> (Result<Reading, FingerprintError>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        let mut meddler = Meddler { path: path.clone(), attempts: 0, meddle };
        let reading = read(&path, &SystemClock, u64::MAX, &mut meddler);
        (reading, std::fs::read(&path).unwrap())
    }

    #[test]
    fn a_file_that_changes_while_it_is_read_is_read_again() {
        let (reading, content) = meddled(ATTEMPTS - 1);
        assert_eq!(reading.ok().unwrap().digest, Digest::of(&content));
    }

    #[test]
    fn a_file_that_never_stops_changing_is_an_error() {
        let (reading, _) = meddled(ATTEMPTS);
        assert!(matches!(reading.err().unwrap(), FingerprintError::Changing { .. }));
    }

    #[test]
    fn more_than_the_limit_is_refused_even_when_the_stamp_promised_less() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"content").unwrap();
        let error = read(&path, &SystemClock, 6, &mut Discard).err().unwrap();
        assert!(matches!(error, FingerprintError::TooLarge { limit: 6, .. }), "{error}");
        assert!(read(&path, &SystemClock, 7, &mut Discard).is_ok());
    }
}
