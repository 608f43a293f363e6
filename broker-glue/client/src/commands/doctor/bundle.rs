//! One file with all that a maintainer needs: checks, status, statistics, logs, reports of crashes.
//!
//! Larder logs no source, no argument's value and no variable's; paths and names of files are in it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::Context as _;
use larder_glue::folders::Folders;
use larder_glue::{crash, logging};
use larder_proto::LARDER_VERSION;
use larder_proto::v1::{StatsRequest, StatusRequest, control_reply, control_request};

use crate::commands::{print, render};
use crate::running::Running;

/// How much of the end of each log is packed, bytes.
const LOG_END: u64 = 256 << 10;

const LOGS: [&str; 4] = ["larderd.log.old", "larderd.log", "broker.log.old", "broker.log"];

/// Writes the file into the working folder, and says where.
pub(super) fn write(checks: &str) -> anyhow::Result<()> {
    let folders = Folders::from_env()?;
    let mut text = format!("larder {LARDER_VERSION}\n");
    section(&mut text, "checks", checks);
    section(&mut text, "daemon", &daemon().unwrap_or_else(|error| format!("{error:#}\n")));
    for report in crash::reports(&folders.state) {
        let name = report.path.file_name().unwrap_or_default().display().to_string();
        section(&mut text, &format!("crash {name}"), &report.text);
    }
    for name in LOGS {
        if let Some(end) = logging::end(&folders.state.join(name), LOG_END) {
            section(&mut text, name, &end);
        }
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let path = PathBuf::from(format!("larder-bundle-{now}.txt"));
    crash::write_new(&path, &text).with_context(|| {
        format!("failed to write {}\nhint: run it in a folder of your own", path.display())
    })?;
    print(&format!(
        "{}\nIt names files and folders of yours: look through it before you pass it on.\n",
        path.display()
    ))?;
    Ok(())
}

/// Status and statistics of the daemon that runs.
fn daemon() -> anyhow::Result<String> {
    let Some(mut daemon) = Running::find()? else { return Ok("none runs\n".to_owned()) };
    let mut text = String::new();
    if let control_reply::Reply::Status(status) =
        daemon.control(control_request::Request::Status(StatusRequest {}))?
    {
        text += &render::status(&status);
    }
    if let control_reply::Reply::Stats(stats) =
        daemon.control(control_request::Request::Stats(StatsRequest { records: 0 }))?
    {
        let _ = write!(text, "\n{}", render::stats(&stats, true));
    }
    Ok(text)
}

fn section(text: &mut String, title: &str, content: &str) {
    let _ = write!(text, "\n==== {title}\n{content}");
}
