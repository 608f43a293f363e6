//! HTTP for one person on one machine.
//!
//! Owns: what keeps a page on the loopback to its user: limits on connections, who is at the other end, which names
//! and origins are answered, and the headers that keep other sites out. Must never: know what a page shows, or be
//! bound to anything but the loopback.

mod guard;
mod peer;
mod serve;

pub use serve::{FramedBy, Rules, serve};
