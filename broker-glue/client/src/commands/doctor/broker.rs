//! Broker and daemon: whether they can be reached at all.

use larder_glue::folders::Folders;
use larder_glue::{names, programs};

use super::Check;
use crate::running::Running;

const GROUP: &str = "larder";

pub(super) fn checks() -> Vec<Check> {
    vec![folders(), beside(), socket(), daemon()]
}

fn folders() -> Check {
    match Folders::from_env() {
        Ok(mut folders) => match folders.pass_by_newer() {
            None => Check::ok(GROUP, "cache", folders.store().display().to_string()),
            Some(newer) => {
                let used = folders.store();
                Check::note(
                    GROUP,
                    "cache",
                    format!("{newer}, and {} is used", used.display()),
                    "use the newer larder alone, or remove the one of the two folders that you need no more",
                )
            }
        },
        Err(error) => split(GROUP, "cache", &error.to_string()),
    }
}

fn beside() -> Check {
    match [programs::DAEMON, programs::BROKER].map(programs::beside) {
        [Ok(daemon), Ok(_)] => {
            Check::ok(GROUP, "programs", daemon.parent().unwrap_or(&daemon).display().to_string())
        }
        [Err(error), _] | [_, Err(error)] => split(GROUP, "programs", &error.to_string()),
    }
}

/// A socket's path is bounded, by few bytes.
fn socket() -> Check {
    match names::broker_socket(&names::broker_program()) {
        Ok(socket) => Check::ok(GROUP, "socket", socket),
        Err(error) => split(GROUP, "socket", &error.to_string()),
    }
}

fn daemon() -> Check {
    match Running::find() {
        Ok(Some(daemon)) => Check::ok(GROUP, "daemon", format!("pid {}", daemon.pid)),
        Ok(None) => Check::ok(GROUP, "daemon", "none runs; the first call starts it"),
        Err(error) => Check::problem(GROUP, "daemon", format!("{error:#}"), "larder stop && larder start"),
    }
}

/// An error says what is wrong in its first line, and what to do in the next.
fn split(group: &'static str, name: &'static str, error: &str) -> Check {
    let (found, hint) = error.split_once('\n').unwrap_or((error, ""));
    Check::problem(group, name, found, hint.trim_start_matches("hint: "))
}
