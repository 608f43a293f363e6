//! Content digests of files, remembered for as long as a file's stamp proves that its content is the same.
//!
//! Owns: [`Stamp`], the rule that says when a stamp proves anything, and the memory of digests. Must never: answer
//! with a digest of content that a file had before the call, write to a file, or block on one that is not ordinary.

mod error;
mod fingerprints;
mod memo;
mod read;
mod stamp;

pub use error::FingerprintError;
pub use fingerprints::{Fingerprint, Fingerprints};
pub use read::MAX_CONTENT_BYTES;
pub use stamp::{Kind, Presence, Stamp};
