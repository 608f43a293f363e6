//! The daemon that answers: whether it is the one that is registered, and the one that belongs to this program.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use larder_glue::checks::{Check, Fix, LARDER};
use larder_glue::folders::Folders;
use larder_glue::wire::WireError;
use larder_glue::{programs, sockets};
use larder_proto::SERVICE_NAME;
use larder_proto::v1::{Status, StatusRequest, control_reply, control_request};
use running_process::broker::backend_sdk::read_daemon_identity_file;
use running_process::broker::client::broker_disabled_by_env;
use running_process::broker::lifecycle::names_v2::daemon_identity_path;

use crate::running::Running;
use crate::session;

/// What the daemon says of itself; `None` where none runs.
pub(super) fn find() -> anyhow::Result<Option<Box<Status>>> {
    let Some(mut daemon) = Running::find()? else { return Ok(None) };
    match daemon.control(control_request::Request::Status(StatusRequest {}))? {
        control_reply::Reply::Status(status) => Ok(Some(status)),
        _ => anyhow::bail!("the daemon's answer makes no sense"),
    }
}

pub(super) fn checks(folders: &Folders, daemon: &anyhow::Result<Option<Box<Status>>>) -> Vec<Check> {
    let mut checks = vec![match daemon {
        Ok(Some(status)) => identity(status),
        Ok(None) => registered(),
        Err(error) => silent(error),
    }];
    if let Ok(None) = daemon {
        checks.push(Check::ok(LARDER, "daemon", "none runs; the first call starts it"));
    }
    checks.extend(switch());
    let status = daemon.as_ref().ok().and_then(Option::as_deref);
    checks.extend(session::recall(folders).map(|endpoint| remembered(folders, &endpoint, status)));
    checks
}

/// Whether larder is switched off; nothing where it is not.
fn switch() -> Option<Check> {
    const NAME: &str = "switch";
    const HINT: &str = "unset RUNNING_PROCESS_DISABLE";
    match broker_disabled_by_env() {
        Ok(false) => None,
        Ok(true) => {
            Some(Check::note(LARDER, NAME, "RUNNING_PROCESS_DISABLE=1 runs every tool without larder", HINT))
        }
        Err(_) => {
            let found = "RUNNING_PROCESS_DISABLE has another value than 1: no daemon is asked";
            Some(Check::problem(LARDER, NAME, found, HINT))
        }
    }
}

/// A daemon that gives no answer. One that a signal has stopped is ended by `larder stop`.
fn silent(error: &anyhow::Error) -> Check {
    let found = format!("{error:#}").replace('\n', "; ");
    let check = Check::problem(LARDER, "daemon", found, "larder restart");
    match error.downcast_ref() {
        Some(WireError::Stopped { .. }) => check.mended_by(Fix::Restart),
        _ => check,
    }
}

/// Whether the daemon runs the program beside this one.
fn identity(status: &Status) -> Check {
    const NAME: &str = "identity";
    let link = format!("/proc/{}/exe", status.pid);
    let runs = std::fs::read_link(&link).unwrap_or_default();
    let beside = match programs::beside(programs::DAEMON) {
        Ok(beside) => beside,
        Err(error) => return Check::error(LARDER, NAME, &error.to_string()),
    };
    if is_same(Path::new(&link), &beside) {
        return Check::ok(
            LARDER,
            NAME,
            format!("pid {} is registered, and runs {}", status.pid, runs.display()),
        );
    }
    let found = format!("the daemon runs {}, which is not {}", runs.display(), beside.display());
    Check::note(LARDER, NAME, found, "larder restart").mended_by(Fix::Restart)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    file(one).is_some() && file(one) == file(other)
}

/// What is registered while no daemon answers.
fn registered() -> Check {
    let path = daemon_identity_path(SERVICE_NAME);
    match read_daemon_identity_file(&path) {
        Some(gone) => {
            let found = format!("{} names the daemon {}, which has gone", path.display(), gone.pid);
            Check::note(LARDER, "identity", found, "the next daemon writes it anew")
                .mended_by(Fix::RemoveFile(path))
        }
        None => Check::ok(LARDER, "identity", "no daemon is registered"),
    }
}

/// Whether the socket `endpoint`, which clients try first, leads to the daemon of `status`.
fn remembered(folders: &Folders, endpoint: &str, status: Option<&Status>) -> Check {
    const NAME: &str = "endpoint";
    let mend = || Fix::RemoveFile(folders.endpoint_file());
    match sockets::try_connect(Path::new(endpoint)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            return Check::note(LARDER, NAME, format!("{endpoint} takes no more clients at the moment"), "");
        }
        Err(error) => {
            let found = format!("clients remember {endpoint}, where nobody listens: {error}");
            return Check::note(LARDER, NAME, found, "the next client asks the broker").mended_by(mend());
        }
    }
    let known = status.map(|status| status.endpoint.as_str());
    if known == Some(endpoint) {
        return Check::ok(LARDER, NAME, endpoint);
    }
    let known = known.unwrap_or("none");
    let found = format!("clients remember {endpoint}, and the registered daemon is at {known}");
    Check::problem(LARDER, NAME, found, "larder restart").mended_by(mend())
}
