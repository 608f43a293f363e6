//! The trail: in which order go commands asked for actions, and what became of each.
//!
//! A go command waits for nearly every answer before it asks the next question, and the next one asks nearly the same
//! in nearly the same order. So what followed a question last time is sent along with its answer.

use std::collections::{HashMap, VecDeque};

use larder_service::ConnectionId;

use crate::action::{ActionId, Known};

/// Most actions that are remembered; about 200 bytes each.
const ACTIONS: usize = 100_000;

/// Steps that are looked at for each answer that is wanted: sessions at the same time leave mixed steps.
const LOOK: usize = 4;

#[derive(Default)]
pub(crate) struct Trail {
    steps: VecDeque<Step>,
    /// Number of the first of `steps`.
    first: u64,
    places: HashMap<ActionId, Place>,
}

struct Step {
    action: ActionId,
    session: ConnectionId,
}

struct Place {
    /// Number of the latest step to this action; those before count no more.
    step: u64,
    /// `None`: nothing is kept under it.
    known: Option<Known>,
}

impl Trail {
    /// The go command of `session` has asked for `action`.
    pub(crate) fn asked(&mut self, session: ConnectionId, action: ActionId, known: Option<Known>) {
        let step = self.first + self.steps.len() as u64;
        self.steps.push_back(Step { action, session });
        self.places.insert(action, Place { step, known });
        while self.steps.len() > ACTIONS {
            let Some(oldest) = self.steps.pop_front() else { break };
            if self.places.get(&oldest.action).is_some_and(|place| place.step == self.first) {
                self.places.remove(&oldest.action);
            }
            self.first += 1;
        }
    }

    /// `action` has got an output. It will be asked for where it was asked for before, not where it was ready.
    pub(crate) fn put(&mut self, session: ConnectionId, action: ActionId, known: Known) {
        match self.places.get_mut(&action) {
            Some(place) => place.known = Some(known),
            None => self.asked(session, action, Some(known)),
        }
    }

    /// What is known of `action`, if it was ever asked for.
    pub(crate) fn known(&self, action: &ActionId) -> Option<Option<Known>> {
        self.places.get(action).map(|place| place.known)
    }

    /// At most `count` actions that were asked for after `action`, by the same go command, in that order.
    pub(crate) fn after(&self, action: &ActionId, count: usize) -> Vec<(ActionId, Option<Known>)> {
        let Some(place) = self.places.get(action) else { return Vec::new() };
        let index = |step: u64| usize::try_from(step - self.first).unwrap_or(usize::MAX);
        let session = self.steps[index(place.step)].session;
        let numbered = (place.step + 1..).zip(self.steps.range(index(place.step) + 1..));
        numbered
            .take(count.saturating_mul(LOOK))
            .filter(|(_, step)| step.session == session)
            .filter_map(|(number, step)| {
                let place = self.places.get(&step.action)?;
                (place.step == number).then_some((step.action, place.known))
            })
            .take(count)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use larder_service::Digest;
    use proptest::prelude::*;

    use super::*;

    fn id(number: u32) -> ActionId {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_le_bytes());
        ActionId(bytes)
    }

    fn known(number: u8) -> Known {
        Known { digest: Digest::of(&[number]), put_unix_ms: number.into(), tool_us: 0 }
    }

    fn numbers(trail: &Trail, after: u32, count: usize) -> Vec<u8> {
        trail.after(&id(after), count).iter().map(|(action, _)| action.0[0]).collect()
    }

    #[test]
    fn what_followed_last_time_is_told_in_order() {
        let mut trail = Trail::default();
        for number in 0..5 {
            trail.asked(1, id(number), None);
        }
        assert_eq!(numbers(&trail, 1, 9), [2, 3, 4]);
        assert_eq!(numbers(&trail, 1, 2), [2, 3]);
        assert_eq!(numbers(&trail, 9, 2), []);
        // The same again, and on: nothing is told twice.
        for number in 0..3 {
            trail.asked(2, id(number), None);
        }
        assert_eq!(numbers(&trail, 3, 9), [4]);
        assert_eq!(numbers(&trail, 0, 9), [1, 2]);
    }

    #[test]
    fn sessions_at_the_same_time_are_told_apart() {
        let mut trail = Trail::default();
        for number in 0..4 {
            trail.asked(1, id(number), None);
            trail.asked(2, id(10 + number), None);
        }
        assert_eq!(numbers(&trail, 0, 9), [1, 2, 3]);
        assert_eq!(numbers(&trail, 11, 9), [12, 13]);
    }

    #[test]
    fn an_output_shows_where_the_action_was_asked_for() {
        let mut trail = Trail::default();
        for number in 0..3 {
            trail.asked(1, id(number), None);
        }
        trail.put(1, id(1), known(7));
        trail.put(1, id(8), known(8));
        assert_eq!(trail.known(&id(1)), Some(Some(known(7))));
        assert_eq!(numbers(&trail, 0, 9), [1, 2, 8]);
    }

    #[test]
    fn the_oldest_steps_are_forgotten() {
        let mut trail = Trail::default();
        let all = u32::try_from(ACTIONS).unwrap() + 10;
        for number in 0..all {
            trail.asked(1, id(number), None);
        }
        assert_eq!((trail.steps.len(), trail.places.len()), (ACTIONS, ACTIONS));
        assert!(trail.known(&id(9)).is_none() && trail.known(&id(10)).is_some());
        assert_eq!(trail.after(&id(10), 2).len(), 2);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_and_put_only_later_actions_are_told_and_none_twice(
            steps in prop::collection::vec((0_u64..3, 0_u32..20, any::<bool>()), 0..100), asked in 0_u32..20,
        ) {
            let mut trail = Trail::default();
            for (session, number, put) in steps {
                if put {
                    trail.put(session, id(number), known(1));
                } else {
                    trail.asked(session, id(number), None);
                }
            }
            let after = trail.after(&id(asked), 10);
            prop_assert!(after.len() <= 10);
            let mut seen: Vec<_> = after.iter().map(|(action, _)| action.0).collect();
            seen.sort_unstable();
            seen.dedup();
            prop_assert_eq!(seen.len(), after.len());
            prop_assert!(after.iter().all(|(action, _)| *action != id(asked)));
        }
    }
}
