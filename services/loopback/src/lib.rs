//! HTTP for one person on one machine.
//!
//! Owns: what keeps a page on the loopback to its user: limits on connections, who is at the other end, which names
//! and origins are answered, the headers that keep other sites out, and how numbers are shown. Must never: know what a
//! page shows, or be bound to anything but the loopback.

mod guard;
mod peer;
mod serve;

/// A script's module, for both pages: sizes, times and counts as people read them.
pub const UNITS_JS: &str = include_str!("assets/units.js");

pub use serve::{FramedBy, Rules, serve};
