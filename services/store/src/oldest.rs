//! What is stored, in the order in which it is evicted.

use std::collections::BinaryHeap;
use std::collections::HashMap;
use std::ops::ControlFlow;

use larder_service::Digest;

use crate::catalog::Name;
use crate::listed::Listed;
use crate::row::{BlobRow, RecordRow};
use crate::{DiskTier, RecordId, StoreError};

/// Most that is listed at once; about 80 bytes each.
const LISTED: usize = 100_000;

/// Something that may be evicted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Candidate {
    /// Unix time, milliseconds.
    pub(crate) last_use: u64,
    pub(crate) name: Name,
    /// Bytes.
    pub(crate) size: u64,
}

impl Candidate {
    pub(crate) fn blob(digest: Digest, row: &BlobRow) -> Self {
        Self { last_use: row.last_use, name: Name::Blob(digest), size: digest.size }
    }

    pub(crate) fn record(id: RecordId, row: &RecordRow) -> Self {
        Self { last_use: row.last_use, name: Name::Record(id), size: row.size }
    }
}

/// What is listed part by part, the longest unused first.
pub(crate) struct Oldest<'d> {
    disk: &'d DiskTier,
    /// Nothing that was used later.
    until: u64,
    most: usize,
    after: Option<Candidate>,
}

impl<'d> Oldest<'d> {
    /// Lists what was last used at `until`, Unix time in milliseconds, or before.
    pub(crate) fn of(disk: &'d DiskTier, until: u64) -> Self {
        Self { disk, until, most: LISTED, after: None }
    }

    /// The next part; empty when there is no more. Each looks at all rows once.
    pub(crate) fn next_part(&mut self) -> Result<Vec<Candidate>, StoreError> {
        let mut first = BinaryHeap::new();
        let (after, until, most) = (self.after, self.until, self.most);
        let mut add = |candidate: Candidate| {
            let is_next = candidate.last_use <= until && after.is_none_or(|after| candidate > after);
            if is_next && (first.len() < most || first.peek().is_some_and(|last| candidate < *last)) {
                first.push(candidate);
                if first.len() > most {
                    first.pop();
                }
            }
            ControlFlow::Continue(())
        };
        self.disk.each(&[], |digest, row| add(Candidate::blob(digest, &row)))?;
        self.disk.each(&[], |id, row| add(Candidate::record(id, &row)))?;
        let part = first.into_sorted_vec();
        self.after = part.last().copied().or(self.after);
        Ok(part)
    }
}

impl DiskTier {
    /// Shows `visit` everything of one kind whose stored name is `from` or comes after it, in no order. It must not ask the store
    /// for anything.
    pub(crate) fn each<K: Listed>(
        &self,
        from: &[u8],
        mut visit: impl FnMut(K, K::Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        // Taken before the index is looked at: what is written meanwhile is in both.
        let changed: HashMap<_, _> = K::changed(&self.catalog()).into_iter().collect();
        for (name, row) in &changed {
            if let Some(row) = row.filter(|_| name.stored().as_ref() >= from)
                && visit(*name, row).is_break()
            {
                return Ok(());
            }
        }
        self.index.each_row(from, |name, row| {
            if changed.contains_key(&name) { ControlFlow::Continue(()) } else { visit(name, row) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larder_service::{Key, SystemClock};

    use super::*;

    #[test]
    fn parts_are_in_order_and_nothing_is_in_two_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = DiskTier::open(folder.path(), Arc::new(SystemClock)).unwrap();
        for number in 0..10_u8 {
            // In the index, in memory, and changed since.
            let row = BlobRow { last_use: 20 - u64::from(number), stamp: None };
            disk.catalog().put_blob(Digest::of(&[number]), row).unwrap();
            let row = RecordRow { last_use: u64::from(number) % 3, size: 1, owner: None };
            let id = RecordId::action(&Key([number; 32]));
            disk.index.put_records(&[(id, &[number][..], row)]).unwrap();
            disk.catalog().know_record(id, row, None);
            if number == 5 {
                disk.flush().unwrap();
            }
        }
        disk.catalog().use_blob(&Digest::of(&[1]), 30).unwrap();
        disk.catalog().use_blob(&Digest::of(&[2]), 25).unwrap();
        disk.catalog().drop_blob(&Digest::of(&[0])).unwrap();
        disk.catalog().drop_record(&RecordId::action(&Key([0; 32]))).unwrap();
        for most in [1, 3, 100] {
            let mut oldest = Oldest { most, ..Oldest::of(&disk, 25) };
            let mut all = Vec::new();
            loop {
                let part = oldest.next_part().unwrap();
                assert!(part.len() <= most);
                if part.is_empty() {
                    break;
                }
                all.extend(part);
            }
            assert!(all.is_sorted_by(|one, next| one < next), "{most}");
            let uses: Vec<_> = all.iter().map(|candidate| candidate.last_use).collect();
            assert_eq!(uses, [0, 0, 0, 1, 1, 1, 2, 2, 2, 11, 12, 13, 14, 15, 16, 17, 25], "{most}");
        }
    }
}
