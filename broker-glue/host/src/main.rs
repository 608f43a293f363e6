//! `larder-broker`: the broker host that larder's clients start when none runs.
//!
//! Owns: the broker's socket, the launch and the finding again of daemons, what daemons tell their broker, the admin
//! frames, and the page that lists the backends. Built on running-process's own server modules. Must never: use a
//! service, look into a daemon's requests, or end a daemon that serves.

mod admin;
mod args;
mod broker;
mod connection;
mod hello;
mod http_ready;
mod launcher;
mod page;
mod pages;
mod reaper;
mod refind;
mod run;
mod socket;

use std::io::Write as _;
use std::process::ExitCode;

use args::Asked;

/// Exit codes: 0 served to its end or another one already serves, 1 failed, 2 started with arguments it has not.
fn main() -> ExitCode {
    let (text, code) = match args::parse(std::env::args_os().skip(1)) {
        Asked::Serve => match run::run() {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (format!("larder-broker: {error:#}\n"), 1),
        },
        Asked::Say(text) => (text, 0),
        Asked::Wrong(text) => (text, 2),
    };
    // Started by a client there is nobody to read this, and no way to tell anyone.
    let _ = match code {
        0 => std::io::stdout().write_all(text.as_bytes()),
        _ => std::io::stderr().write_all(text.as_bytes()),
    };
    ExitCode::from(code)
}
