//! Actions that have got their outputs and are not in the index yet.
//!
//! A build puts hundreds a second, and the index costs a transaction each time, which waits for the disk whenever the
//! index is being flushed. The flush a second later writes them all at once; a crash loses no more than it does anyway.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_store::{Store, StoreError};

use crate::OWNER;
use crate::action::{ActionId, Known};

/// So many wait at most; about 100 bytes each.
const MOST: usize = 20_000;

#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<HashMap<ActionId, Known>>,
    /// Held while they are written.
    writing: Mutex<()>,
}

impl Queue {
    /// What `action` has got, if that is waiting.
    pub(crate) fn known(&self, action: &ActionId) -> Option<Known> {
        self.waiting().get(action).copied()
    }

    /// Keeps `known` under `action`.
    pub(crate) fn put(&self, store: &Store, action: ActionId, known: Known) -> Result<(), StoreError> {
        let full = {
            let mut waiting = self.waiting();
            waiting.insert(action, known);
            waiting.len() >= MOST
        };
        if full { self.write(store) } else { Ok(()) }
    }

    /// Writes all that wait. What cannot be written goes on waiting.
    pub(crate) fn write(&self, store: &Store) -> Result<(), StoreError> {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // They are answered from here until they are there.
        let taken: Vec<_> = self.waiting().iter().map(|(action, known)| (*action, *known)).collect();
        if taken.is_empty() {
            return Ok(());
        }
        let results: Vec<_> = taken.iter().map(|(action, known)| (action.key(), known.result())).collect();
        store.put_actions(OWNER, &results)?;
        let mut waiting = self.waiting();
        for (action, known) in taken {
            // It may have got another one meanwhile.
            if waiting.get(&action) == Some(&known) {
                waiting.remove(&action);
            }
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<ActionId, Known>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larder_service::{Digest, SystemClock};
    use larder_store::StoreConfig;

    use super::*;

    #[test]
    fn what_waits_is_known_until_the_store_knows_it() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(StoreConfig {
            root: folder.path().join("store"),
            limit_bytes: u64::MAX,
            memory_bytes: 0,
            clock: Arc::new(SystemClock),
        })
        .unwrap();
        let queue = Queue::default();
        let kept = Known { digest: store.put_bytes(b"kept").unwrap(), put_unix_ms: 1, tool_us: 2 };
        let gone = Known { digest: Digest::of(b"gone"), ..kept };
        queue.put(&store, ActionId([1; 32]), gone).unwrap();
        queue.put(&store, ActionId([1; 32]), kept).unwrap();
        queue.put(&store, ActionId([2; 32]), gone).unwrap();
        assert_eq!(queue.known(&ActionId([1; 32])), Some(kept));
        assert!(store.action(&ActionId([1; 32]).key()).unwrap().is_none());
        queue.write(&store).unwrap();
        assert_eq!(queue.known(&ActionId([1; 32])), None);
        let result = store.action(&ActionId([1; 32]).key()).unwrap().unwrap();
        assert_eq!(Known::of(&result), Some(kept));
        assert!(store.action(&ActionId([2; 32]).key()).unwrap().is_none(), "its blob is not there");
    }
}
