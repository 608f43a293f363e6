//! From statistics to what the page shows: the same figures, put together for one question each.

mod builds;
mod health;
mod misses;
mod overview;
mod store;

pub(crate) use builds::{actions, builds};
pub(crate) use health::{Surroundings, health};
pub(crate) use misses::{causes, comparison, misses};
pub(crate) use overview::overview;
pub(crate) use store::{Looked, found, report};
