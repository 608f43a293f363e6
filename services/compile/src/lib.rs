//! The compile cache: looks compiler calls up, and stores what they made.
//!
//! Owns: what a call is ([`args`]), what makes two compilers the same, the keys of compile actions, the manifests
//! that lead from a base key to an action, and the leases under which clients run compilers. Must never: run a
//! compile itself, write into a build tree, or answer from anything it has not proven to be as it was.

pub mod args;
#[doc(hidden)]
pub mod benching;
pub mod depfile;
pub mod directives;
#[doc(hidden)]
pub mod fuzzing;

mod absence;
mod ahead;
mod archive;
mod arguments;
mod call;
mod code;
mod compare;
mod difference;
mod environment;
mod files;
mod headers;
mod hit;
mod identity;
mod inputs;
mod key;
mod lease;
mod lines;
mod link;
mod lookup;
mod manifest;
mod once;
mod paths;
mod peers;
mod places;
mod portable;
mod proof;
mod publish;
mod record;
pub mod rust;
mod seen;
mod service;
mod settle;
mod state;
mod texts;
mod writers;

pub use identity::noted::MAX_NOTE_BYTES;
pub use service::Compile;
pub use state::OWNER;
