//! Reading and copying what files hold.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use larder_service::{Digest, Hasher};
use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use crate::StoreError;
use crate::row::BlobStamp;

const CHUNK: usize = 128 << 10;

/// Opens `path` to read it; follows no link, and waits for no other process.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Digest of all that is still to be read of `file`.
pub(crate) fn hash(file: &mut File) -> io::Result<Digest> {
    let mut hasher = Hasher::content();
    each_chunk(file, |chunk| {
        hasher.update(chunk);
        Ok(())
    })?;
    Ok(hasher.finish_digest())
}

/// Copies the ordinary file at `path` into the empty `target`; the digest is that of the copy.
pub(crate) fn copy(path: &Path, target: &mut NamedTempFile) -> Result<Digest, StoreError> {
    let read_failed = |error| StoreError::read(path, error);
    let not_a_file = || StoreError::NotAFile { path: path.to_owned() };
    let mut source = open(path).map_err(|error| match rustix::io::Errno::from_io_error(&error) {
        Some(rustix::io::Errno::LOOP) => not_a_file(),
        _ => read_failed(error),
    })?;
    let before = source.metadata().map_err(read_failed)?;
    if !before.is_file() {
        return Err(not_a_file());
    }
    let digest = if clone(&source, target.as_file()) {
        hash(target.as_file_mut()).map_err(|error| StoreError::read(target.path(), error))?
    } else {
        let mut hasher = Hasher::content();
        let mut write_failure = None;
        let copied = each_chunk(&mut source, |chunk| {
            hasher.update(chunk);
            target.write_all(chunk).map_err(|error| {
                let kind = error.kind();
                write_failure = Some(error);
                kind.into()
            })
        });
        if let Some(error) = write_failure {
            return Err(StoreError::write(target.path(), error));
        }
        copied.map_err(read_failed)?;
        hasher.finish_digest()
    };
    let after = source.metadata().map_err(read_failed)?;
    if after.len() != digest.size || BlobStamp::of(&after) != BlobStamp::of(&before) {
        return Err(StoreError::Changed { path: path.to_owned() });
    }
    Ok(digest)
}

/// Lets `target` share `source`'s bytes, where the file system can.
#[cfg(target_os = "linux")]
fn clone(source: &File, target: &File) -> bool {
    rustix::fs::ioctl_ficlone(target, source).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn clone(_: &File, _: &File) -> bool {
    false
}

fn each_chunk(file: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&chunk[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
