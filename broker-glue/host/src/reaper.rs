//! Waiting for the daemons that this broker launched, so that none stays a zombie.
//!
//! A thread waits for each of them: there are few, and ignoring the signal instead would be inherited by them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::sweep;

/// The children of this broker.
#[derive(Debug, Default)]
pub(crate) struct Reaper {
    pids: Mutex<BTreeSet<u32>>,
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

    /// Waits for `child`, which serves on `endpoint`, without anyone waiting for this.
    pub(crate) fn keep(self: &Arc<Self>, mut child: Child, endpoint: PathBuf) {
        let reaper = Arc::clone(self);
        let pid = child.id();
        let wait = move || {
            match child.wait() {
                Ok(status) => tracing::info!(pid, %status, "a daemon has ended"),
                Err(error) => tracing::warn!(pid, "failed to wait for a daemon: {error}"),
            }
            sweep::remove_dead(&endpoint);
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
        reaper.keep(child, PathBuf::from("/nonexistent"));
        reaper.ended.notified().await;
        assert!(!reaper.knows(pid));
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "it is no zombie");
    }
}
