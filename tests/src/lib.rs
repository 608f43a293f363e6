//! What the behaviour tests stand on: a sandbox with a larder of its own, and comparison with a tool run alone.
//!
//! Each test makes its own [`Sandbox`]; nothing in it is shared with another test or with the user's larder, and no
//! process outlives it.

mod alone;
mod browser;
mod cargo;
mod chance;
mod go;
mod http;
mod lane;
mod processes;
mod project;
mod sandbox;
mod wait;

pub use alone::{Tree, in_shell, same_as_alone, same_as_alone_as};
pub use browser::Browser;
pub use cargo::{Cargo, succeed};
pub use chance::{Chance, number, pass};
pub use go::{GoAdapter, action, go_program};
pub use http::{HttpReply, http_get, http_request};
pub use lane::{connect, defined_requests};
pub use processes::{alive, kill, kill_all, processes_of, signal};
pub use project::Project;
pub use sandbox::{Counts, Sandbox, fetched, program, prometheus_python, rust_tool, stock_tool};
pub use wait::wait_until;
