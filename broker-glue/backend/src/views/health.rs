//! What surrounds the daemon, and whether it is as it must be.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use larder_glue::{logging, names};
use larder_proto::v1::{Health, HealthCheck, Status};

use crate::reports::{READY, SCHEMA_VERSION};

/// How much of the log's end is read, bytes, and shown, lines.
const LOG_BYTES: u64 = 32 * 1024;
const LOG_LINES: usize = 60;

/// Free space on the store's disk below which builds will soon fail, bytes.
const LITTLE_SPACE: u64 = 1 << 30;

/// Where to look.
pub(crate) struct Surroundings {
    pub(crate) store: PathBuf,
    pub(crate) log: PathBuf,
}

pub(crate) fn health(status: Status, around: &Surroundings) -> Health {
    let mut checks =
        vec![daemon(&status), store(&status), space(&around.store), broker(&status), page(&status)];
    checks.extend(status.warnings.iter().map(|warning| check("warning", "warning", "problem", warning, "")));
    Health {
        schema_version: SCHEMA_VERSION,
        checks,
        cpu_us: cpu_us(),
        log: tail(&around.log),
        log_file: around.log.to_string_lossy().into_owned(),
        status: Some(status),
    }
}

fn check(group: &str, name: &str, state: &str, found: &str, hint: &str) -> HealthCheck {
    HealthCheck {
        group: group.to_owned(),
        name: name.to_owned(),
        state: state.to_owned(),
        found: found.to_owned(),
        hint: hint.to_owned(),
    }
}

fn daemon(status: &Status) -> HealthCheck {
    let state = if status.state == READY { "ok" } else { "note" };
    check(
        "larder",
        "daemon",
        state,
        &format!("{}, pid {}, version {}", status.state, status.pid, status.version),
        "",
    )
}

fn store(status: &Status) -> HealthCheck {
    let Some(store) = &status.store else { return check("larder", "store", "problem", "there is none", "") };
    match store.damaged_blobs {
        0 => check("larder", "store", "ok", &store.folder, ""),
        damaged => check(
            "larder",
            "store",
            "note",
            &format!("{damaged} damaged blobs were found and dropped in {}", store.folder),
            "the disk or a program has changed them; larder has run the tools instead",
        ),
    }
}

fn space(folder: &Path) -> HealthCheck {
    match rustix::fs::statvfs(folder) {
        Ok(disk) => {
            let free = disk.f_bavail.saturating_mul(disk.f_frsize);
            let found = format!("{} MiB free", free >> 20);
            if free < LITTLE_SPACE {
                return check("disk", "space", "problem", &found, "larder clear, or set size_limit lower");
            }
            check("disk", "space", "ok", &found, "")
        }
        Err(error) => check("disk", "space", "note", &format!("the free space is not known: {error}"), ""),
    }
}

fn broker(status: &Status) -> HealthCheck {
    let socket = match names::broker_socket(&status.broker) {
        Ok(socket) => socket,
        Err(error) => return check("broker", "socket", "problem", &error.to_string(), ""),
    };
    match UnixStream::connect(&socket) {
        Ok(_) => check("broker", "socket", "ok", &format!("{} listens at {socket}", status.broker), ""),
        Err(error) => check(
            "broker",
            "socket",
            "note",
            &format!("{} does not answer at {socket}: {error}", status.broker),
            "the next build starts one, or: larder start",
        ),
    }
}

fn page(status: &Status) -> HealthCheck {
    if status.broker_page.is_empty() {
        return check("broker", "page", "note", "this broker publishes no page", "");
    }
    check("broker", "page", "ok", &status.broker_page, "")
}

/// Processor time of this process, microseconds.
fn cpu_us() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    u64::try_from(time.tv_sec * 1_000_000 + time.tv_nsec / 1000).unwrap_or(0)
}

fn tail(file: &Path) -> Vec<String> {
    let text = logging::end(file, LOG_BYTES).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(logging::readable).collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].to_vec()
}
