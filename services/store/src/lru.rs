//! A map that forgets what was used longest ago when it grows past a number of bytes.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// What an entry costs besides its bytes, roughly.
const OVERHEAD: u64 = 200;

pub(crate) struct Lru<K> {
    entries: HashMap<K, (u64, Arc<[u8]>)>,
    /// Use number to key; the first was used longest ago.
    order: BTreeMap<u64, K>,
    uses: u64,
    bytes: u64,
    limit: u64,
}

impl<K: Copy + Eq + Hash> Lru<K> {
    pub(crate) fn new(limit: u64) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), uses: 0, bytes: 0, limit }
    }

    pub(crate) fn get(&mut self, key: &K) -> Option<Arc<[u8]>> {
        let (used, bytes) = self.entries.get_mut(key)?;
        self.order.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.order.insert(self.uses, *key);
        Some(bytes.clone())
    }

    /// Keeps `bytes`, unless they would take more than an eighth of the room.
    pub(crate) fn put(&mut self, key: K, bytes: Arc<[u8]>) {
        self.remove(&key);
        let cost = cost(&bytes);
        if cost > self.limit / 8 {
            return;
        }
        self.uses += 1;
        self.bytes += cost;
        self.order.insert(self.uses, key);
        self.entries.insert(key, (self.uses, bytes));
        while self.bytes > self.limit {
            let Some((_, oldest)) = self.order.first_key_value() else { break };
            let oldest = *oldest;
            self.remove(&oldest);
        }
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if let Some((used, bytes)) = self.entries.remove(key) {
            self.order.remove(&used);
            self.bytes -= cost(&bytes);
        }
    }
}

fn cost(bytes: &[u8]) -> u64 {
    OVERHEAD + bytes.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(count: usize) -> Arc<[u8]> {
        vec![7; count].into()
    }

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let mut lru = Lru::new(10 * (OVERHEAD + 100));
        for key in 0..10 {
            lru.put(key, bytes(100));
        }
        assert!(lru.get(&0).is_some());
        lru.put(10, bytes(100));
        assert!(lru.get(&0).is_some(), "it was used after 1");
        assert!(lru.get(&1).is_none());
    }

    #[test]
    fn the_bytes_stay_within_the_limit_and_what_is_too_large_is_not_kept() {
        let mut lru = Lru::new(10_000);
        for key in 0..1000 {
            lru.put(key, bytes(key % 900));
            assert!(lru.bytes <= 10_000);
            assert_eq!(lru.entries.len(), lru.order.len());
        }
        lru.put(1, bytes(5000));
        assert!(lru.get(&1).is_none());
        for key in 0..1000 {
            lru.remove(&key);
        }
        assert_eq!((lru.bytes, lru.entries.len(), lru.order.len()), (0, 0, 0));
    }
}
