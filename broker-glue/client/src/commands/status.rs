//! `larder status`

use std::process::ExitCode;

use larder_proto::v1::{Status, StatusRequest, control_reply, control_request};
use serde::Serialize;

use crate::running::Running;

#[derive(Serialize)]
struct Answer {
    running: bool,
    #[serde(flatten)]
    status: Option<Box<Status>>,
}

pub(super) fn run(json: bool) -> anyhow::Result<ExitCode> {
    let status = match Running::find()? {
        Some(mut daemon) => match daemon.control(control_request::Request::Status(StatusRequest {}))? {
            control_reply::Reply::Status(status) => Some(status),
            _ => anyhow::bail!("the daemon's answer makes no sense"),
        },
        None => None,
    };
    let code = if status.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let text = match (&status, json) {
        (_, true) => serde_json::to_string_pretty(&Answer { running: status.is_some(), status })? + "\n",
        (Some(status), false) => super::render::status(status),
        (None, false) => "no daemon is running\nhint: larder start\n".to_owned(),
    };
    super::print(&text)?;
    Ok(code)
}
