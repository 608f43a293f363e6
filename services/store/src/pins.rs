//! Pins: blobs that someone was handed and may still read.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_service::Digest;

#[derive(Default)]
pub(crate) struct Pins {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    owners: HashMap<u64, HashSet<Digest>>,
    /// How many owners each pinned blob has.
    counts: HashMap<Digest, usize>,
}

impl Pins {
    pub(crate) fn pin(&self, owner: u64, digest: &Digest) {
        let mut inner = self.lock();
        if inner.owners.entry(owner).or_default().insert(*digest) {
            *inner.counts.entry(*digest).or_default() += 1;
        }
    }

    pub(crate) fn unpin_all(&self, owner: u64) {
        let mut inner = self.lock();
        for digest in inner.owners.remove(&owner).unwrap_or_default() {
            if let Some(count) = inner.counts.get_mut(&digest) {
                *count -= 1;
                if *count == 0 {
                    inner.counts.remove(&digest);
                }
            }
        }
    }

    /// All that `from` has pinned is `to`'s from now on.
    pub(crate) fn hand_over(&self, from: u64, to: u64) {
        let mut inner = self.lock();
        let handed = inner.owners.remove(&from).unwrap_or_default();
        for digest in handed {
            let new = inner.owners.entry(to).or_default().insert(digest);
            if !new && let Some(count) = inner.counts.get_mut(&digest) {
                *count -= 1;
            }
        }
    }

    /// All that are pinned.
    pub(crate) fn all(&self) -> Vec<Digest> {
        self.lock().counts.keys().copied().collect()
    }

    pub(crate) fn pinned(&self, digest: &Digest) -> bool {
        self.lock().counts.contains_key(digest)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_handed_over_stays_pinned_once() {
        let pins = Pins::default();
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        pins.pin(1, &one);
        pins.pin(2, &one);
        pins.pin(2, &other);
        pins.hand_over(2, 1);
        pins.unpin_all(2);
        assert!(pins.pinned(&one) && pins.pinned(&other));
        pins.unpin_all(1);
        assert!(!pins.pinned(&one) && !pins.pinned(&other));
    }

    #[test]
    fn a_blob_is_pinned_until_its_last_owner_lets_go() {
        let pins = Pins::default();
        let digest = Digest::of(b"x");
        pins.pin(1, &digest);
        pins.pin(1, &digest);
        pins.pin(2, &digest);
        pins.unpin_all(1);
        assert!(pins.pinned(&digest));
        pins.unpin_all(1);
        assert!(pins.pinned(&digest));
        pins.unpin_all(2);
        assert!(!pins.pinned(&digest));
    }
}
