//! `larder stop`

use std::process::ExitCode;
use std::time::Duration;

use larder_glue::wire::WireError;
use larder_glue::{process, programs};
use larder_proto::v1::{ShutdownRequest, control_request};

use crate::running::{self, Running};

/// How long the daemon may take to finish what it is doing.
const LIMIT: Duration = Duration::from_secs(20);

/// When it is first looked whether it can finish at all.
const FIRST_LOOK: Duration = Duration::from_secs(1);

pub(super) fn run(broker: bool) -> anyhow::Result<ExitCode> {
    super::print(&daemon()?)?;
    if broker {
        match running::stop_broker(LIMIT)? {
            Some(pid) => super::print(&format!("stopped the broker (pid {pid})\n"))?,
            None => super::print("no broker is running\n")?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Stops the daemon; says in one line what that was.
pub(super) fn daemon() -> anyhow::Result<String> {
    let mut daemon = match Running::find() {
        Err(error) => return end_stopped(error),
        Ok(None) => return Ok("no daemon is running\n".to_owned()),
        Ok(Some(daemon)) => daemon,
    };
    daemon.control(control_request::Request::Shutdown(ShutdownRequest { drain_seconds: 0 }))?;
    let pid = daemon.pid;
    // An open connection would be waited for.
    drop(daemon);
    if !has_gone(pid)? {
        anyhow::bail!("the daemon (pid {pid}) is still running\nhint: kill -9 {pid}");
    }
    Ok(format!("stopped the daemon (pid {pid})\n"))
}

/// Waits for the end of a daemon that drains.
fn has_gone(pid: u32) -> std::io::Result<bool> {
    if running::wait_gone(pid, FIRST_LOOK)? {
        return Ok(true);
    }
    // A signal may have stopped it just after it had answered; then it never ends by itself.
    if let Some(stat) = process::stat(pid) {
        let _ = process::end_stopped(pid, stat.start, programs::DAEMON);
    }
    running::wait_gone(pid, LIMIT)
}

/// A daemon that a signal has stopped cannot be asked.
fn end_stopped(error: anyhow::Error) -> anyhow::Result<String> {
    let Some(&WireError::Stopped { pid }) = error.downcast_ref() else { return Err(error) };
    let start = process::stat(pid).map_or(0, |stat| stat.start);
    if process::end_stopped(pid, start, programs::DAEMON) && running::wait_gone(pid, LIMIT)? {
        return Ok(format!("ended the daemon (pid {pid}), which a signal had stopped\n"));
    }
    Err(error)
}
