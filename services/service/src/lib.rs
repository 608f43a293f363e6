//! The contract every service implements, and the vocabulary all of them share.
//!
//! Owns: [`Digest`], the outcome and reason tables, the [`Service`] trait, the [`Context`] a service lives in, and
//! the [`Board`] on which all statistics are kept. Must never: see a socket, the environment, the home directory,
//! or the clock other than through [`Clock`].

mod board;
mod clock;
mod comparisons;
mod context;
mod counts;
mod digest;
mod history;
mod note;
mod outcome;
mod reason;
mod reports;
mod service;
mod sessions;
mod shorten;
mod within;

pub use board::{Board, NewRecord};
pub use clock::{Clock, ManualClock, SystemClock};
pub use comparisons::{Compared, Comparisons};
pub use context::Context;
pub use digest::{Digest, Hasher, Key, ParseHexError};
pub use history::{History, HistoryError};
pub use note::{Note, NoteError, Reader};
pub use outcome::Outcome;
pub use reason::Reason;
pub use reports::{Actions, Figures, Reports, is_start_of_name};
pub use service::{Connection, ConnectionId, Service};
pub use sessions::{Journal, Keep, Owner, Sessions};
pub use within::within;

/// Boxed future, as services return them.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;
