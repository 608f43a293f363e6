//! What the daemon says of itself.

use larder_proto::LARDER_VERSION;
use larder_proto::v1::Status;

use super::{Check, Fix};

/// The group of what is larder's own.
pub const LARDER: &str = "larder";

/// The state of a daemon that serves.
const READY: &str = "ready";

pub(super) fn checks(status: &Status) -> Vec<Check> {
    let mut checks = vec![daemon(status), store(status)];
    checks.extend(status.warnings.iter().map(|warning| Check::problem("warning", "warning", warning, "")));
    checks
}

fn daemon(status: &Status) -> Check {
    const NAME: &str = "daemon";
    let found = format!("{}, pid {}, version {}", status.state, status.pid, status.version);
    if status.version != LARDER_VERSION {
        let found = format!("{found}, and this is {LARDER_VERSION}");
        return Check::problem(LARDER, NAME, found, "larder restart").mended_by(Fix::Restart);
    }
    if status.state != READY {
        return Check::note(LARDER, NAME, found, "");
    }
    Check::ok(LARDER, NAME, found)
}

fn store(status: &Status) -> Check {
    const NAME: &str = "store";
    let Some(store) = &status.store else { return Check::problem(LARDER, NAME, "there is none", "") };
    match store.damaged_blobs {
        0 => Check::ok(LARDER, NAME, &store.folder),
        damaged => Check::note(
            LARDER,
            NAME,
            format!("{damaged} damaged blobs were found and dropped in {}", store.folder),
            "the disk or a program has changed them; larder has run the tools instead",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::State;

    #[test]
    fn a_daemon_of_another_version_is_to_be_restarted() {
        let status = |version: &str, state: &str| Status {
            version: version.to_owned(),
            state: state.to_owned(),
            ..Status::default()
        };
        assert_eq!(daemon(&status(LARDER_VERSION, READY)).state, State::Ok);
        assert_eq!(daemon(&status(LARDER_VERSION, "starting")).state, State::Note);
        let old = daemon(&status("0.0.1", READY));
        assert_eq!((old.state, old.fixes), (State::Problem, vec![Fix::Restart]));
    }
}
