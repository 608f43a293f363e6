//! The disk tier: blobs as files, records in the index.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use larder_service::{Clock, Digest};
use tempfile::NamedTempFile;

use crate::catalog::{Catalog, Name};
use crate::content;
use crate::folder::{Folder, is_absence};
use crate::index::Index;
use crate::oldest::Candidate;
use crate::pins::Pins;
use crate::pulse::Pulse;
use crate::row::{BlobRow, BlobStamp, RecordRow};
use crate::{MAX_RECORD_BYTES, Owner, RecordId, StoreError, Tier, closed, stock};

/// Blobs and records on disk: the tier that decides.
pub struct DiskTier {
    pub(crate) folder: Folder,
    pub(crate) index: Arc<Index>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) pins: Pins,
    pub(crate) pulse: Pulse,
    /// Also held while a blob's file is put in place, so that the two agree.
    pub(crate) catalog: Mutex<Catalog>,
    /// Woken when files that were [`Catalog::leaving`] are gone.
    pub(crate) left: Condvar,
    /// Held by the one who writes to the index. It has one writer at a time, which takes as long as the disk does, and who waits
    /// for that should hold nothing that lookups need.
    pub(crate) writing: Mutex<()>,
    /// Blobs found damaged or gone.
    pub(crate) damaged: AtomicU64,
    /// Keeps other processes away.
    pub(crate) _lock: File,
}

impl DiskTier {
    pub(crate) fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody writes to the index.
    pub(crate) fn write_alone(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The file of the blob `digest`, its content proven, and its stamp then.
    pub(crate) fn blob_file(&self, digest: &Digest) -> Result<Option<(PathBuf, BlobStamp)>, StoreError> {
        let Some(blob) = self.look(digest)? else { return Ok(None) };
        if blob.proven {
            return Ok(Some((blob.path, blob.stamp)));
        }
        let proof = self.prove(digest, &blob, |file| content::hash(file).map(|content| (content, ())))?;
        Ok(proof.map(|((), stamp)| (blob.path, stamp)))
    }

    /// The file of the blob `digest`, of which only name, kind and size are as they should be.
    pub(crate) fn look(&self, digest: &Digest) -> Result<Option<BlobFile>, StoreError> {
        let Some(proof) = self.use_blob(digest)? else { return Ok(None) };
        let path = self.folder.blob(digest);
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if is_absence(&error) => return self.lose(digest, None),
            Err(error) => return Err(StoreError::read(&path, error)),
        };
        let stamp = BlobStamp::of(&metadata);
        if !metadata.is_file() || metadata.len() != digest.size {
            return self.lose(digest, Some(stamp));
        }
        Ok(Some(BlobFile { path, stamp, proven: proof == Some(stamp) }))
    }

    /// Reads `blob` with `read`, which also tells the digest of what it read, and how the file was stamped before;
    /// `None` when the digest is another.
    fn prove<T>(
        &self,
        digest: &Digest,
        blob: &BlobFile,
        read: impl FnOnce(&mut File) -> io::Result<(Digest, T)>,
    ) -> Result<Option<(T, BlobStamp)>, StoreError> {
        let failed = |error| StoreError::read(&blob.path, error);
        let now = self.clock.file_time_ns();
        let mut file = match content::open(&blob.path) {
            Ok(file) => file,
            Err(error) if is_absence(&error) => return self.lose(digest, None),
            Err(error) => return Err(failed(error)),
        };
        let stamp = BlobStamp::of(&file.metadata().map_err(failed)?);
        let (found, content) = read(&mut file).map_err(failed)?;
        if found != *digest {
            return self.lose(digest, Some(stamp));
        }
        let unchanged = BlobStamp::of(&file.metadata().map_err(failed)?) == stamp;
        if !blob.proven && unchanged && stamp.proves_content_at(now) {
            self.catalog().prove_blob(digest, stamp)?;
        }
        Ok(Some((content, stamp)))
    }

    /// Forgets a blob whose file, then stamped `stamp`, is not what it should be; `None`: it was not there.
    fn lose<T>(&self, digest: &Digest, stamp: Option<BlobStamp>) -> Result<Option<T>, StoreError> {
        let mut catalog = self.catalog();
        let now = self.folder.blob(digest).symlink_metadata().ok().map(|now| BlobStamp::of(&now));
        // Someone may have put a sound one in its place meanwhile.
        if now == stamp && catalog.has_blob(digest)? {
            tracing::warn!(%digest, "a blob was damaged or removed, and is dropped");
            self.damaged.fetch_add(1, Ordering::Relaxed);
            catalog.drop_blob(digest)?;
            self.folder.remove(digest)?;
        }
        Ok(None)
    }

    /// Makes a blob of the ordinary file at `path`.
    pub(crate) fn put_file(&self, path: &Path) -> Result<Digest, StoreError> {
        let mut file = self.folder.temporary()?;
        let digest = content::copy(path, &mut file)?;
        if self.blob_file(&digest)?.is_none() {
            self.place(file, &digest)?;
        }
        Ok(digest)
    }

    pub(crate) fn place(&self, file: NamedTempFile, digest: &Digest) -> Result<(), StoreError> {
        let mut catalog = self.catalog();
        while catalog.leaving.contains(digest) {
            catalog = self.left.wait(catalog).unwrap_or_else(PoisonError::into_inner);
        }
        self.folder.place(file, digest)?;
        // It may be changed in this tick of the clock without a trace, so nothing is proven yet.
        catalog.put_blob(*digest, BlobRow { last_use: self.clock.unix_ms(), stamp: None })
    }

    /// Keeps `records` as `owner`'s, all or none of them.
    pub(crate) fn put_records(
        &self,
        owner: Option<Owner>,
        records: &[(RecordId, Arc<[u8]>)],
    ) -> Result<(), StoreError> {
        let last_use = self.clock.unix_ms();
        let mut rows = Vec::with_capacity(records.len());
        for (id, bytes) in records {
            let size = bytes.len() as u64;
            if bytes.len() > MAX_RECORD_BYTES {
                let limit = MAX_RECORD_BYTES as u64;
                return Err(StoreError::TooLarge { what: "a record".to_owned(), size, limit });
            }
            rows.push((*id, &bytes[..], RecordRow { last_use, size, owner }));
        }
        let replaced = {
            let mut catalog = self.catalog();
            rows.iter().map(|(id, _, _)| catalog.record(id)).collect::<Result<Vec<_>, _>>()?
        };
        self.index.put_records(&rows)?;
        let mut catalog = self.catalog();
        for ((id, _, row), replaced) in rows.into_iter().zip(replaced) {
            catalog.know_record(id, row, replaced.as_ref());
        }
        Ok(())
    }

    /// Notes a use of the blob `digest`, whichever tier answers it; its proof, if it is there and has one.
    pub(crate) fn use_blob(&self, digest: &Digest) -> Result<Option<Option<BlobStamp>>, StoreError> {
        self.catalog().use_blob(digest, self.clock.unix_ms())
    }

    /// The record `id`, for someone who only looks: that is no use of it.
    pub(crate) fn look_at_record(&self, id: &RecordId) -> Result<Option<Vec<u8>>, StoreError> {
        if self.catalog().has_record(id)? { self.index.record(id) } else { Ok(None) }
    }

    /// Notes a use of the record `id`, whichever tier answers it; whether it is there.
    pub(crate) fn use_record(&self, id: &RecordId) -> Result<bool, StoreError> {
        self.catalog().use_record(id, self.clock.unix_ms())
    }

    /// Removes each of `candidates`, unless it was used lately or is pinned; whether it was removed. A record stays in the
    /// index file.
    pub(crate) fn evict<'c>(
        &self,
        candidates: &'c [Candidate],
    ) -> Vec<(&'c Candidate, Result<bool, StoreError>)> {
        let mut decided: Vec<_> = {
            let mut catalog = self.catalog();
            candidates.iter().map(|candidate| (candidate, self.let_go(&mut catalog, candidate))).collect()
        };
        // A disk may take its time for it, and nobody else is to wait.
        let removed: Vec<_> = decided
            .iter()
            .map(|(candidate, gone)| match (candidate.name, gone) {
                (Name::Blob(digest), Ok(true)) => self.folder.remove(&digest),
                _ => Ok(()),
            })
            .collect();
        let mut catalog = self.catalog();
        for ((candidate, gone), removed) in decided.iter_mut().zip(removed) {
            let Name::Blob(digest) = candidate.name else { continue };
            if matches!(gone, Ok(true)) {
                catalog.leaving.remove(&digest);
                if let Err(error) = removed {
                    let row = BlobRow { last_use: candidate.last_use, stamp: None };
                    *gone = catalog.put_blob(digest, row).and(Err(error));
                }
            }
        }
        self.left.notify_all();
        decided
    }

    /// Takes `candidate` out of the catalog, unless it was used lately or is pinned; a blob's file is still to be removed.
    fn let_go(&self, catalog: &mut Catalog, candidate: &Candidate) -> Result<bool, StoreError> {
        let last_use = match candidate.name {
            Name::Blob(digest) => catalog.blob(&digest)?.map(|row| row.last_use),
            Name::Record(id) => catalog.record(&id)?.map(|row| row.last_use),
        };
        // It was used since it was listed, or is gone.
        if last_use != Some(candidate.last_use) {
            return Ok(false);
        }
        match candidate.name {
            Name::Blob(digest) if self.pins.pinned(&digest) => return Ok(false),
            Name::Blob(digest) => {
                catalog.drop_blob(&digest)?;
                catalog.leaving.insert(digest);
            }
            Name::Record(id) => catalog.drop_record(&id)?,
        }
        Ok(true)
    }

    /// Removes `ids`, which the catalog has no longer, from the index.
    pub(crate) fn drop_from_index(&self, ids: &[RecordId]) -> Result<(), StoreError> {
        self.index.drop_records(ids)?;
        self.catalog().forget_records(ids);
        Ok(())
    }

    /// Writes what is only in memory.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        let _alone = self.write_alone();
        let changes = self.catalog().take_changes();
        let Err(error) = self.index.flush(&changes) else {
            self.catalog().written();
            return Ok(());
        };
        let mut catalog = self.catalog();
        catalog.give_back();
        // The index library does not get over an error by itself, and then has lost what came after the latest flush.
        self.index.reopen()?;
        *catalog = stock::take(&self.folder, &self.index, &*self.clock)?.catalog;
        Err(error)
    }

    /// Writes what is only in memory, and closes the store, so that it is opened quickly the next time. Everything fails from
    /// then on.
    pub(crate) fn close(&self) -> Result<(), StoreError> {
        self.flush()?;
        // Who has it knows of every change; and of none that comes now.
        let catalog = self.catalog();
        if self.index.close() && catalog.is_written() {
            closed::leave(&self.folder, self.clock.boot(), catalog.totals())
                .map_err(|error| StoreError::write(&self.folder.index(), error))?;
        }
        Ok(())
    }
}

/// A blob's file.
pub(crate) struct BlobFile {
    pub(crate) path: PathBuf,
    pub(crate) stamp: BlobStamp,
    /// Its stamp is the one that proves the content.
    pub(crate) proven: bool,
}

impl Tier for DiskTier {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn record(&self, id: &RecordId) -> Result<Option<Arc<[u8]>>, StoreError> {
        if !self.use_record(id)? {
            return Ok(None);
        }
        let bytes = self.index.record(id)?;
        if bytes.is_none() {
            self.drop_record(id)?;
        }
        Ok(bytes.map(Into::into))
    }

    fn put_record(&self, id: &RecordId, bytes: &Arc<[u8]>) -> Result<(), StoreError> {
        self.put_records(None, &[(*id, Arc::clone(bytes))])
    }

    fn drop_record(&self, id: &RecordId) -> Result<(), StoreError> {
        self.catalog().drop_record(id)?;
        self.drop_from_index(&[*id])
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        let Some(blob) = self.look(digest)? else { return Ok(None) };
        // Reading costs more than hashing, so that a proof by stamp is not made use of.
        let proof = self.prove(digest, &blob, |file| {
            let mut bytes = Vec::new();
            file.take(digest.size.saturating_add(1)).read_to_end(&mut bytes)?;
            Ok((Digest::of(&bytes), bytes.into()))
        })?;
        Ok(proof.map(|(bytes, _)| bytes))
    }

    fn put_blob(&self, digest: &Digest, bytes: &Arc<[u8]>) -> Result<(), StoreError> {
        if self.blob_file(digest)?.is_some() {
            return Ok(());
        }
        let mut file = self.folder.temporary()?;
        file.write_all(bytes).map_err(|error| StoreError::write(file.path(), error))?;
        self.place(file, digest)
    }

    fn drop_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        let mut catalog = self.catalog();
        self.folder.remove(digest)?;
        catalog.drop_blob(digest)
    }
}

#[cfg(test)]
mod tests {
    use larder_service::SystemClock;

    use super::*;

    fn tier() -> (DiskTier, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let (tier, _) = DiskTier::open(folder.path(), Arc::new(SystemClock)).unwrap();
        (tier, folder)
    }

    crate::tier::tier_tests!(tier());

    #[test]
    fn a_record_that_is_too_large_is_refused() {
        let (tier, _folder) = tier();
        let id = RecordId::manifest(&larder_service::Key([1; 32]));
        let error = tier.put_record(&id, &vec![0; MAX_RECORD_BYTES + 1].into()).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn a_blob_waits_for_the_removal_of_its_own_file() {
        let (tier, _folder) = tier();
        let digest = Digest::of(b"x");
        // As while it is being evicted.
        tier.catalog().leaving.insert(digest);
        std::thread::scope(|scope| {
            let putting = scope.spawn(|| tier.put_blob(&digest, &b"x"[..].into()));
            tier.put_blob(&Digest::of(b"y"), &b"y"[..].into()).unwrap();
            for _ in 0..100 {
                std::thread::yield_now();
                assert!(!putting.is_finished() && !tier.catalog().has_blob(&digest).unwrap());
            }
            tier.catalog().leaving.remove(&digest);
            tier.left.notify_all();
            putting.join().unwrap().unwrap();
        });
        assert!(tier.blob(&digest).unwrap().is_some());
    }

    #[test]
    fn a_store_is_closed_without_a_note_where_the_index_lists_what_is_gone() {
        let note = |tier: &DiskTier| tier.folder.index().join("closed");
        let id = RecordId::manifest(&larder_service::Key([1; 32]));
        for (gone, leaving) in [(false, false), (true, false), (false, true)] {
            let (tier, _folder) = tier();
            tier.put_record(&id, &b"x"[..].into()).unwrap();
            if gone {
                tier.catalog().drop_record(&id).unwrap();
            }
            if leaving {
                tier.catalog().leaving.insert(Digest::of(b"x"));
            }
            tier.close().unwrap();
            assert_eq!(note(&tier).exists(), !gone && !leaving, "{gone} {leaving}");
        }
    }

    #[test]
    fn a_row_of_no_sense_that_is_met_late_costs_the_index_at_the_next_flush() {
        let (tier, folder) = tier();
        let id = RecordId::manifest(&larder_service::Key([1; 32]));
        let digest = Digest::of(b"x");
        tier.put_blob(&digest, &b"x"[..].into()).unwrap();
        tier.put_record(&id, &b"x"[..].into()).unwrap();
        tier.close().unwrap();
        let (boot, totals) = (tier.clock.boot(), tier.catalog().totals());
        {
            let database = redb::Database::open(crate::index::path(&tier.folder.index())).unwrap();
            let transaction = database.begin_write().unwrap();
            let mut rows = transaction.open_table(crate::index::RECORD_ROWS).unwrap();
            rows.insert(&id.encode()[..], &b"nonsense"[..]).unwrap();
            drop(rows);
            transaction.commit().unwrap();
        }
        // As if it had been there when the store was closed.
        std::fs::remove_file(tier.folder.index().join("closed")).unwrap();
        closed::leave(&tier.folder, boot, totals).unwrap();
        drop(tier);
        let (tier, report) = DiskTier::open(folder.path(), Arc::new(SystemClock)).unwrap();
        assert!(report.as_closed);
        assert!(tier.record(&id).is_err());
        assert!(tier.flush().is_err());
        assert!(tier.record(&id).unwrap().is_none());
        assert_eq!(tier.blob(&digest).unwrap().as_deref(), Some(&b"x"[..]), "blobs are found again");
        tier.put_record(&id, &b"y"[..].into()).unwrap();
        tier.flush().unwrap();
        assert_eq!(tier.record(&id).unwrap().as_deref(), Some(&b"y"[..]));
    }
}
