//! Calls seen before, whatever their sources held then: tells an edited source from a new one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use larder_service::{Digest, Key};

/// Most calls remembered; beyond it all are forgotten, which only makes a miss's reason less exact.
const MAX_CALLS: usize = 50_000;

/// The memory of calls.
#[derive(Default)]
pub(crate) struct Seen(Mutex<HashMap<Key, Digest>>);

impl Seen {
    /// The source's content when `call` was last answered from the cache or stored.
    pub(crate) fn source(&self, call: &Key) -> Option<Digest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(call).copied()
    }

    pub(crate) fn remember(&self, call: Key, source: Digest) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= MAX_CALLS {
            calls.clear();
        }
        calls.insert(call, source);
    }
}
