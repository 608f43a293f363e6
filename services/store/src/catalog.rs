//! What the store holds, in memory: the index's rows, and which of them are still to be written.

use std::collections::{HashMap, HashSet};

use larder_service::Digest;

use crate::row::{BlobRow, BlobStamp, RecordRow};
use crate::{Owner, RecordId, RecordKind};

/// Something that is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Name {
    Record(RecordId),
    Blob(Digest),
}

/// Something that may be evicted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Candidate {
    /// Unix time, milliseconds.
    pub(crate) last_use: u64,
    pub(crate) name: Name,
    /// Bytes.
    pub(crate) size: u64,
}

/// Rows that the index does not have yet.
#[derive(Default)]
pub(crate) struct Changes {
    /// `None`: the blob is gone.
    pub(crate) blobs: Vec<(Digest, Option<BlobRow>)>,
    pub(crate) records: Vec<(RecordId, RecordRow)>,
}

/// All rows.
#[derive(Default)]
pub(crate) struct Catalog {
    blobs: HashMap<Digest, BlobRow>,
    records: HashMap<RecordId, RecordRow>,
    changed: HashSet<Name>,
    /// Names may claim sizes whose sum is beyond 64 bits.
    bytes: u128,
    actions: u64,
}

impl Catalog {
    /// Bytes of all blobs and records.
    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(u64::MAX)
    }

    pub(crate) fn blobs(&self) -> u64 {
        self.blobs.len() as u64
    }

    /// Records that are action results.
    pub(crate) fn actions(&self) -> u64 {
        self.actions
    }

    /// Every record, and whose it is.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (&RecordId, Option<Owner>)> {
        self.records.iter().map(|(id, row)| (id, row.owner))
    }

    /// Names of action results.
    pub(crate) fn action_ids(&self) -> Vec<RecordId> {
        self.records.keys().filter(|id| id.kind == RecordKind::Action).copied().collect()
    }

    pub(crate) fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.contains_key(digest)
    }

    /// A row that the index has.
    pub(crate) fn know_blob(&mut self, digest: Digest, row: BlobRow) {
        if self.blobs.insert(digest, row).is_none() {
            self.bytes += u128::from(digest.size);
        }
    }

    /// A row that the index does not have.
    pub(crate) fn put_blob(&mut self, digest: Digest, row: BlobRow) {
        self.know_blob(digest, row);
        self.changed.insert(Name::Blob(digest));
    }

    /// Notes a use at `now`; the stamp that proves the content, if there is one.
    pub(crate) fn use_blob(&mut self, digest: &Digest, now: u64) -> Option<Option<BlobStamp>> {
        let row = self.blobs.get_mut(digest)?;
        if row.last_use < now {
            row.last_use = now;
            self.changed.insert(Name::Blob(*digest));
        }
        Some(row.stamp)
    }

    /// The stamp that proves the content, if the blob is there and has one.
    pub(crate) fn proof(&self, digest: &Digest) -> Option<BlobStamp> {
        self.blobs.get(digest)?.stamp
    }

    /// The content is proven for as long as the file has `stamp`.
    pub(crate) fn prove_blob(&mut self, digest: &Digest, stamp: BlobStamp) {
        if let Some(row) = self.blobs.get_mut(digest) {
            row.stamp = Some(stamp);
            self.changed.insert(Name::Blob(*digest));
        }
    }

    pub(crate) fn drop_blob(&mut self, digest: &Digest) {
        if self.blobs.remove(digest).is_some() {
            self.bytes -= u128::from(digest.size);
            self.changed.insert(Name::Blob(*digest));
        }
    }

    /// A row that the index has.
    pub(crate) fn know_record(&mut self, id: RecordId, row: RecordRow) {
        self.drop_record(&id);
        self.bytes += u128::from(row.size);
        self.actions += u64::from(id.kind == RecordKind::Action);
        self.records.insert(id, row);
    }

    /// Notes a use at `now`; whether the record is known.
    pub(crate) fn use_record(&mut self, id: &RecordId, now: u64) -> bool {
        let Some(row) = self.records.get_mut(id) else { return false };
        if row.last_use < now {
            row.last_use = now;
            self.changed.insert(Name::Record(*id));
        }
        true
    }

    pub(crate) fn has_record(&self, id: &RecordId) -> bool {
        self.records.contains_key(id)
    }

    pub(crate) fn drop_record(&mut self, id: &RecordId) {
        if let Some(row) = self.records.remove(id) {
            self.bytes -= u128::from(row.size);
            self.actions -= u64::from(id.kind == RecordKind::Action);
            self.changed.remove(&Name::Record(*id));
        }
    }

    /// What is still to be written; from now on it counts as written.
    pub(crate) fn take_changes(&mut self) -> Changes {
        let mut changes = Changes::default();
        for name in self.changed.drain() {
            match name {
                Name::Blob(digest) => changes.blobs.push((digest, self.blobs.get(&digest).copied())),
                Name::Record(id) => changes.records.extend(self.records.get(&id).map(|row| (id, *row))),
            }
        }
        changes
    }

    /// Takes back what [`Self::take_changes`] gave, as it could not be written.
    pub(crate) fn return_changes(&mut self, changes: &Changes) {
        self.changed.extend(changes.blobs.iter().map(|(digest, _)| Name::Blob(*digest)));
        self.changed.extend(changes.records.iter().map(|(id, _)| Name::Record(*id)));
    }

    /// The index lost rows: all those of blobs are to be written again.
    pub(crate) fn doubt_index(&mut self) {
        self.changed.extend(self.blobs.keys().map(|digest| Name::Blob(*digest)));
    }

    /// Every blob, and when it was last used, Unix time in milliseconds.
    pub(crate) fn each_blob(&self) -> impl Iterator<Item = (&Digest, u64)> {
        self.blobs.iter().map(|(digest, row)| (digest, row.last_use))
    }

    /// All there is, in no order.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let blobs = self.blobs.iter().map(|(digest, row)| Candidate {
            last_use: row.last_use,
            name: Name::Blob(*digest),
            size: digest.size,
        });
        let records = self.records.iter().map(|(id, row)| Candidate {
            last_use: row.last_use,
            name: Name::Record(*id),
            size: row.size,
        });
        blobs.chain(records).collect()
    }

    /// Whether it was used after `candidate` was listed, or is gone.
    pub(crate) fn outdates(&self, candidate: &Candidate) -> bool {
        let last_use = match candidate.name {
            Name::Blob(digest) => self.blobs.get(&digest).map(|row| row.last_use),
            Name::Record(id) => self.records.get(&id).map(|row| row.last_use),
        };
        last_use != Some(candidate.last_use)
    }
}

#[cfg(test)]
mod tests {
    use larder_service::Key;

    use super::*;

    const UNPROVEN: BlobRow = BlobRow { last_use: 5, stamp: None };

    #[test]
    fn bytes_and_counts_follow_what_is_there() {
        let mut catalog = Catalog::default();
        let (digest, id) = (Digest::of(b"abc"), RecordId::action(&Key([1; 32])));
        for size in [10, 7] {
            catalog.put_blob(digest, UNPROVEN);
            catalog.know_record(id, RecordRow { last_use: 1, size, owner: None });
            assert_eq!((catalog.bytes(), catalog.blobs(), catalog.actions()), (3 + size, 1, 1));
        }
        for _ in 0..2 {
            catalog.drop_blob(&digest);
            catalog.drop_record(&id);
            assert_eq!((catalog.bytes(), catalog.blobs(), catalog.actions()), (0, 0, 0));
        }
    }

    #[test]
    fn absurd_sizes_are_counted_without_overflow() {
        let mut catalog = Catalog::default();
        let digests = [1, 2].map(|number| Digest { hash: [number; 32], size: u64::MAX });
        for digest in digests {
            catalog.put_blob(digest, UNPROVEN);
            assert_eq!(catalog.bytes(), u64::MAX);
        }
        for digest in digests {
            catalog.drop_blob(&digest);
        }
        assert_eq!(catalog.bytes(), 0);
    }

    #[test]
    fn a_change_is_written_once_unless_it_comes_back() {
        let mut catalog = Catalog::default();
        let digest = Digest::of(b"abc");
        catalog.know_blob(digest, UNPROVEN);
        assert!(catalog.take_changes().blobs.is_empty());
        assert_eq!(catalog.use_blob(&digest, 5), Some(None));
        assert!(catalog.take_changes().blobs.is_empty(), "it was used at 5 before");
        catalog.use_blob(&digest, 6);
        let changes = catalog.take_changes();
        assert_eq!(changes.blobs, [(digest, Some(BlobRow { last_use: 6, stamp: None }))]);
        assert!(catalog.take_changes().blobs.is_empty());
        catalog.return_changes(&changes);
        catalog.drop_blob(&digest);
        assert_eq!(catalog.take_changes().blobs, [(digest, None)]);
    }

    #[test]
    fn a_use_moves_to_the_end_and_outdates_the_list() {
        let mut catalog = Catalog::default();
        let (first, second) = (Digest::of(b"1"), Digest::of(b"2"));
        catalog.know_blob(first, BlobRow { last_use: 1, stamp: None });
        catalog.know_blob(second, BlobRow { last_use: 2, stamp: None });
        let mut list = catalog.candidates();
        list.sort_unstable();
        assert_eq!(list[0].name, Name::Blob(first));
        catalog.use_blob(&first, 3);
        assert!(catalog.outdates(&list[0]));
        assert!(!catalog.outdates(&list[1]));
        assert_eq!(catalog.candidates().iter().min().map(|first| first.name), Some(Name::Blob(second)));
    }
}
