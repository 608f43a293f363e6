//! What the store holds: sums, and those rows that the index does not have yet or that were used lately. All others are in
//! the index alone, so that a large store takes no more memory than a small one.

use std::collections::HashSet;
use std::sync::Arc;

use larder_service::Digest;

use crate::index::Index;
use crate::row::{BlobRow, BlobStamp, RecordRow};
use crate::rows::Rows;
use crate::{RecordId, RecordKind, StoreError};

/// Rows of each kind that are kept though the index has them; about 100 bytes each, and at most twice as many.
const ROWS_KEPT: usize = 50_000;

/// Something that is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum Name {
    Record(RecordId),
    Blob(Digest),
}

/// Rows that the index does not have.
#[derive(Default)]
pub(crate) struct Changes {
    /// `None`: the blob is gone.
    pub(crate) blobs: Vec<(Digest, Option<BlobRow>)>,
    pub(crate) records: Vec<(RecordId, RecordRow)>,
}

/// Sums over all rows.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Totals {
    /// Bytes of all blobs and records; names may claim sizes whose sum is beyond 64 bits.
    pub(crate) bytes: u128,
    pub(crate) blobs: u64,
    /// Records that are action results.
    pub(crate) actions: u64,
}

impl Totals {
    pub(crate) fn add_blob(&mut self, digest: &Digest) {
        self.bytes += u128::from(digest.size);
        self.blobs += 1;
    }

    fn take_blob(&mut self, digest: &Digest) {
        self.bytes = self.bytes.saturating_sub(u128::from(digest.size));
        self.blobs = self.blobs.saturating_sub(1);
    }

    pub(crate) fn add_record(&mut self, id: &RecordId, row: &RecordRow) {
        self.bytes += u128::from(row.size);
        self.actions += u64::from(id.kind == RecordKind::Action);
    }

    fn take_record(&mut self, id: &RecordId, row: &RecordRow) {
        self.bytes = self.bytes.saturating_sub(u128::from(row.size));
        self.actions = self.actions.saturating_sub(u64::from(id.kind == RecordKind::Action));
    }
}

/// What is stored. Each method fails where the index cannot be read.
pub(crate) struct Catalog {
    index: Arc<Index>,
    totals: Totals,
    blobs: Rows<Digest, BlobRow>,
    records: Rows<RecordId, RecordRow>,
    /// Blobs that are gone, and whose files are being removed: none may be put in their place meanwhile.
    pub(crate) leaving: HashSet<Digest>,
}

impl Catalog {
    /// A catalog of what `index` lists, whose sums are `totals`.
    pub(crate) fn new(index: Arc<Index>, totals: Totals) -> Self {
        let (blobs, records) = (Rows::new(ROWS_KEPT), Rows::new(ROWS_KEPT));
        Self { index, totals, blobs, records, leaving: HashSet::new() }
    }

    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// Bytes of all blobs and records.
    pub(crate) fn bytes(&self) -> u64 {
        u64::try_from(self.totals.bytes).unwrap_or(u64::MAX)
    }

    /// What is known of a blob that is there.
    pub(crate) fn blob(&mut self, digest: &Digest) -> Result<Option<BlobRow>, StoreError> {
        self.blobs.get(digest, || self.index.row(digest))
    }

    /// What is known of a record that is there.
    pub(crate) fn record(&mut self, id: &RecordId) -> Result<Option<RecordRow>, StoreError> {
        self.records.get(id, || self.index.row(id))
    }

    pub(crate) fn has_blob(&mut self, digest: &Digest) -> Result<bool, StoreError> {
        Ok(self.blob(digest)?.is_some())
    }

    pub(crate) fn has_record(&mut self, id: &RecordId) -> Result<bool, StoreError> {
        Ok(self.record(id)?.is_some())
    }

    /// A row that the index does not have.
    pub(crate) fn put_blob(&mut self, digest: Digest, row: BlobRow) -> Result<(), StoreError> {
        if !self.has_blob(&digest)? {
            self.totals.add_blob(&digest);
        }
        self.blobs.change(digest, Some(row));
        Ok(())
    }

    /// Notes a use at `now`; the stamp that proves the content, if there is one.
    pub(crate) fn use_blob(
        &mut self,
        digest: &Digest,
        now: u64,
    ) -> Result<Option<Option<BlobStamp>>, StoreError> {
        let Some(row) = self.blob(digest)? else { return Ok(None) };
        if row.last_use < now {
            self.blobs.change(*digest, Some(BlobRow { last_use: now, ..row }));
        }
        Ok(Some(row.stamp))
    }

    /// The content is proven for as long as the file has `stamp`.
    pub(crate) fn prove_blob(&mut self, digest: &Digest, stamp: BlobStamp) -> Result<(), StoreError> {
        if let Some(row) = self.blob(digest)? {
            self.blobs.change(*digest, Some(BlobRow { stamp: Some(stamp), ..row }));
        }
        Ok(())
    }

    pub(crate) fn drop_blob(&mut self, digest: &Digest) -> Result<(), StoreError> {
        if self.has_blob(digest)? {
            self.totals.take_blob(digest);
            self.blobs.change(*digest, None);
        }
        Ok(())
    }

    /// A blob whose row the index has; for the sums.
    pub(crate) fn know_blob(&mut self, digest: &Digest) {
        self.totals.add_blob(digest);
    }

    /// A blob of which the index has no row.
    pub(crate) fn list_blob(&mut self, digest: Digest, row: BlobRow) {
        self.totals.add_blob(&digest);
        self.blobs.change(digest, Some(row));
    }

    /// The index lists a blob's row, and there is no such blob.
    pub(crate) fn unlist_blob(&mut self, digest: Digest) {
        self.blobs.change(digest, None);
    }

    /// A row that the index has by now, in place of `replaced`, which it had before.
    pub(crate) fn know_record(&mut self, id: RecordId, row: RecordRow, replaced: Option<&RecordRow>) {
        // It may have been dropped since.
        if let Some(replaced) = replaced.filter(|_| !self.records.hides(&id)) {
            self.totals.take_record(&id, replaced);
        }
        self.totals.add_record(&id, &row);
        self.records.know(id, row);
    }

    /// Notes a use at `now`; whether the record is known.
    pub(crate) fn use_record(&mut self, id: &RecordId, now: u64) -> Result<bool, StoreError> {
        let Some(row) = self.record(id)? else { return Ok(false) };
        if row.last_use < now {
            self.records.change(*id, Some(RecordRow { last_use: now, ..row }));
        }
        Ok(true)
    }

    /// The record is gone, though the index has it until [`Self::forget_records`].
    pub(crate) fn drop_record(&mut self, id: &RecordId) -> Result<(), StoreError> {
        if let Some(row) = self.record(id)? {
            self.totals.take_record(id, &row);
            self.records.hide(*id);
        }
        Ok(())
    }

    /// The index has `ids` no longer.
    pub(crate) fn forget_records(&mut self, ids: &[RecordId]) {
        ids.iter().for_each(|id| self.records.forget(id));
    }
}

/// What is still to be written.
impl Catalog {
    /// How much there is.
    pub(crate) fn changes(&self) -> usize {
        self.blobs.changes() + self.records.changes()
    }

    /// Takes it; until [`Self::written`] or [`Self::give_back`] is called, what is taken counts as much as what is not.
    pub(crate) fn take_changes(&mut self) -> Changes {
        let records = self.records.take().into_iter().filter_map(|(id, row)| Some((id, row?)));
        Changes { blobs: self.blobs.take(), records: records.collect() }
    }

    /// What was taken is in the index.
    pub(crate) fn written(&mut self) {
        self.blobs.written();
        self.records.written();
    }

    /// What was taken could not be written.
    pub(crate) fn give_back(&mut self) {
        self.blobs.give_back();
        self.records.give_back();
    }

    /// The blobs of which the index has another row, or none.
    pub(crate) fn changed_blobs(&self) -> Vec<(Digest, Option<BlobRow>)> {
        self.blobs.unlike_the_index()
    }

    /// The records of which the index has another row.
    pub(crate) fn changed_records(&self) -> Vec<(RecordId, Option<RecordRow>)> {
        self.records.unlike_the_index()
    }

    /// The index lists what is there and nothing else, and so does the folder.
    pub(crate) fn is_written(&self) -> bool {
        self.blobs.is_like_the_index() && self.records.is_like_the_index() && self.leaving.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use larder_service::Key;

    use super::*;

    const UNPROVEN: BlobRow = BlobRow { last_use: 5, stamp: None };

    /// A catalog of an empty index.
    fn catalog() -> (Catalog, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let index = Index::open(folder.path(), 1, false).expect("it opens").index;
        (Catalog::new(Arc::new(index), Totals::default()), folder)
    }

    #[test]
    fn bytes_and_counts_follow_what_is_there() {
        let (mut catalog, _folder) = catalog();
        let (digest, id) = (Digest::of(b"abc"), RecordId::action(&Key([1; 32])));
        for size in [10, 7] {
            catalog.put_blob(digest, UNPROVEN).unwrap();
            let replaced = catalog.record(&id).unwrap();
            catalog.know_record(id, RecordRow { last_use: 1, size, owner: None }, replaced.as_ref());
            assert_eq!(catalog.totals(), Totals { bytes: u128::from(3 + size), blobs: 1, actions: 1 });
        }
        for _ in 0..2 {
            catalog.drop_blob(&digest).unwrap();
            catalog.drop_record(&id).unwrap();
            assert_eq!(catalog.totals(), Totals::default());
        }
    }

    #[test]
    fn a_record_that_is_dropped_while_it_is_put_again_is_counted_once() {
        let (mut catalog, _folder) = catalog();
        let id = RecordId::action(&Key([1; 32]));
        let row = |size| RecordRow { last_use: 1, size, owner: None };
        catalog.know_record(id, row(10), None);
        let replaced = catalog.record(&id).unwrap();
        catalog.drop_record(&id).unwrap();
        catalog.know_record(id, row(7), replaced.as_ref());
        assert_eq!(catalog.totals(), Totals { bytes: 7, blobs: 0, actions: 1 });
        // Only what is gone is forgotten when the index has dropped it.
        assert!(catalog.has_record(&id).unwrap());
    }

    #[test]
    fn absurd_sizes_are_counted_without_overflow() {
        let (mut catalog, _folder) = catalog();
        let digests = [1, 2].map(|number| Digest { hash: [number; 32], size: u64::MAX });
        for digest in digests {
            catalog.put_blob(digest, UNPROVEN).unwrap();
            assert_eq!(catalog.bytes(), u64::MAX);
        }
        for digest in digests {
            catalog.drop_blob(&digest).unwrap();
        }
        assert_eq!(catalog.bytes(), 0);
    }

    #[test]
    fn a_change_is_written_once_unless_it_comes_back() {
        let (mut catalog, _folder) = catalog();
        let digest = Digest::of(b"abc");
        catalog.put_blob(digest, UNPROVEN).unwrap();
        assert_eq!(catalog.take_changes().blobs, [(digest, Some(UNPROVEN))]);
        assert_eq!(catalog.blob(&digest).unwrap(), Some(UNPROVEN), "also while it is being written");
        catalog.written();
        assert!(catalog.take_changes().blobs.is_empty());
        catalog.written();
        assert_eq!(catalog.use_blob(&digest, 5).unwrap(), Some(None));
        assert!(catalog.take_changes().blobs.is_empty(), "it was used at 5 before");
        catalog.written();
        catalog.use_blob(&digest, 6).unwrap();
        assert_eq!(catalog.take_changes().blobs, [(digest, Some(BlobRow { last_use: 6, stamp: None }))]);
        catalog.drop_blob(&digest).unwrap();
        catalog.give_back();
        assert_eq!(catalog.take_changes().blobs, [(digest, None)]);
    }
}
