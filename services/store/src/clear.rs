//! Removes what is kept, of everybody or of one owner, at a person's wish.

use std::collections::HashSet;
use std::sync::PoisonError;

use larder_service::Digest;

use crate::catalog::{Candidate, Name};
use crate::{ActionResult, Evicted, Owner, RecordId, RecordKind, Store, StoreError};

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
    /// Records that stay, because nobody noted whose they are: an earlier version stored them. 0 where all records go.
    pub records_unowned: u64,
}

impl Store {
    /// Removes the records of `owner`, and the blobs that only they name and nobody has pinned; without an owner, all
    /// records, and all blobs that nobody has pinned. With `dry_run`, only counts them. What is put or used meanwhile
    /// stays.
    ///
    /// # Errors
    /// When a file cannot be removed or the index cannot be read or written. What could be removed is gone then.
    pub fn clear(&self, owner: Option<Owner>, dry_run: bool) -> Result<Removed, StoreError> {
        let _alone = self.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        // Listed before anything is looked at: what another owner takes up from here on is used later than the list says.
        let (mut candidates, records) = {
            let catalog = self.disk.catalog();
            (catalog.candidates(), catalog.owners().map(|(id, of)| (*id, of)).collect::<Vec<_>>())
        };
        let mut records_unowned = 0;
        if let Some(owner) = owner {
            let names = self.only_of(owner, &records)?;
            candidates.retain(|candidate| names.contains(&candidate.name));
            records_unowned = records.iter().filter(|(_, of)| of.is_none()).count() as u64;
        }
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
            let records = free.len() as u64 - blobs;
            return Ok(Removed { records, blobs, bytes, blobs_pinned, records_unowned });
        }
        let (Evicted { blobs, records, bytes }, failure) = self.evict_each(&free, u64::MAX)?;
        tracing::info!(?owner, blobs, records, "cleared");
        failure.map_or(Ok(Removed { records, blobs, bytes, blobs_pinned, records_unowned }), Err)
    }

    /// The records of `owner` among `records`, and the blobs that they name and no other record does.
    fn only_of(
        &self,
        owner: Owner,
        records: &[(RecordId, Option<Owner>)],
    ) -> Result<HashSet<Name>, StoreError> {
        let (own, others): (Vec<_>, Vec<_>) = records.iter().copied().partition(|(_, of)| *of == Some(owner));
        let mut blobs = HashSet::new();
        for (id, _) in &own {
            blobs.extend(self.named_by(id)?);
        }
        for (id, _) in others {
            for digest in self.named_by(&id)? {
                blobs.remove(&digest);
            }
        }
        Ok(own.into_iter().map(|(id, _)| Name::Record(id)).chain(blobs.into_iter().map(Name::Blob)).collect())
    }

    /// The blobs that the record `id` names: a manifest leads to results, and names none.
    fn named_by(&self, id: &RecordId) -> Result<Vec<Digest>, StoreError> {
        if id.kind != RecordKind::Action {
            return Ok(Vec::new());
        }
        let result = self.disk.look_at_record(id)?.and_then(|bytes| ActionResult::decode(&bytes).ok());
        Ok(result
            .map_or_else(Vec::new, |result| result.outputs.into_iter().map(|output| output.digest).collect()))
    }
}
