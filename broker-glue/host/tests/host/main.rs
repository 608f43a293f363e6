//! The real broker host, in a sandbox of its own.

mod launch;
mod page;
mod sandbox;
mod socket;
