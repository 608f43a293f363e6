//! The messages that larder's client and daemon exchange, and the lanes they travel on.
//!
//! Owns: the message definitions, the lane ids, the protocol version, and the list of environment variables that
//! a compile request carries. Must never: do input or output.
//!
//! A message travels as the payload of one running-process frame. Field numbers are never reused; a change of a
//! message's bytes must change a golden file in this crate's tests.

pub mod compile_env;
pub mod lane;

/// Generated from `larder/v1/*.proto`.
#[expect(missing_docs, clippy::doc_markdown, reason = "documented in the .proto files")]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/larder.v1.rs"));
}

/// Version of the request set. A peer of another version is still told its status and can be stopped.
pub const PROTOCOL_VERSION: u32 = 1;

/// Version of this build, as daemon, broker and client state it (`N.N.N`).
pub const LARDER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Name under which the daemon is registered with brokers.
pub const SERVICE_NAME: &str = "larder";

/// Most bytes of one message; larger ones are refused. Outputs travel as files, so this bounds arguments,
/// environment and captured streams.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// For how many days the daemon keeps statistics by day, today included.
pub const DAYS_KEPT: u32 = 90;
