//! What surrounds the daemon, and whether it is as it must be: the checks that `larder doctor` makes too.

use std::path::{Path, PathBuf};

use larder_glue::checks::{self, Around, Check};
use larder_glue::folders::Folders;
use larder_glue::logging;
use larder_proto::v1::{Health, HealthCheck, Status};

use crate::reports::SCHEMA_VERSION;

/// How much of the log's end is read, bytes, and shown, lines.
const LOG_BYTES: u64 = 32 * 1024;
const LOG_LINES: usize = 60;

/// Where to look.
pub(crate) struct Surroundings {
    pub(crate) folders: Folders,
    pub(crate) log: PathBuf,
}

pub(crate) fn health(status: Status, around: &Surroundings) -> Health {
    let limit_bytes = status.store.as_ref().map_or(0, |store| store.limit_bytes);
    let looked =
        Around { folders: &around.folders, broker: &status.broker, limit_bytes, status: Some(&status) };
    let mut checks = checks::all(&looked);
    checks.push(page(&status));
    let checks = checks.into_iter().map(shown).collect();
    Health {
        schema_version: SCHEMA_VERSION,
        checks,
        cpu_us: cpu_us(),
        log: tail(&around.log),
        log_file: around.log.to_string_lossy().into_owned(),
        status: Some(status),
    }
}

fn shown(check: Check) -> HealthCheck {
    HealthCheck {
        group: check.group.to_owned(),
        name: check.name.to_owned(),
        state: check.state.id().to_owned(),
        found: check.found,
        hint: check.hint,
    }
}

fn page(status: &Status) -> Check {
    if status.broker_page.is_empty() {
        return Check::note("broker", "page", "this broker publishes no page", "");
    }
    Check::ok("broker", "page", &status.broker_page)
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
