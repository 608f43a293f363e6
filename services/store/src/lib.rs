//! Blobs, action results and manifests on disk, with memory in front.
//!
//! Owns: the files below its root folder (`blobs`, `index`, `tmp`), the index over them, the order in which they are
//! evicted, and the pins that forbid it. Must never: hand out a blob whose bytes are not what its digest says,
//! rewrite a blob, lose more to a crash than the latest second, or fail to open because of what it finds in its
//! own files.
//!
//! Lookups go through [`Tier`]s: [`MemoryTier`], then [`DiskTier`], which is the truth.

#[doc(hidden)]
pub mod fuzzing;

mod action;
mod bytes;
mod catalog;
mod clear;
mod closed;
mod content;
mod disk;
mod error;
mod evict;
mod folder;
mod index;
mod listed;
mod lru;
mod memory;
mod oldest;
mod open;
mod owner;
mod pins;
mod pulse;
mod record;
mod row;
mod rows;
mod staged;
mod stock;
mod store;
mod survey;
mod tier;

pub use action::{ActionResult, MAX_OUTPUTS, MAX_STREAM_BYTES, OutputBlob};
pub use clear::Removed;
pub use disk::DiskTier;
pub use error::StoreError;
pub use evict::Evicted;
pub use memory::MemoryTier;
pub use open::OpenReport;
pub use owner::Owner;
pub use record::{MAX_RECORD_BYTES, RecordId, RecordKind};
pub use row::BlobStamp;
pub use store::{Store, StoreConfig, Usage};
pub use survey::{AGES, SeenBlob, Survey};
pub use tier::Tier;
