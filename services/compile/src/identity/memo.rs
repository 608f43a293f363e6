//! Answers remembered for as long as their premises hold; one asker at a time works an answer out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::Fingerprints;
use larder_service::{Clock, Key};

use super::noted::{Answer, Lasting};
use super::premises::Premises;
use crate::args::Refusal;
use crate::proof::{Proof, Trail};

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
    /// That the premises held when they were looked at last.
    proof: Mutex<Option<Proof>>,
    /// Monotonic time after which to ask again whatever the premises; for failures that may pass.
    until: Option<u64>,
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Memo<T> {
    /// The remembered answer, if it still holds. Asks nobody.
    pub(crate) fn known(
        &self,
        question: &Key,
        fingerprints: &Fingerprints,
        clock: &dyn Clock,
    ) -> Option<Found<T>> {
        let slot = lock(&self.0).get(question).cloned()?;
        slot.known(fingerprints, clock)
    }

    /// Remembers nothing any more.
    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }

    /// The remembered answer, else that of `ask`: what was found, its premises, and until which monotonic time it counts.
    pub(crate) fn get(
        &self,
        question: Key,
        fingerprints: &Fingerprints,
        clock: &dyn Clock,
        ask: impl FnOnce() -> (Found<T>, Premises, Option<u64>),
    ) -> Found<T> {
        let slot = {
            let mut slots = lock(&self.0);
            if slots.len() >= MAX_ANSWERS && !slots.contains_key(&question) {
                slots.clear();
            }
            Arc::clone(slots.entry(question).or_insert_with(|| Slot::new(None)))
        };
        let _asking = lock(&slot.asking);
        if let Some(found) = slot.known(fingerprints, clock) {
            return found;
        }
        let (found, premises, until) = ask();
        *lock(&slot.latest) = Some(Remembered::new(found.clone(), premises, until));
        found
    }
}

impl<T: Lasting> Memo<T> {
    /// The answers that count for as long as their premises hold.
    pub(super) fn noted(&self) -> Vec<Answer> {
        let slots = lock(&self.0);
        let answer = |(question, slot): (&Key, &Arc<Slot<T>>)| {
            let latest = lock(&slot.latest).clone()?;
            let found = latest.found.as_ref().ok().filter(|_| latest.until.is_none())?;
            Answer::new(question, &**found, &latest.premises)
        };
        slots.iter().filter_map(answer).collect()
    }

    /// Takes in `answers` to questions that nobody has asked yet; how many.
    pub(super) fn recall(&self, answers: Vec<Answer>) -> usize {
        let mut slots = lock(&self.0);
        let before = slots.len();
        let room = MAX_ANSWERS.saturating_sub(before);
        for (question, found, premises) in answers.into_iter().filter_map(Answer::read).take(room) {
            let found = Ok(Arc::new(found));
            slots.entry(question).or_insert_with(|| Slot::new(Some(Remembered::new(found, premises, None))));
        }
        slots.len() - before
    }
}

impl<T> Remembered<T> {
    fn new(found: Found<T>, premises: Premises, until: Option<u64>) -> Arc<Self> {
        Arc::new(Self { found, premises, proof: Mutex::default(), until })
    }
}

impl<T> Slot<T> {
    fn new(latest: Option<Arc<Remembered<T>>>) -> Arc<Self> {
        Arc::new(Self { latest: Mutex::new(latest), asking: Mutex::default() })
    }

    fn known(&self, fingerprints: &Fingerprints, clock: &dyn Clock) -> Option<Found<T>> {
        let latest = lock(&self.latest).clone()?;
        if latest.until.is_some_and(|until| clock.monotonic_ns() >= until) {
            return None;
        }
        let began = clock.file_time_ns();
        if !latest.premises.listings_hold(fingerprints, began) {
            return None;
        }
        let proof = lock(&latest.proof).clone();
        if !proof.is_some_and(|proof| proof.holds()) {
            let mut trail = Trail::begin(began);
            if !latest.premises.hold(fingerprints, &mut trail) {
                return None;
            }
            *lock(&latest.proof) = trail.finish();
        }
        Some(latest.found.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is replaced whole, so that a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
