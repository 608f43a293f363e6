//! Results under keys that the caller chooses, and the results of `larder run`.
//!
//! Owns: what such a key and an output's name may be, and what it means to hand in a result under a key that is
//! taken. Must never: write where a client could not, change what a key stands for, or hand out part of a result.

#[doc(hidden)]
pub mod fuzzing;

mod keep;
mod limits;
mod lookup;
mod parts;
mod service;

pub use limits::{LimitError, MAX_KEY_BYTES, MAX_SPACE_BYTES};
pub use service::{Artifacts, OWNER};
