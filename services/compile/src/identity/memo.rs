//! Answers remembered for as long as their premises hold; one asker at a time works an answer out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::Fingerprints;
use larder_service::Key;

use super::premises::Premises;
use crate::args::Refusal;

/// Most answers remembered; beyond it everything is forgotten.
const MAX_ANSWERS: usize = 1024;

/// An answer, or why there is none.
pub(crate) type Found<T> = Result<Arc<T>, Refusal>;

/// Answers by question.
pub(crate) struct Memo<T>(Mutex<HashMap<Key, Arc<Slot<T>>>>);

struct Slot<T> {
    latest: Mutex<Option<Arc<Remembered<T>>>>,
    /// Held by the one who is asking.
    asking: Mutex<()>,
}

struct Remembered<T> {
    found: Found<T>,
    premises: Premises,
    /// Monotonic time after which to ask again whatever the premises; for failures that may pass.
    until: Option<u64>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Memo<T> {
    /// The remembered answer, if it still holds at the monotonic time `now`. Asks nobody.
    pub(crate) fn known(&self, question: &Key, fingerprints: &Fingerprints, now: u64) -> Option<Found<T>> {
        let slot = lock(&self.0).get(question).cloned()?;
        slot.known(fingerprints, now)
    }

    /// The remembered answer, else that of `ask`: what was found, its premises, and until when it counts.
    pub(crate) fn get(
        &self,
        question: Key,
        fingerprints: &Fingerprints,
        now: u64,
        ask: impl FnOnce() -> (Found<T>, Premises, Option<u64>),
    ) -> Found<T> {
        let slot = {
            let mut slots = lock(&self.0);
            if slots.len() >= MAX_ANSWERS && !slots.contains_key(&question) {
                slots.clear();
            }
            Arc::clone(
                slots
                    .entry(question)
                    .or_insert_with(|| Arc::new(Slot { latest: Mutex::new(None), asking: Mutex::new(()) })),
            )
        };
        let _asking = lock(&slot.asking);
        if let Some(found) = slot.known(fingerprints, now) {
            return found;
        }
        let (found, premises, until) = ask();
        *lock(&slot.latest) = Some(Arc::new(Remembered { found: found.clone(), premises, until }));
        found
    }
}

impl<T> Slot<T> {
    fn known(&self, fingerprints: &Fingerprints, now: u64) -> Option<Found<T>> {
        let latest = lock(&self.latest).clone()?;
        let holds = latest.until.is_none_or(|until| now < until) && latest.premises.hold(fingerprints);
        holds.then(|| latest.found.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is replaced whole, so that a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
