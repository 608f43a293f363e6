//! What is kept between a check and the next, in a file of the caller's.

use std::path::Path;

use crate::codec;
use crate::{Snapshot, absent};

/// How a file that holds a [`State`] begins.
pub const MAGIC: &[u8] = b"larder fingerprints\n";

/// Most bytes of such a file.
pub const MAX_STATE_BYTES: u64 = 1 << 30;

/// The last success, and what was checked since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Which files it is about: [`Selection::id`](crate::Selection::id).
    pub selection: [u8; 32],
    /// The work that followed the last check failed.
    pub failed: bool,
    /// What was there at the last success.
    pub success: Option<Snapshot>,
    /// What was there at the last check that found something to do. It becomes the last success when the work is
    /// marked as one, whatever has changed since.
    pub pending: Option<Snapshot>,
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Nothing: there is no such file, or an empty one.
    Nothing,
    /// Nothing that can be made sense of: it is damaged, or of another version.
    Damaged,
    /// This.
    State(State),
}

impl Kept {
    /// The state, where there is one.
    #[must_use]
    pub fn state(self) -> Option<State> {
        if let Self::State(state) = self { Some(state) } else { None }
    }
}

/// Why there is no state in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file holds something else, and must not be written over.
    #[error("it holds something else than fingerprints\nhint: name a file that may be written over")]
    Foreign,
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Why a work cannot be marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarkError {
    /// Nothing was checked.
    #[error("nothing was checked before\nhint: larder fingerprint check comes first")]
    Unchecked,
}

impl State {
    /// What the file at `path` holds.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Kept, StateError> {
        let metadata = match path.metadata() {
            Ok(metadata) => metadata,
            Err(error) if absent(&error) => return Ok(Kept::Nothing),
            Err(error) => return Err(error.into()),
        };
        if !metadata.is_file() || metadata.len() > MAX_STATE_BYTES {
            return Err(StateError::Foreign);
        }
        let bytes = std::fs::read(path)?;
        if bytes.is_empty() {
            return Ok(Kept::Nothing);
        }
        if !bytes.starts_with(MAGIC) {
            return Err(StateError::Foreign);
        }
        Ok(Self::decode(&bytes).map_or(Kept::Damaged, Kept::State))
    }

    /// The stored form, little-endian: [`MAGIC`]; version; selection; flags (1: failed, 2: a success, 4: a pending
    /// one follows); each snapshot as a count and its entries, a count and its folders; CRC-32 of all before.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// What [`State::encode`] wrote; `None` for everything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        codec::decode(bytes)
    }

    /// The work that followed the last check has succeeded: what was checked is what it has seen.
    ///
    /// # Errors
    /// When nothing was checked.
    pub fn mark_success(&mut self) -> Result<(), MarkError> {
        match (self.pending.take(), &self.success) {
            (Some(checked), _) => self.success = Some(checked),
            // The check found nothing to do, and the work was done all the same. After a failure it is not known
            // what that work has seen.
            (None, Some(_)) if !self.failed => {}
            _ => return Err(MarkError::Unchecked),
        }
        self.failed = false;
        Ok(())
    }

    /// The work that followed the last check has failed: it stays due.
    pub fn mark_failure(&mut self) {
        self.failed = true;
        self.pending = None;
    }

    /// Whatever was done must be done again.
    pub fn invalidate(&mut self) {
        *self = Self { selection: self.selection, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_is_of_what_was_checked_and_a_failure_keeps_the_work_due() {
        let mut state = State::default();
        assert_eq!(state.mark_success(), Err(MarkError::Unchecked));
        state.pending = Some(Snapshot::default());
        state.mark_failure();
        assert_eq!(state.mark_success(), Err(MarkError::Unchecked));
        assert!(state.failed);
        state.pending = Some(Snapshot::default());
        assert_eq!(state.mark_success(), Ok(()));
        assert!(!state.failed && state.success.is_some() && state.pending.is_none());
        assert_eq!(state.mark_success(), Ok(()), "nothing was to be done");
        state.invalidate();
        assert_eq!(state, State::default());
    }
}
