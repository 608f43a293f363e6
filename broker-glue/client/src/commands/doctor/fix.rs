//! `larder doctor --fix`: what larder can mend by itself, and nothing that is not its own.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::Context as _;
use larder_glue::checks::{Check, Fix};
use larder_glue::{definition, private, sockets};

use super::leftovers;
use crate::commands::{start, stop};

/// One thing that was done, or failed.
pub(super) struct Done {
    pub(super) group: &'static str,
    pub(super) name: &'static str,
    /// In one line.
    pub(super) told: String,
}

impl Done {
    /// What was done about the matter of `check`.
    pub(super) fn of<'a>(done: &'a [Self], check: &'a Check) -> impl Iterator<Item = &'a Self> {
        done.iter().filter(|done| (done.group, done.name) == (check.group, check.name))
    }
}

/// Mends what `checks` found, each thing once; the daemon is restarted last, when all else is as it must be.
pub(super) fn mend(checks: &[Check]) -> Vec<Done> {
    let mut fixes: Vec<(&Check, &Fix)> = Vec::new();
    for check in checks {
        for fix in &check.fixes {
            if !fixes.iter().any(|(_, known)| *known == fix) {
                fixes.push((check, fix));
            }
        }
    }
    fixes.sort_by_key(|(_, fix)| **fix == Fix::Restart);
    let carried_out = fixes.into_iter().map(|(check, fix)| Done {
        group: check.group,
        name: check.name,
        told: carry_out(fix).unwrap_or_else(|error| format!("{error:#}")).replace('\n', "; "),
    });
    carried_out.collect()
}

/// What was done is told also where the check that led to it found no more.
pub(super) fn keep_told(checks: &mut Vec<Check>, done: &[Done]) {
    for Done { group, name, .. } in done {
        if !checks.iter().any(|check| (check.group, check.name) == (*group, *name)) {
            checks.push(Check::ok(group, name, "mended"));
        }
    }
}

fn carry_out(fix: &Fix) -> anyhow::Result<String> {
    Ok(match fix {
        Fix::MakeFolder(path) => {
            private::ensure_folder(path)?;
            format!("made {}", path.display())
        }
        Fix::Tighten(path) => {
            tighten(path).with_context(|| format!("failed to change the rights of {}", path.display()))?;
            format!("kept other users from {}", path.display())
        }
        Fix::Register(daemon) => {
            definition::mend(daemon)?;
            format!("described {} to brokers", daemon.display())
        }
        Fix::RemoveSocket(path) if sockets::remove_dead(path) => format!("removed {}", path.display()),
        Fix::RemoveSocket(path) => anyhow::bail!("failed to remove {}: it is in use again", path.display()),
        Fix::RemoveFile(path) => {
            std::fs::remove_file(path).with_context(|| format!("failed to remove {}", path.display()))?;
            format!("removed {}", path.display())
        }
        Fix::RemoveLock(path) => {
            // Removed while it is held: who waits for it finds that it has gone, and makes another.
            let lock = leftovers::take_free(path);
            let lock =
                lock.with_context(|| format!("failed to remove {}: it is in use again", path.display()))?;
            std::fs::remove_file(path).with_context(|| format!("failed to remove {}", path.display()))?;
            drop(lock);
            format!("removed {}", path.display())
        }
        Fix::Restart => {
            let stopped = stop::daemon()?;
            let status = start::daemon()?;
            format!("{}; started another (pid {})", stopped.trim_end(), status.pid)
        }
    })
}

/// Another user's folder, or what a link leads to, is not larder's to change.
fn tighten(path: &Path) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if metadata.is_symlink() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it is a link, or another user's"));
    }
    let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}
