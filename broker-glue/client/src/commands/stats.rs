//! `larder stats`

use std::process::ExitCode;

use larder_proto::v1::{StatsRequest, control_reply, control_request};

use crate::running::Running;

pub(super) fn run(json: bool, records: u32) -> anyhow::Result<ExitCode> {
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running\nhint: larder start");
    };
    let control_reply::Reply::Stats(stats) =
        daemon.control(control_request::Request::Stats(StatsRequest { records }))?
    else {
        anyhow::bail!("the daemon's answer makes no sense");
    };
    let text = if json { serde_json::to_string_pretty(&stats)? + "\n" } else { super::render::stats(&stats) };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
