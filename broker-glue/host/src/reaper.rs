//! Waiting for the daemons that this broker launched, so that none stays a zombie.
//!
//! A thread waits for each of them: there are few, and ignoring the signal instead would be inherited by them.

use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use larder_glue::sockets;
use rustix::process::Signal;
use tokio::sync::Notify;

/// How many crashes are remembered.
const CRASHES_KEPT: usize = 64;

/// The children of this broker.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    pids: Mutex<BTreeSet<u32>>,
    /// Builds whose daemon ended badly by itself, and when: the latest last.
    crashes: Mutex<VecDeque<(String, Instant)>>,
    /// Told whenever one of them has ended.
    pub(crate) ended: Notify,
}

impl Reaper {
    /// Notes a child that was just started.
    pub(crate) fn note(&self, pid: u32) {
        self.with(|pids| pids.insert(pid));
    }

    /// Forgets a child that has been waited for.
    pub(crate) fn forget(&self, pid: u32) {
        self.with(|pids| pids.remove(&pid));
        self.ended.notify_one();
    }

    /// Whether `pid` is a child of this broker, launching or serving.
    pub(crate) fn knows(&self, pid: u32) -> bool {
        self.with(|pids| pids.contains(&pid))
    }

    /// How often daemons of `build` have ended badly within `window`, after they had served.
    pub(crate) fn crashes(&self, build: &str, window: Duration) -> usize {
        let crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        crashes.iter().filter(|(whose, when)| whose == build && when.elapsed() < window).count()
    }

    fn crashed(&self, build: &str) {
        let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
        crashes.push_back((build.to_owned(), Instant::now()));
        if crashes.len() > CRASHES_KEPT {
            crashes.pop_front();
        }
    }

    /// Waits for `child`, which is of `build` and serves on `endpoint`, without anyone waiting for this.
    pub(crate) fn keep(self: &Arc<Self>, mut child: Child, endpoint: PathBuf, build: String) {
        let reaper = Arc::clone(self);
        let pid = child.id();
        let wait = move || {
            match child.wait() {
                Ok(status) => {
                    tracing::info!(pid, %status, "a daemon has ended");
                    if is_crash(status) {
                        reaper.crashed(&build);
                    }
                }
                Err(error) => tracing::warn!(pid, "failed to wait for a daemon: {error}"),
            }
            sockets::remove_dead(&endpoint);
            reaper.forget(pid);
        };
        let thread = std::thread::Builder::new().name("reaper".to_owned()).stack_size(128 * 1024);
        if let Err(error) = thread.spawn(wait) {
            tracing::warn!(pid, "failed to start a thread that waits for a daemon: {error}");
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeSet<u32>) -> T) -> T {
        act(&mut self.pids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a daemon ended by a fault of its own. Who kills one wants another, or none.
fn is_crash(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let killed = [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP].map(Signal::as_raw);
    status.code().is_some_and(|code| code != 0)
        || status.signal().is_some_and(|signal| !killed.contains(&signal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn an_ended_child_is_waited_for_and_forgotten() {
        let reaper = Arc::new(Reaper::default());
        let child = Command::new("true").spawn().expect("true starts");
        let pid = child.id();
        reaper.note(pid);
        assert!(reaper.knows(pid));
        reaper.keep(child, PathBuf::from("/nonexistent"), "build".to_owned());
        reaper.ended.notified().await;
        assert!(!reaper.knows(pid));
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "it is no zombie");
    }

    #[tokio::test]
    async fn a_daemon_that_ends_badly_has_crashed_and_one_that_is_killed_has_not() {
        let reaper = Arc::new(Reaper::default());
        for (script, crashes) in [("exit 0", 0), ("exit 1", 1), ("kill -KILL $$", 1), ("kill -SEGV $$", 2)] {
            let child = Command::new("sh").args(["-c", script]).spawn().expect("sh starts");
            reaper.keep(child, PathBuf::from("/nonexistent"), "build".to_owned());
            reaper.ended.notified().await;
            assert_eq!(reaper.crashes("build", Duration::from_secs(60)), crashes, "{script}");
        }
        assert_eq!(reaper.crashes("another", Duration::from_secs(60)), 0);
        assert_eq!(reaper.crashes("build", Duration::ZERO), 0);
    }
}
