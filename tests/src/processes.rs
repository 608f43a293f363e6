//! The processes of one sandbox, told by the runtime folder in their environment.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Process ids whose environment names `runtime`, with the name of their program.
#[must_use]
pub fn processes_of(runtime: &Path) -> Vec<(u32, String)> {
    let wanted = format!("XDG_RUNTIME_DIR={}", runtime.display());
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let program = std::fs::read_link(entry.path().join("exe")).ok()?;
            let ours = environment.split(|byte| *byte == 0).any(|var| var == wanted.as_bytes());
            // An executable that was replaced while it ran has " (deleted)" behind its name.
            let name = program.file_name()?.to_str()?.trim_end_matches(" (deleted)").to_owned();
            ours.then_some((pid, name))
        })
        .collect()
}

/// Sends `signal` to `pid`; a process that is gone is no error.
pub fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// `kill -9`, and waits until it is gone.
pub fn kill(pid: u32) {
    signal(pid, Signal::KILL);
    crate::wait_until(&format!("process {pid} to be gone"), || (!alive(pid)).then_some(()));
}

/// Ends every process whose environment names `runtime`.
pub fn kill_all(runtime: &Path) {
    for _ in 0..200 {
        let left: Vec<_> = processes_of(runtime).into_iter().filter(|(pid, _)| alive(*pid)).collect();
        if left.is_empty() {
            return;
        }
        for (pid, _) in left {
            // A stopped process takes no other signal; brokers first or last makes no difference to this one.
            signal(pid, Signal::KILL);
        }
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

/// Whether `pid` runs: a zombie does not.
#[must_use]
pub fn alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the parenthesised program name.
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim_start().starts_with(['Z', 'X']))
}
