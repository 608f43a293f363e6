//! `larder`: a compiler wrapper, and the command with which people look after the daemon.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let own_name = args.next().unwrap_or_default();
    let args: Vec<_> = args.collect();
    // The wrapper is decided on before any flag is parsed: everything after the tool's name is the tool's.
    match larder_client::wrapper::tool_of(&own_name, &args) {
        Some(call) => larder_client::wrapper::run(&call),
        None => larder_client::commands::run(),
    }
}
