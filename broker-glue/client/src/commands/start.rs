//! `larder start`

use std::process::ExitCode;
use std::time::{Duration, Instant};

use larder_glue::folders::Folders;
use larder_glue::wire::{Wire, WireError};
use larder_glue::{definition, launch_env, programs};
use larder_proto::v1::{Status, StatusRequest, control_reply, control_request};

use crate::running;
use crate::session::{self, Way};

/// How long the daemon may take to open its store and bind its page.
const READY_LIMIT: Duration = Duration::from_secs(20);

/// Two looks at a daemon that is starting are this far apart.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(super) fn run() -> anyhow::Result<ExitCode> {
    let status = daemon()?;
    super::print(&super::render::status(&status))?;
    Ok(ExitCode::SUCCESS)
}

/// Starts broker and daemon, where they are not running; what the daemon says of itself when it is ready.
pub(super) fn daemon() -> anyhow::Result<Box<Status>> {
    let folders = Folders::from_env()?;
    // Who types this means the daemon beside this very program.
    launch_env::leave(&folders)?;
    definition::register(&programs::beside(programs::DAEMON)?)?;
    let runtime = session::runtime()?;
    let deadline = Instant::now() + READY_LIMIT;
    loop {
        let mut wire = session::adopt(&runtime, &folders, Way::Command)?;
        match wait_ready(&mut wire, deadline) {
            Ok(status) => return Ok(status),
            // A daemon that was just ending took the connection with it; the broker launches the next one.
            Err(error) if has_left(&error) && Instant::now() < deadline => std::thread::sleep(LOOK_AGAIN),
            Err(error) => return Err(error),
        }
    }
}

fn has_left(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(WireError::Io(_)))
}

fn wait_ready(wire: &mut Wire, deadline: Instant) -> anyhow::Result<Box<Status>> {
    loop {
        let request = control_request::Request::Status(StatusRequest {});
        let control_reply::Reply::Status(status) = running::control(wire, request)? else {
            anyhow::bail!("the daemon's answer makes no sense");
        };
        let ready = status.state != "starting" && !status.page.is_empty();
        if ready || Instant::now() > deadline {
            return Ok(status);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}
