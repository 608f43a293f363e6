//! What is in the store, for people to look at. Looking is no use: nothing is evicted later for it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use larder_service::{Digest, Key};

use crate::row::BlobRow;
use crate::{ActionResult, RecordId, RecordKind, Store, StoreError};

/// Upper ends of the ages that blobs are counted by, seconds: an hour, a day, a week, thirty days.
pub const AGES: [u64; 4] = [3600, 86_400, 7 * 86_400, 30 * 86_400];

/// How many of the largest blobs are named.
const LARGEST: usize = 10;

/// Most finds of one search.
const MAX_FOUND: usize = 20;

/// A blob, and when it was last used, Unix time in milliseconds.
pub type SeenBlob = (Digest, u64);

/// What a store holds, by age and by size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Bytes of all blobs.
    pub blob_bytes: u64,
    /// Bytes of all outputs that action results name, each as often as it is named.
    pub named_bytes: u64,
    /// Count and bytes of the blobs that were last used within each of [`AGES`] and not within the one before; the last
    /// are older than all.
    pub ages: [(u64, u64); AGES.len() + 1],
    /// Largest first.
    pub largest: Vec<SeenBlob>,
}

impl Store {
    /// Looks at everything at `now`, Unix time in milliseconds. Reads every action result.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn survey(&self, now: u64) -> Result<Survey, StoreError> {
        let mut survey = Survey::default();
        let mut largest = BinaryHeap::with_capacity(LARGEST + 1);
        self.disk.each(&[], |digest: Digest, BlobRow { last_use, .. }| {
            survey.blob_bytes = survey.blob_bytes.saturating_add(digest.size);
            let seconds = now.saturating_sub(last_use) / 1000;
            let age = AGES.iter().position(|end| seconds < *end).unwrap_or(AGES.len());
            survey.ages[age].0 += 1;
            survey.ages[age].1 = survey.ages[age].1.saturating_add(digest.size);
            largest.push(Reverse((digest.size, digest, last_use)));
            if largest.len() > LARGEST {
                largest.pop();
            }
            ControlFlow::Continue(())
        })?;
        let sorted = largest.into_sorted_vec().into_iter();
        survey.largest = sorted.map(|Reverse((_, digest, last_use))| (digest, last_use)).collect();
        self.each_action(|_, result| {
            for output in &result.outputs {
                survey.named_bytes = survey.named_bytes.saturating_add(output.digest.size);
            }
        })?;
        Ok(survey)
    }

    /// Blobs whose SHA-256 starts with `name`, lowercase hexadecimal; at most 20.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn find_blobs(&self, name: &str) -> Result<Vec<SeenBlob>, StoreError> {
        let mut found = Vec::new();
        self.disk.each(&first_bytes(name), |digest: Digest, row| {
            if digest.hex().starts_with(name) {
                found.push((digest, row.last_use));
            }
            until_full(&found)
        })?;
        Ok(found)
    }

    /// Action results whose key starts with `name`, lowercase hexadecimal; at most 20.
    ///
    /// # Errors
    /// See [`Store`].
    pub fn find_actions(&self, name: &str) -> Result<Vec<(Key, ActionResult)>, StoreError> {
        let mut keys = Vec::new();
        let from = [&RecordId::action(&Key([0; 32])).encode()[..1], &first_bytes(name)].concat();
        self.disk.each(&from, |id: RecordId, _| {
            if id.kind == RecordKind::Action && id.key.hex().starts_with(name) {
                keys.push(id.key);
            }
            until_full(&keys)
        })?;
        let mut found = Vec::new();
        for key in keys {
            found.extend(self.look_at_action(&key)?.map(|result| (key, result)));
        }
        Ok(found)
    }
}

/// The whole bytes that `name`, hexadecimal, begins with.
fn first_bytes(name: &str) -> Vec<u8> {
    let digits = name.as_bytes().chunks_exact(2);
    digits.map_while(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn until_full<T>(found: &[T]) -> ControlFlow<()> {
    if found.len() < MAX_FOUND { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
