//! Makes room: what was used longest ago goes first.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::catalog::Name;
use crate::oldest::{Candidate, Oldest};
use crate::{DiskTier, RecordId, Store, StoreError, Tier as _};

/// How much is removed in one step, which lookups wait for; more steps would be more waiting for lookups.
const EVICTED_AT_ONCE: usize = 8;
const DROPPED_AT_ONCE: usize = 64;

/// Pause after a step. A lock goes to whoever comes first: without it, those who wait would find it taken again each time.
const PAUSE: Duration = Duration::from_micros(50);

/// How often what was removed is written down.
const WRITTEN_EVERY: Duration = Duration::from_secs(1);

/// What was evicted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// Blobs.
    pub blobs: u64,
    /// Action results and manifests.
    pub records: u64,
    /// Size of both, bytes.
    pub bytes: u64,
}

impl Store {
    /// When the store holds more than its limit, removes what was used longest ago until it holds 90 % of it. What
    /// is pinned stays, even if that means to stay above the limit.
    ///
    /// # Errors
    /// When a file cannot be removed or the index cannot be written.
    pub fn evict_if_needed(&self) -> Result<Evicted, StoreError> {
        // Who finds another thread at it need not wait: it makes room for both.
        let Ok(_alone) = self.evicting.try_lock() else { return Ok(Evicted::default()) };
        let bytes = || self.disk.catalog().bytes();
        if bytes() <= self.limit_bytes {
            return Ok(Evicted::default());
        }
        let excess = bytes().saturating_sub(self.limit_bytes - self.limit_bytes / 10);
        let (evicted, failure) = self.evict_oldest(u64::MAX, excess)?;
        self.evicted_blobs.fetch_add(evicted.blobs, Ordering::Relaxed);
        tracing::debug!(blobs = evicted.blobs, records = evicted.records, bytes = evicted.bytes, "evicted");
        failure.map_or(Ok(evicted), Err)
    }

    /// Removes what was used longest ago, and not after `until`, Unix time in milliseconds, until `bytes` are free; what is
    /// pinned, or used meanwhile, stays. Tells what was removed, and the first failure.
    pub(crate) fn evict_oldest(
        &self,
        until: u64,
        bytes: u64,
    ) -> Result<(Evicted, Option<StoreError>), StoreError> {
        let mut oldest = Oldest::of(&self.disk, until);
        let mut evicted = Evicted::default();
        let mut failure = None;
        while evicted.bytes < bytes {
            // Nobody waits for the listing.
            let part = oldest.next_part()?;
            if part.is_empty() {
                break;
            }
            let (some, failed) = self.evict_each(&part, bytes - evicted.bytes)?;
            evicted.blobs += some.blobs;
            evicted.records += some.records;
            evicted.bytes += some.bytes;
            failure = failure.or(failed);
        }
        Ok((evicted, failure))
    }

    /// Removes `candidates` in their order until `bytes` are free; what is pinned, or used meanwhile, stays. Tells what was
    /// removed, and the first failure.
    pub(crate) fn evict_each(
        &self,
        candidates: &[Candidate],
        bytes: u64,
    ) -> Result<(Evicted, Option<StoreError>), StoreError> {
        let mut evicted = Evicted::default();
        let mut records = Vec::new();
        let mut failure = None;
        let mut rest = candidates;
        let mut pace = Pace { written: Instant::now() };
        while evicted.bytes < bytes && !rest.is_empty() {
            // As many as it takes, should all of them go.
            let mut left = bytes - evicted.bytes;
            let is_wanted = |candidate: &&Candidate| {
                let wanted = left > 0;
                left = left.saturating_sub(candidate.size);
                wanted
            };
            let (some, later) =
                rest.split_at(rest.iter().take(EVICTED_AT_ONCE).take_while(is_wanted).count());
            rest = later;
            let outcomes = self.disk.evict(some);
            failure = failure.or(pace.step(&self.disk).err());
            for (candidate, outcome) in outcomes {
                match outcome {
                    Ok(true) => {}
                    Ok(false) => continue,
                    // One file that does not go must not keep the others.
                    Err(error) => {
                        failure = failure.or(Some(error));
                        continue;
                    }
                }
                evicted.bytes += candidate.size;
                match candidate.name {
                    Name::Blob(digest) => {
                        evicted.blobs += 1;
                        self.memory.drop_blob(&digest)?;
                    }
                    Name::Record(id) => records.push(id),
                }
            }
        }
        evicted.records = records.len() as u64;
        let failed = self.drop_evicted(&records, &mut pace)?;
        Ok((evicted, failure.or(failed)))
    }

    /// Removes `records`, which the catalog lists no longer, from index and memory.
    fn drop_evicted(&self, records: &[RecordId], pace: &mut Pace) -> Result<Option<StoreError>, StoreError> {
        let mut failure = None;
        for records in records.chunks(DROPPED_AT_ONCE) {
            let alone = self.change_records();
            // Some may have been put again meanwhile.
            let mut gone = Vec::with_capacity(records.len());
            for id in records {
                if !self.disk.catalog().has_record(id)? {
                    self.memory.drop_record(id)?;
                    gone.push(*id);
                }
            }
            self.disk.drop_from_index(&gone)?;
            drop(alone);
            failure = failure.or(pace.step(&self.disk).err());
        }
        Ok(failure)
    }
}

/// Keeps long work from being in anybody's way.
struct Pace {
    /// When it was last written down what was done.
    written: Instant,
}

impl Pace {
    fn step(&mut self, disk: &DiskTier) -> Result<(), StoreError> {
        std::thread::sleep(PAUSE);
        if self.written.elapsed() < WRITTEN_EVERY {
            return Ok(());
        }
        // What is not written is kept in memory, and so is the index library's part of it.
        let written = disk.flush();
        self.written = Instant::now();
        written
    }
}
