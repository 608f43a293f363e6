//! What broker host, daemon and client must agree on.
//!
//! Owns: the folders of one larder installation, the names and sockets brokers are found by, the service definition
//! on disk, the launch environment, logs, the journal's lines, and frames over a blocking socket. Must never: know a service, or keep state.

pub mod crash;
pub mod definition;
pub mod folders;
#[doc(hidden)]
pub mod fuzzing;
pub mod journal;
pub mod launch_env;
pub mod layout;
pub mod logging;
pub mod names;
pub mod private;
pub mod process;
pub mod programs;
pub mod settings;
pub mod size;
pub mod wire;
