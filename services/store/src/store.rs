//! The store: tiers, pins and limits behind one face.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard};

use larder_service::{Clock, ConnectionId, Digest, Key};

use crate::{
    ActionResult, BlobStamp, DiskTier, MemoryTier, OpenReport, Owner, RecordId, RecordKind, StoreError, Tier,
};

/// Where a store is, and how large it may grow.
#[derive(Clone)]
pub struct StoreConfig {
    /// Its root folder, made if need be. Everything in `blobs`, `index` and `tmp` below it is the store's.
    pub root: PathBuf,
    /// Most bytes on disk, counting blobs and records; exceeded only until the next eviction, and by pins.
    pub limit_bytes: u64,
    /// Most bytes in memory; 0 keeps nothing there.
    pub memory_bytes: u64,
    /// Tells when things were used and whether a file's stamp proves anything.
    pub clock: Arc<dyn Clock>,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of all blobs and records.
    pub bytes: u64,
    /// Most bytes before something is evicted.
    pub limit_bytes: u64,
    /// Blobs.
    pub blobs: u64,
    /// Action results.
    pub actions: u64,
    /// Blobs evicted since the store was opened.
    pub evicted_blobs: u64,
    /// Blobs found damaged or removed, and dropped, since the store was opened.
    pub damaged_blobs: u64,
}

/// Blobs, action results and manifests. All methods may be called from many threads at once, and may block on the
/// disk.
///
/// Every method fails when the disk or the index cannot be read or written; what is missing or damaged is no error,
/// but absent.
pub struct Store {
    pub(crate) memory: MemoryTier,
    pub(crate) disk: DiskTier,
    /// Held shared while a record moves to a quicker tier, alone while one changes: the quicker tier must not keep
    /// what the slower one has no longer.
    records: RwLock<()>,
    pub(crate) limit_bytes: u64,
    pub(crate) evicting: Mutex<()>,
    pub(crate) evicted_blobs: AtomicU64,
}

impl Store {
    /// Opens the store that `config` describes.
    ///
    /// # Errors
    /// When the folder cannot be written, the disk is full, or another process uses it; never for what is in it.
    pub fn open(config: StoreConfig) -> Result<(Self, OpenReport), StoreError> {
        let (disk, report) = DiskTier::open(&config.root, config.clock)?;
        let store = Self {
            memory: MemoryTier::new(config.memory_bytes),
            disk,
            records: RwLock::new(()),
            limit_bytes: config.limit_bytes,
            evicting: Mutex::new(()),
            evicted_blobs: AtomicU64::new(0),
        };
        Ok((store, report))
    }

    /// The result kept under `key`. Its blobs may be gone.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn action(&self, key: &Key) -> Result<Option<ActionResult>, StoreError> {
        let id = RecordId::action(key);
        let Some(bytes) = self.record(&id)? else { return Ok(None) };
        match ActionResult::decode(&bytes) {
            Ok(result) => Ok(Some(result)),
            Err(error) => {
                tracing::warn!(key = %key.hex(), %error, "an action result is dropped");
                self.drop_record(&id)?;
                Ok(None)
            }
        }
    }

    /// Shows `visit` every action result. To be looked at is no use: nothing is evicted later for it.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn each_action(&self, mut visit: impl FnMut(&Key, &ActionResult)) -> Result<(), StoreError> {
        let mut keys = Vec::new();
        self.disk.each(&[], |id: RecordId, _| {
            if id.kind == RecordKind::Action {
                keys.push(id.key);
            }
            ControlFlow::Continue(())
        })?;
        for key in keys {
            if let Some(result) = self.look_at_action(&key)? {
                visit(&key, &result);
            }
        }
        Ok(())
    }

    /// The result kept under `key`, for someone who only looks.
    pub(crate) fn look_at_action(&self, key: &Key) -> Result<Option<ActionResult>, StoreError> {
        let bytes = {
            let _unchanged = self.records.read().unwrap_or_else(PoisonError::into_inner);
            self.disk.look_at_record(&RecordId::action(key))?
        };
        Ok(bytes.and_then(|bytes| ActionResult::decode(&bytes).ok()))
    }

    /// Keeps `result` under `key` as `owner`'s, in place of what was kept before.
    ///
    /// # Errors
    /// Also when one of its blobs is not in the store, or it exceeds a limit.
    pub fn put_action(&self, owner: Owner, key: &Key, result: &ActionResult) -> Result<(), StoreError> {
        for output in &result.outputs {
            if !self.disk.catalog().has_blob(&output.digest)? {
                return Err(StoreError::BlobMissing { digest: output.digest });
            }
        }
        self.put_records(owner, &[(RecordId::action(key), result.encode()?.into())])
    }

    /// Keeps several results of `owner` at once, which costs little more than one. One whose blobs are not all in the store is
    /// passed over.
    ///
    /// # Errors
    /// Also when one of them exceeds a limit; then none is kept.
    pub fn put_actions(&self, owner: Owner, results: &[(Key, ActionResult)]) -> Result<(), StoreError> {
        let mut records: Vec<(RecordId, Arc<[u8]>)> = Vec::with_capacity(results.len());
        for (key, result) in results {
            let mut catalog = self.disk.catalog();
            let mut outputs = result.outputs.iter();
            if outputs.try_fold(true, |whole, output| Ok(whole && catalog.has_blob(&output.digest)?))? {
                records.push((RecordId::action(key), result.encode()?.into()));
            }
        }
        self.put_records(owner, &records)
    }

    /// The manifest kept under `base`.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn manifest(&self, base: &Key) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.record(&RecordId::manifest(base))
    }

    /// Keeps a manifest of `owner` under `base`, in place of what was kept before.
    ///
    /// # Errors
    /// Also when it exceeds [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES).
    pub fn put_manifest(&self, owner: Owner, base: &Key, bytes: &[u8]) -> Result<(), StoreError> {
        self.put_records(owner, &[(RecordId::manifest(base), bytes.into())])
    }

    /// The file that holds the blob `digest`. It is there, unchanged, for as long as the blob is pinned: pin it
    /// first.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn blob(&self, digest: &Digest) -> Result<Option<PathBuf>, StoreError> {
        Ok(self.disk.blob_file(digest)?.map(|(path, _)| path))
    }

    /// The same, with how the file was stamped when its content was proven. Who opens it later and finds another stamp
    /// has something else before him.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn stamped_blob(&self, digest: &Digest) -> Result<Option<(PathBuf, BlobStamp)>, StoreError> {
        self.disk.blob_file(digest)
    }

    /// The bytes of the blob `digest`.
    ///
    /// # Errors
    /// Also when there are more than `max_bytes`.
    pub fn read_blob(&self, digest: &Digest, max_bytes: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if digest.size > max_bytes {
            let what = format!("the blob {digest} in memory");
            return Err(StoreError::TooLarge { what, size: digest.size, limit: max_bytes });
        }
        // Also what memory answers is used, and must be evicted late.
        self.disk.use_blob(digest)?;
        let bytes =
            first(self.tiers(), |tier| tier.blob(digest), |tier, bytes| tier.put_blob(digest, bytes))?;
        Ok(bytes.map(|bytes| bytes.to_vec()))
    }

    /// Keeps `bytes` as a blob.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let bytes = bytes.into();
        self.tiers().into_iter().rev().try_for_each(|tier| tier.put_blob(&digest, &bytes))?;
        Ok(digest)
    }

    /// Keeps a copy of the ordinary file at `path` as a blob.
    ///
    /// # Errors
    /// Also when there is none, or it changes meanwhile.
    pub fn put_file(&self, path: &Path) -> Result<Digest, StoreError> {
        self.disk.put_file(path)
    }

    /// Keeps the blob `digest` from being evicted, until `connection` lets go of all it has pinned. The blob need
    /// not be there.
    ///
    /// # Errors
    /// None as long as pins are kept in memory.
    pub fn pin(&self, connection: ConnectionId, digest: &Digest) -> Result<(), StoreError> {
        self.disk.pins.pin(connection, digest);
        Ok(())
    }

    /// Lets go of all that `connection` has pinned.
    ///
    /// # Errors
    /// As [`Self::pin`].
    pub fn unpin_all(&self, connection: ConnectionId) -> Result<(), StoreError> {
        self.disk.pins.unpin_all(connection);
        Ok(())
    }

    /// What `from` has pinned is pinned by `to` from now on. Whoever lives on may so take over from many that do not.
    pub fn hand_over_pins(&self, from: ConnectionId, to: ConnectionId) {
        self.disk.pins.hand_over(from, to);
    }

    /// Writes what a crash would lose. To be called about once a second; costs nothing when there is nothing new.
    ///
    /// # Errors
    /// See [`Store`]. The next call tries again.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.disk.flush()
    }

    /// Writes what a crash would lose, and closes the store: everything fails from then on, and the next one who opens it in this
    /// run of the machine need not look at each thing in it.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn close(&self) -> Result<(), StoreError> {
        self.disk.close()
    }

    /// What the store holds now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let catalog = self.disk.catalog();
        let totals = catalog.totals();
        Usage {
            bytes: catalog.bytes(),
            limit_bytes: self.limit_bytes,
            blobs: totals.blobs,
            actions: totals.actions,
            evicted_blobs: self.evicted_blobs.load(Ordering::Relaxed),
            damaged_blobs: self.disk.damaged.load(Ordering::Relaxed),
        }
    }

    /// The quickest first, the one that decides last.
    fn tiers(&self) -> [&dyn Tier; 2] {
        [&self.memory, &self.disk]
    }

    /// Waits until nobody else changes records, and keeps everybody from looking at them.
    pub(crate) fn change_records(&self) -> (MutexGuard<'_, ()>, RwLockWriteGuard<'_, ()>) {
        // In this order, as nobody is to be kept while a disk takes its time with something else.
        (self.disk.write_alone(), self.records.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn record(&self, id: &RecordId) -> Result<Option<Arc<[u8]>>, StoreError> {
        let _unchanged = self.records.read().unwrap_or_else(PoisonError::into_inner);
        // As for blobs.
        self.disk.use_record(id)?;
        first(self.tiers(), |tier| tier.record(id), |tier, bytes| tier.put_record(id, bytes))
    }

    fn put_records(&self, owner: Owner, records: &[(RecordId, Arc<[u8]>)]) -> Result<(), StoreError> {
        let _alone = self.change_records();
        self.disk.put_records(Some(owner), records)?;
        records.iter().try_for_each(|(id, bytes)| self.memory.put_record(id, bytes))
    }

    fn drop_record(&self, id: &RecordId) -> Result<(), StoreError> {
        let _alone = self.change_records();
        self.tiers().into_iter().try_for_each(|tier| tier.drop_record(id))
    }
}

/// What the first of `tiers` answers that knows; those before it are told.
fn first<T>(
    tiers: [&dyn Tier; 2],
    look: impl Fn(&dyn Tier) -> Result<Option<T>, StoreError>,
    tell: impl Fn(&dyn Tier, &T) -> Result<(), StoreError>,
) -> Result<Option<T>, StoreError> {
    for (at, tier) in tiers.iter().enumerate() {
        if let Some(found) = look(*tier)? {
            tracing::trace!(tier = tier.name(), "found");
            for quicker in &tiers[..at] {
                tell(*quicker, &found)?;
            }
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use larder_service::SystemClock;

    use super::*;

    #[test]
    fn who_looks_does_not_wait_with_one_who_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let clock = Arc::new(SystemClock);
        let (store, _) =
            Store::open(StoreConfig { root, limit_bytes: 1 << 20, memory_bytes: 1, clock }).unwrap();
        let (owner, kept) = (Owner::new("test"), Key([1; 32]));
        store.put_manifest(owner, &kept, b"kept").unwrap();
        // As while it is written to the disk.
        let flushing = store.disk.write_alone();
        let transaction = store.disk.index.begin_write_for_tests();
        std::thread::scope(|scope| {
            let putting = scope.spawn(|| store.put_manifest(owner, &Key([2; 32]), b"new"));
            for _ in 0..200 {
                std::thread::yield_now();
                assert_eq!(store.manifest(&kept).unwrap().as_deref(), Some(&b"kept"[..]));
                assert!(!putting.is_finished());
            }
            drop(transaction);
            drop(flushing);
            putting.join().unwrap().unwrap();
        });
    }
}
