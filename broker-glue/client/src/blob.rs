//! Blobs as the daemon hands them out: files that are proven to hold what they are to, by their stamps.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;

use larder_proto::v1::{ArtifactOutput, OutputFile};

/// One blob's file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blob<'a> {
    path: &'a [u8],
    stamp: Stamp,
}

/// How the file was stamped when its content was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    size: u64,
    mtime_ns: i64,
    ctime_ns: i64,
    inode: u64,
}

/// Why a blob is of no use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlobError {
    /// It is gone, or is another content.
    #[error("the blob is not what it was")]
    Changed,
    /// What it was to be written to does not take it.
    #[error(transparent)]
    Write(io::Error),
}

impl Stamp {
    pub(crate) fn of(found: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: found.size(),
            mtime_ns: nanoseconds(found.mtime(), found.mtime_nsec()),
            ctime_ns: nanoseconds(found.ctime(), found.ctime_nsec()),
            inode: found.ino(),
        }
    }
}

impl<'a> From<&'a OutputFile> for Blob<'a> {
    fn from(output: &'a OutputFile) -> Self {
        let OutputFile { blob, size, blob_mtime_ns, blob_ctime_ns, blob_inode, .. } = output;
        let (mtime_ns, ctime_ns, inode) = (*blob_mtime_ns, *blob_ctime_ns, *blob_inode);
        Self { path: blob, stamp: Stamp { size: *size, mtime_ns, ctime_ns, inode } }
    }
}

impl<'a> From<&'a ArtifactOutput> for Blob<'a> {
    fn from(output: &'a ArtifactOutput) -> Self {
        let ArtifactOutput { file, size, blob_mtime_ns, blob_ctime_ns, blob_inode, .. } = output;
        let (mtime_ns, ctime_ns, inode) = (*blob_mtime_ns, *blob_ctime_ns, *blob_inode);
        Self { path: file, stamp: Stamp { size: *size, mtime_ns, ctime_ns, inode } }
    }
}

impl Blob<'_> {
    /// Writes the whole content into `file`, which is empty.
    pub(crate) fn write_into(&self, file: &File) -> Result<(), BlobError> {
        self.with(|blob| {
            #[cfg(target_os = "linux")]
            if rustix::fs::ioctl_ficlone(file, blob).is_ok() {
                return Ok(());
            }
            // Linux does this within the kernel.
            match io::copy(&mut &*blob, &mut &*file).map_err(BlobError::Write)? {
                copied if copied == self.stamp.size => Ok(()),
                _ => Err(BlobError::Changed),
            }
        })
    }

    /// The whole content.
    pub(crate) fn read(&self) -> Result<Vec<u8>, BlobError> {
        self.with(|mut blob| {
            let mut content = Vec::new();
            blob.read_to_end(&mut content).map_err(|_| BlobError::Changed)?;
            Ok(content)
        })
    }

    /// Does `what` with the file, which is as it was proven before and after.
    fn with<T>(&self, what: impl FnOnce(&File) -> Result<T, BlobError>) -> Result<T, BlobError> {
        let blob = File::open(OsStr::from_bytes(self.path)).map_err(|_| BlobError::Changed)?;
        let is_proven = || {
            let found = blob.metadata().map_err(|_| BlobError::Changed)?;
            if Stamp::of(&found) == self.stamp { Ok(()) } else { Err(BlobError::Changed) }
        };
        is_proven()?;
        let done = what(&blob)?;
        is_proven()?;
        Ok(done)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::*;

    /// What a daemon says of the artifact's output whose blob is at `blob` now.
    pub(crate) fn artifact(blob: &Path) -> ArtifactOutput {
        let stamp = Stamp::of(&blob.metadata().expect("a blob"));
        ArtifactOutput {
            file: blob.as_os_str().as_bytes().to_vec(),
            size: stamp.size,
            blob_mtime_ns: stamp.mtime_ns,
            blob_ctime_ns: stamp.ctime_ns,
            blob_inode: stamp.inode,
            ..ArtifactOutput::default()
        }
    }

    /// The same of a compile's output.
    pub(crate) fn compiled(blob: &Path) -> OutputFile {
        let stamp = Stamp::of(&blob.metadata().expect("a blob"));
        OutputFile {
            blob: blob.as_os_str().as_bytes().to_vec(),
            size: stamp.size,
            blob_mtime_ns: stamp.mtime_ns,
            blob_ctime_ns: stamp.ctime_ns,
            blob_inode: stamp.inode,
            ..OutputFile::default()
        }
    }

    #[test]
    fn another_file_of_the_same_size_is_another_content_for_each_kind_of_output() {
        let folder = tempfile::tempdir().expect("a folder");
        let (blob, other) = (folder.path().join("blob"), folder.path().join("other"));
        std::fs::write(&blob, "right").expect("writable");
        let (artifact, compiled) = (artifact(&blob), compiled(&blob));
        assert_eq!(Blob::from(&artifact).read().expect("unchanged"), b"right");
        assert_eq!(Blob::from(&compiled).read().expect("unchanged"), b"right");
        std::fs::write(&other, "wrong").expect("writable");
        std::fs::rename(&other, &blob).expect("ours");
        for blob in [Blob::from(&artifact), Blob::from(&compiled)] {
            let into = tempfile::tempfile().expect("a file");
            assert!(matches!(blob.write_into(&into), Err(BlobError::Changed)));
            assert_eq!(into.metadata().expect("open").len(), 0);
            assert!(matches!(blob.read(), Err(BlobError::Changed)));
        }
    }
}
