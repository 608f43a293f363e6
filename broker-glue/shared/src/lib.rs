//! What broker host, daemon and client must agree on.
//!
//! Owns: the folders of one larder installation, the names and sockets brokers are found by, the service definition
//! on disk, the launch environment, logs, the journal's lines, frames over a blocking socket, and the
//! checks of all that. Must never: know a service, or keep state.

pub mod checks;
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
pub mod sockets;
pub mod wire;
