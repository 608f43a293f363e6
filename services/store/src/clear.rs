//! Removes everything at a person's wish.

use std::sync::PoisonError;

use crate::catalog::{Candidate, Name};
use crate::{Evicted, Store, StoreError};

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
        let is_pinned = |candidate: &Candidate| match candidate.name {
            Name::Blob(digest) => self.disk.pins.pinned(&digest),
            Name::Record(_) => false,
        };
        let (pinned, free): (Vec<_>, Vec<_>) = candidates.into_iter().partition(is_pinned);
        let blobs_pinned = pinned.len() as u64;
        if dry_run {
            let blobs =
                free.iter().filter(|candidate| matches!(candidate.name, Name::Blob(_))).count() as u64;
            let bytes = free.iter().map(|candidate| candidate.size).sum();
            return Ok(Removed { records: free.len() as u64 - blobs, blobs, bytes, blobs_pinned });
        }
        let (Evicted { blobs, records, bytes }, failure) = self.evict_each(free, || false)?;
        tracing::info!(blobs, records, "cleared");
        failure.map_or(Ok(Removed { records, blobs, bytes, blobs_pinned }), Err)
    }
}
