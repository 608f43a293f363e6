//! Removes everything at a person's wish.

use std::sync::PoisonError;

use crate::catalog::Name;
use crate::{Store, StoreError, Tier as _};

/// What was removed, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Action results and manifests.
    pub records: u64,
    /// Blobs.
    pub blobs: u64,
    /// Size of both, bytes.
    pub bytes: u64,
    /// Blobs that stay, because they are pinned.
    pub blobs_pinned: u64,
}

impl Store {
    /// Removes all records, and all blobs that nobody has pinned; with `dry_run`, only counts them. What is put or used
    /// meanwhile stays.
    ///
    /// # Errors
    /// When a file cannot be removed or the index cannot be written. What could be removed is gone then.
    pub fn clear(&self, dry_run: bool) -> Result<Removed, StoreError> {
        let _alone = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        let candidates = self.disk.catalog().by_last_use();
        let mut removed = Removed::default();
        let mut records = Vec::new();
        let mut failure = None;
        for candidate in candidates {
            if let Name::Blob(digest) = candidate.name
                && self.disk.pins.pinned(&digest)
            {
                removed.blobs_pinned += 1;
                continue;
            }
            if !dry_run {
                match self.disk.evict(&candidate) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        failure = failure.or(Some(error));
                        continue;
                    }
                }
            }
            removed.bytes += candidate.size;
            match candidate.name {
                Name::Blob(digest) => {
                    removed.blobs += 1;
                    if !dry_run {
                        self.memory.drop_blob(&digest)?;
                    }
                }
                Name::Record(id) => records.push(id),
            }
        }
        removed.records = records.len() as u64;
        if !dry_run {
            self.drop_evicted(records)?;
            tracing::info!(blobs = removed.blobs, records = removed.records, "cleared");
        }
        failure.map_or(Ok(removed), Err)
    }
}
