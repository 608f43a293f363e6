//! Blobs that others write, and proofs that others may rely on.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use larder_service::{ConnectionId, Digest, Key};
use tempfile::{NamedTempFile, TempPath};

use crate::row::BlobStamp;
use crate::{RecordId, Store, StoreError, content};

impl Store {
    /// Folder that the files of all blobs are below.
    #[must_use]
    pub fn blobs_folder(&self) -> PathBuf {
        self.disk.folder.blobs()
    }

    /// Where the blob `digest` is below [`Self::blobs_folder`], or would be.
    #[must_use]
    pub fn blob_name(&self, digest: &Digest) -> String {
        crate::folder::name(digest)
    }

    /// Makes the file at `staged`, on the store's own file system, the blob `digest`, and pins it for `connection`.
    /// The file is gone from there afterwards, also after an error.
    ///
    /// Its writer says what it holds; only kind and size are looked at. The content counts as unproven until it has
    /// been hashed here, like that of every blob that was just written: before that nobody else gets it.
    ///
    /// # Errors
    /// Also when it is not an ordinary file of one name and that size.
    pub fn put_staged(
        &self,
        connection: ConnectionId,
        staged: &Path,
        digest: &Digest,
    ) -> Result<(), StoreError> {
        self.pin(connection, digest)?;
        self.disk.put_staged(staged, digest)
    }

    /// For each of `digests`: how its file was stamped when its content was proven, or `None` where it is not proven,
    /// or not there. Whoever finds that stamp on the file now may rely on the content as the store itself does.
    ///
    /// Those that are there are pinned for `connection`. It reads no file, and is no use of a blob.
    #[must_use]
    pub fn proofs(&self, connection: ConnectionId, digests: &[Digest]) -> Vec<Option<BlobStamp>> {
        // Pinned first: what is evicted from here on is none of them.
        for digest in digests {
            self.disk.pins.pin(connection, digest);
        }
        let mut catalog = self.disk.catalog();
        // One that the index does not tell of is as good as none.
        digests.iter().map(|digest| catalog.blob(digest).ok()??.stamp).collect()
    }

    /// Notes that action results and blobs were used, so that they are evicted late.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn note_uses<'a>(
        &self,
        uses: impl IntoIterator<Item = (&'a Key, &'a Digest)>,
    ) -> Result<(), StoreError> {
        let now = self.disk.clock.unix_ms();
        let mut catalog = self.disk.catalog();
        for (key, digest) in uses {
            catalog.use_record(&RecordId::action(key), now)?;
            catalog.use_blob(digest, now)?;
        }
        Ok(())
    }
}

impl crate::DiskTier {
    fn put_staged(&self, staged: &Path, digest: &Digest) -> Result<(), StoreError> {
        let failed = |error| StoreError::read(staged, error);
        // From here on it is removed unless it is put in place.
        let path = TempPath::try_from_path(staged).map_err(failed)?;
        let file = content::open(staged).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(StoreError::NotAFile { path: staged.to_owned() });
        }
        if metadata.len() != digest.size {
            return Err(StoreError::Changed { path: staged.to_owned() });
        }
        if metadata.mode() & 0o7777 != 0o444 {
            let read_only = std::fs::Permissions::from_mode(0o444);
            file.set_permissions(read_only).map_err(|error| StoreError::write(staged, error))?;
        }
        // An unproven one gives way: of the two, the new one is the less likely to be damaged. Who has the old one open
        // keeps it.
        if self.look(digest)?.is_some_and(|blob| blob.proven) {
            return Ok(());
        }
        self.place(NamedTempFile::from_parts(file, path), digest)
    }
}
