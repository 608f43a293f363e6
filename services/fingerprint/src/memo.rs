//! The memory of digests.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use larder_service::Digest;

use crate::Stamp;

/// Readers of different files seldom meet in one of so many.
const SHARDS: usize = 16;

/// Of this size on, bytes, a file is worth more than many that were used later: one compiler takes as long to read as thousands
/// of headers.
const LARGE: u64 = 1 << 20;

/// Stamp to digest, bounded. The same file under several paths is one entry.
pub(crate) struct Memo {
    shards: Vec<RwLock<HashMap<(u64, u64), Entry>>>,
    /// Most entries of one shard.
    capacity: usize,
    /// Counts uses, to tell which entry was used last.
    uses: AtomicU64,
}

struct Entry {
    stamp: Stamp,
    digest: Digest,
    used: AtomicU64,
}

impl Memo {
    pub(crate) fn new(max_entries: usize) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, capacity: max_entries.div_ceil(SHARDS).max(1), uses: AtomicU64::new(0) }
    }

    /// The digest of the content that `stamp` stands for, when known.
    pub(crate) fn get(&self, stamp: &Stamp) -> Option<Digest> {
        let shard = self.shard(stamp).read().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.get(&(stamp.device, stamp.inode)).filter(|entry| entry.stamp == *stamp)?;
        entry.used.store(self.next_use(), Ordering::Relaxed);
        Some(entry.digest)
    }

    /// Remembers that `stamp` stands for content with `digest`.
    pub(crate) fn put(&self, stamp: Stamp, digest: Digest) {
        let mut shard = self.shard(&stamp).write().unwrap_or_else(PoisonError::into_inner);
        let used = AtomicU64::new(self.next_use());
        shard.insert((stamp.device, stamp.inode), Entry { stamp, digest, used });
        if shard.len() > self.capacity {
            // An eighth at once, so that the cost of finding them is spread over as many insertions.
            let drop = (self.capacity / 8).max(1);
            let mut uses: Vec<u64> = shard.values().map(|entry| entry.used.load(Ordering::Relaxed)).collect();
            let (_, last_dropped, _) = uses.select_nth_unstable(drop - 1);
            let last_dropped = *last_dropped;
            shard.retain(|_, entry| entry.used.load(Ordering::Relaxed) > last_dropped);
        }
    }

    /// Everything, last what it would take longest to do without: large files, and what was used last.
    pub(crate) fn by_worth(&self) -> Vec<(Stamp, Digest)> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            all.extend(shard.values().map(|entry| {
                let used = entry.used.load(Ordering::Relaxed);
                (used, entry.stamp, entry.digest)
            }));
        }
        all.sort_unstable_by_key(|(used, stamp, _)| (stamp.size >= LARGE, *used));
        all.into_iter().map(|(_, stamp, digest)| (stamp, digest)).collect()
    }

    /// Knows nothing any more.
    pub(crate) fn forget(&self) {
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    fn shard(&self, stamp: &Stamp) -> &RwLock<HashMap<(u64, u64), Entry>> {
        // The remainder is below 16, so no bit is lost.
        &self.shards[(stamp.inode % SHARDS as u64) as usize]
    }

    fn next_use(&self) -> u64 {
        self.uses.fetch_add(1, Ordering::Relaxed)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap().len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(inode: u64) -> Stamp {
        Stamp { size: 1, mtime_ns: 2, ctime_ns: 3, inode, device: 4 }
    }

    #[test]
    fn any_difference_of_the_stamp_is_another_content() {
        let memo = Memo::new(100);
        memo.put(stamp(1), Digest::of(b"a"));
        assert_eq!(memo.get(&stamp(1)), Some(Digest::of(b"a")));
        for other in [
            Stamp { size: 2, ..stamp(1) },
            Stamp { mtime_ns: 9, ..stamp(1) },
            Stamp { ctime_ns: 9, ..stamp(1) },
            Stamp { inode: 9, ..stamp(1) },
            Stamp { device: 9, ..stamp(1) },
        ] {
            assert_eq!(memo.get(&other), None, "{other:?}");
        }
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let memo = Memo::new(64);
        for inode in 0..1000 {
            memo.put(stamp(inode), Digest::of(b"a"));
            assert_eq!(memo.get(&stamp(0)), Some(Digest::of(b"a")), "dropped after {inode} others");
        }
        assert!(memo.len() <= 64, "{} entries", memo.len());
    }

    #[test]
    fn large_files_and_the_latest_are_worth_most_in_the_order_of_their_use() {
        let memo = Memo::new(100);
        memo.put(Stamp { size: LARGE, ..stamp(99) }, Digest::of(b"a"));
        for inode in 0..40 {
            memo.put(stamp(inode), Digest::of(b"a"));
        }
        memo.get(&stamp(3));
        let all: Vec<u64> = memo.by_worth().iter().map(|(stamp, _)| stamp.inode).collect();
        assert_eq!(all.len(), 41);
        assert!(all.ends_with(&[38, 39, 3, 99]), "{all:?}");
        memo.forget();
        assert!(memo.by_worth().is_empty());
    }
}
