//! `larderd`: the daemon that a broker launches.
//!
//! Owns: the process's life (launch, readiness, drain, exit), the endpoint and its lanes, everything that is
//! published about the daemon, and the one place where services are put together. Must never: decide anything about
//! an action; that is the services' business.

mod actions;
mod clear;
mod connection;
mod control;
mod history;
mod http_ready;
mod identity;
mod journal;
mod lanes;
mod launch;
mod lifecycle;
mod listener;
mod lock;
mod manifests;
mod notes;
mod page;
mod reexec;
mod registration;
mod report;
mod reports;
mod run;
mod serve;
mod services;
mod sessions;
mod settings;
mod stand_in;
mod takeover;
mod traffic;
mod upkeep;
mod views;
mod warnings;

use std::process::ExitCode;

fn main() -> ExitCode {
    run::run()
}
