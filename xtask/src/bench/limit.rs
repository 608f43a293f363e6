//! An end to calls that do not end by themselves: a peer that stalls must not stall the measurement.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::run;

/// How often it is looked whether a call is over its time.
const STEP: Duration = Duration::from_millis(200);

/// What runs, and until when it may.
static RUNNING: LazyLock<Mutex<Vec<(Pid, Instant)>>> = LazyLock::new(|| {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(STEP);
            let now = Instant::now();
            for (group, _) in running().iter().filter(|(_, until)| *until <= now) {
                let _ = kill_process_group(*group, Signal::KILL);
            }
        }
    });
    Mutex::default()
});

fn running() -> MutexGuard<'static, Vec<(Pid, Instant)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process and those that it starts; they are ended after the time that they are given.
struct Limited {
    group: Pid,
    began: Instant,
}

impl Limited {
    fn start(command: &mut Command, limit: Duration) -> anyhow::Result<(Self, Child)> {
        // Made before the clock runs.
        let mut running = running();
        let began = Instant::now();
        let child = command
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {}", run::shown(command)))?;
        let group = Pid::from_child(&child);
        running.push((group, began + limit));
        Ok((Self { group, began }, child))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        running().retain(|(group, _)| *group != self.group);
    }
}

/// Runs `command` with this process's own streams, and says how long it took.
pub(super) fn time(command: &mut Command, limit: Duration) -> anyhow::Result<Duration> {
    let (limited, mut child) = Limited::start(command, limit)?;
    let status = child.wait()?;
    let took = limited.began.elapsed();
    drop(limited);
    check(command, status, took, limit, b"").map(|()| took)
}

/// Runs `command` and gives what it wrote, and how long it took; its standard error is part of the error.
pub(super) fn output(command: &mut Command, limit: Duration) -> anyhow::Result<(Output, Duration)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (limited, child) = Limited::start(command, limit)?;
    let output = child.wait_with_output()?;
    let took = limited.began.elapsed();
    drop(limited);
    check(command, output.status, took, limit, &output.stderr).map(|()| (output, took))
}

fn check(
    command: &Command,
    status: ExitStatus,
    took: Duration,
    limit: Duration,
    stderr: &[u8],
) -> anyhow::Result<()> {
    if status.success() {
        return Ok(());
    }
    if took >= limit {
        bail!("{} took longer than {} s, and was ended", run::shown(command), limit.as_secs());
    }
    bail!("{} ended with {status}\n{}", run::shown(command), String::from_utf8_lossy(stderr).trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_end_is_ended() {
        let ended = time(Command::new("sleep").arg("600"), Duration::from_millis(1));
        assert!(ended.expect_err("it was ended").to_string().contains("took longer"));
    }

    #[test]
    fn an_error_says_what_the_command_said() {
        let mut command = Command::new("sh");
        let failed = output(command.args(["-c", "echo no >&2; exit 3"]), Duration::from_secs(60));
        let error = failed.expect_err("it failed").to_string();
        assert!(error.contains("exit status: 3") && error.ends_with("no"), "{error}");
        let (output, _) = output(Command::new("echo").arg("yes"), Duration::from_secs(60)).expect("it runs");
        assert_eq!(output.stdout, b"yes\n");
    }
}
