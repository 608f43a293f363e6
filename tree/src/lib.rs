//! What a folder holds, and whether that has changed: for the daemon, and for clients that go on without one.
//!
//! Owns: [`Stamp`] and the rule that says when a stamp proves anything, reading under a stamp, [`Selection`]s of a
//! folder's files, the walk over them, and [`State`], the form in which a caller keeps what was found. Must never:
//! write to a file, block on one that is not ordinary, or call something unchanged that it could not look at.

mod changes;
mod codec;
mod copy;
mod error;
pub mod fuzzing;
mod listed;
mod name;
mod read;
mod revisit;
mod selection;
mod snapshot;
mod stamp;
mod state;
mod walk;

pub use changes::{Changes, Checked, Depth, Plain, Reader, check};
pub use copy::{Original, as_copy};
pub use error::{FingerprintError, absent};
pub use listed::Folder;
pub use name::shown;
pub use read::{Discard, MAX_CONTENT_BYTES, Reading, Sink, read};
pub use selection::{Choice, Selection, SelectionError};
pub use snapshot::{Entry, Found, Snapshot};
pub use stamp::{Kind, Presence, STAMP_BYTES, Stamp};
pub use state::{Kept, MAGIC, MAX_STATE_BYTES, MarkError, State, StateError};
pub use walk::{TreeError, snapshot};
