//! `larder stats`

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use larder_proto::v1::{Stats, StatsRequest, control_reply, control_request};

use crate::running::Running;

/// How often `--watch` looks again.
const INTERVAL: Duration = Duration::from_secs(1);

/// To the upper left corner, and nothing below.
const ANEW: &str = "\x1b[H\x1b[J";

pub(super) fn run(json: bool, records: u32, watch: bool) -> anyhow::Result<ExitCode> {
    if watch && json {
        anyhow::bail!("failed to use --watch with --json\nhint: larder stats --json, as often as you like");
    }
    let mut shown = String::new();
    loop {
        let stats = ask(records)?;
        let text =
            if json { serde_json::to_string_pretty(&stats)? + "\n" } else { super::render::stats(&stats) };
        // Elsewhere than on a terminal, what is the same is not repeated.
        if watch && std::io::stdout().is_terminal() {
            super::print(&format!("{ANEW}{text}"))?;
        } else if text != shown {
            super::print(&text)?;
        }
        if !watch {
            return Ok(ExitCode::SUCCESS);
        }
        shown = text;
        std::thread::sleep(INTERVAL);
    }
}

fn ask(records: u32) -> anyhow::Result<Stats> {
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running\nhint: larder start");
    };
    match daemon.control(control_request::Request::Stats(StatsRequest { records }))? {
        control_reply::Reply::Stats(stats) => Ok(stats),
        _ => anyhow::bail!("the daemon's answer makes no sense"),
    }
}
