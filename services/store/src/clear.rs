//! Removes what is kept, of everybody or of one owner, at a person's wish.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::PoisonError;

use larder_service::{Digest, Key};

use crate::catalog::Name;
use crate::oldest::Candidate;
use crate::pins::Pins;
use crate::{Evicted, Owner, RecordId, RecordKind, Store, StoreError};

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
        // What is taken up by anybody from here on is used later.
        let now = self.disk.clock.unix_ms();
        let (own, records_unowned) = match owner {
            Some(owner) => {
                let (own, unowned) = self.only_of(owner, now)?;
                (Some(own), unowned)
            }
            None => (None, 0),
        };
        let names: Option<HashSet<Name>> =
            own.as_ref().map(|own| own.iter().map(|candidate| candidate.name).collect());
        let mut blobs_pinned = 0;
        for digest in self.disk.pins.all() {
            let is_own = names.as_ref().is_none_or(|names| names.contains(&Name::Blob(digest)));
            blobs_pinned += u64::from(is_own && self.disk.catalog().has_blob(&digest)?);
        }
        if dry_run {
            let mut removed = Removed { blobs_pinned, records_unowned, ..Removed::default() };
            let pins = &self.disk.pins;
            match own {
                Some(own) => own.iter().for_each(|candidate| removed.count(candidate, pins)),
                None => self.count_all(&mut removed)?,
            }
            return Ok(removed);
        }
        let (Evicted { blobs, records, bytes }, failure) = match own {
            Some(own) => self.evict_each(&own, u64::MAX)?,
            None => self.evict_oldest(now, u64::MAX)?,
        };
        tracing::info!(?owner, blobs, records, "cleared");
        failure.map_or(Ok(Removed { records, blobs, bytes, blobs_pinned, records_unowned }), Err)
    }

    fn count_all(&self, removed: &mut Removed) -> Result<(), StoreError> {
        let pins = &self.disk.pins;
        self.disk.each(&[], |digest: Digest, row| {
            removed.count(&Candidate::blob(digest, &row), pins);
            ControlFlow::Continue(())
        })?;
        self.disk.each(&[], |id: RecordId, row| {
            removed.count(&Candidate::record(id, &row), pins);
            ControlFlow::Continue(())
        })
    }

    /// The records of `owner` that were not used after `now`, and such blobs that they name and no other record does; and how
    /// many records are of nobody.
    fn only_of(&self, owner: Owner, now: u64) -> Result<(Vec<Candidate>, u64), StoreError> {
        let (mut own, mut others, mut unowned) = (Vec::new(), Vec::new(), 0);
        self.disk.each(&[], |id: RecordId, row| {
            unowned += u64::from(row.owner.is_none());
            if row.owner == Some(owner) {
                own.push(Candidate::record(id, &row));
            } else if id.kind == RecordKind::Action {
                others.push(id.key);
            }
            ControlFlow::Continue(())
        })?;
        let mut blobs = HashSet::new();
        for candidate in &own {
            if let Name::Record(RecordId { kind: RecordKind::Action, key }) = candidate.name {
                blobs.extend(self.named_by(&key)?);
            }
        }
        for key in others {
            for digest in self.named_by(&key)? {
                blobs.remove(&digest);
            }
        }
        for digest in blobs {
            let row = self.disk.catalog().blob(&digest)?;
            own.extend(row.map(|row| Candidate::blob(digest, &row)));
        }
        own.retain(|candidate| candidate.last_use <= now);
        Ok((own, unowned))
    }

    /// The blobs that the action result under `key` names. A manifest leads to results, and names none.
    fn named_by(&self, key: &Key) -> Result<Vec<Digest>, StoreError> {
        let outputs = self.look_at_action(key)?.map(|result| result.outputs).unwrap_or_default();
        Ok(outputs.into_iter().map(|output| output.digest).collect())
    }
}

impl Removed {
    /// Counts what would be removed.
    fn count(&mut self, candidate: &Candidate, pins: &Pins) {
        match candidate.name {
            Name::Blob(digest) if pins.pinned(&digest) => return,
            Name::Blob(_) => self.blobs += 1,
            Name::Record(_) => self.records += 1,
        }
        self.bytes = self.bytes.saturating_add(candidate.size);
    }
}
