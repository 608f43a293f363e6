//! What the latest misses had that earlier calls had not: too large for every record, and worth it for the latest.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use larder_proto::v1::Input;

use crate::shorten::shorten;

/// How many calls' inputs are kept.
const KEPT: usize = 300;

/// Most inputs of one call.
const MAX_INPUTS: usize = 120;

/// Longest text of an input's that is kept, characters.
const MAX_TEXT: usize = 400;

/// One call's inputs beside those of the nearest earlier call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// The different ones first.
    pub inputs: Vec<Input>,
    /// How many there are beyond those.
    pub more: usize,
}

impl Compared {
    /// Takes `inputs`, within bounds. Of a variable they must hold the name only.
    #[must_use]
    pub fn new(mut inputs: Vec<Input>) -> Self {
        inputs.sort_by_key(|input| !input.differs);
        let more = inputs.len().saturating_sub(MAX_INPUTS);
        inputs.truncate(MAX_INPUTS);
        for input in &mut inputs {
            for text in [&mut input.name, &mut input.then, &mut input.now] {
                shorten(text, MAX_TEXT);
            }
        }
        Self { inputs, more }
    }
}

/// By record.
#[derive(Debug, Default)]
pub struct Comparisons(Mutex<VecDeque<(u64, Compared)>>);

impl Comparisons {
    /// Keeps what belongs to the record `id`.
    pub fn keep(&self, id: u64, compared: Compared) {
        if compared.inputs.is_empty() {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back((id, compared));
    }

    /// What belongs to the record `id`, if it is still there.
    pub fn of(&self, id: u64) -> Option<Compared> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().rev().find(|(known, _)| *known == id).map(|(_, compared)| compared.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_calls_and_texts_are_bounded_and_the_different_come_first() {
        let input = |differs| Input { name: "é".repeat(1000), differs, ..Input::default() };
        let mut inputs = vec![input(false); 200];
        inputs.push(input(true));
        let compared = Compared::new(inputs);
        assert!(compared.inputs[0].differs && !compared.inputs[1].differs);
        assert_eq!((compared.inputs.len(), compared.more), (MAX_INPUTS, 201 - MAX_INPUTS));
        assert_eq!(compared.inputs[0].name.chars().count(), MAX_TEXT + 1);
        let all = Comparisons::default();
        for id in 0..=KEPT as u64 {
            all.keep(id, compared.clone());
        }
        assert_eq!((all.of(0), all.of(1).is_some()), (None, true));
    }
}
