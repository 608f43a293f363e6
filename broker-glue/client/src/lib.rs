//! The client: adopts a session with the daemon through the broker, wraps compilers, and offers the commands.
//!
//! Owns: everything that happens in the caller's own process: running the tool, its streams and signals, writing
//! outputs into the build tree. Must never: use a service, know an address that no broker handed out, or stop a
//! build because larder failed.

#[doc(hidden)]
pub mod benching;
pub mod commands;
pub mod go;
pub mod session;
pub mod wrapper;

mod artifact;
mod ask;
mod blob;
mod broker;
mod complaint;
mod guard;
mod run;
mod running;
mod script;
mod settings;
mod stopped;
