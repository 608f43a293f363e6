//! `larder dashboard`

use std::process::{Command, ExitCode, Stdio};

use larder_proto::v1::{StatusRequest, control_reply, control_request};
use serde_json::json;

use crate::running::Running;

pub(super) fn run(open: bool, json: bool) -> anyhow::Result<ExitCode> {
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running, and so there is no page\nhint: larder start");
    };
    let control_reply::Reply::Status(status) =
        daemon.control(control_request::Request::Status(StatusRequest {}))?
    else {
        anyhow::bail!("the daemon's answer makes no sense");
    };
    if status.page.is_empty() {
        anyhow::bail!("the daemon has no page\nhint: larder status says why");
    }
    if open {
        show(&status.page)?;
    }
    let text = if json {
        json!({ "page": status.page, "broker_page": status.broker_page }).to_string()
    } else {
        status.page
    };
    super::print(&(text + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Hands the address to what the desktop opens addresses with.
fn show(page: &str) -> anyhow::Result<()> {
    let mut opener = Command::new("xdg-open");
    opener.arg(page).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match opener.status() {
        Ok(status) if status.success() => Ok(()),
        _ => anyhow::bail!("failed to open a browser with xdg-open\nhint: open {page} in a browser yourself"),
    }
}
