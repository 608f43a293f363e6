//! Content digests of files, remembered for as long as a file's stamp proves that its content is the same.
//!
//! Owns: the memory of digests, the note of it for the next daemon, and the lane that says whether a folder's files have
//! changed. Must never: answer with a digest of content that a file had before the call, write to a caller's file, or block on
//! one that is not ordinary.

mod copies;
mod fingerprints;
pub mod fuzzing;
mod memo;
mod noted;
mod readers;
mod service;

pub use fingerprints::{Fingerprint, Fingerprints};
pub use larder_tree::{FingerprintError, Kind, MAX_CONTENT_BYTES, Original, Presence, Stamp};
pub use noted::MAX_NOTE_BYTES;
pub use service::Checks;
