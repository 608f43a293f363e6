//! Who writes where: two tools that run at once and write to one path leave the work of either, and neither knows.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_service::Reason;

use crate::args::Refusal;
use crate::lookup::Work;
use crate::paths;
use crate::record::bare;
use crate::rust::outputs;

/// How many lost leases are remembered. Beyond that the oldest is taken to be over.
const MAX_LOST: usize = 4096;

/// The outputs of all tools that run under a lease.
#[derive(Default)]
pub(crate) struct Writers(Mutex<Known>);

#[derive(Default)]
struct Known {
    leases: HashMap<PathBuf, u64>,
    /// Leases of which another call writes an output, too.
    disturbed: HashSet<u64>,
    running: HashSet<u64>,
    /// Leases whose client went away before it was known what it had made.
    left: HashSet<u64>,
    /// Leases whose client is gone while its tool may still run.
    lost: VecDeque<u64>,
}

impl Writers {
    /// A tool is about to write `outputs` under `lease`.
    pub(crate) fn begin(&self, lease: u64, outputs: Vec<PathBuf>) {
        let mut known = self.lock();
        known.running.insert(lease);
        for output in outputs {
            if let Some(other) = known.leases.insert(output, lease).filter(|other| *other != lease) {
                known.disturbed.extend([other, lease]);
            }
        }
    }

    /// A client is about to write `outputs` from the cache.
    pub(crate) fn restore(&self, outputs: &[PathBuf]) {
        let mut known = self.lock();
        let leases: Vec<u64> =
            outputs.iter().filter_map(|output| known.leases.get(output).copied()).collect();
        known.disturbed.extend(leases);
    }

    /// The client of `lease` is gone, and nobody keeps others from writing there now.
    pub(crate) fn leave(&self, lease: u64) {
        let mut known = self.lock();
        if known.running.contains(&lease) {
            known.left.insert(lease);
        }
    }

    /// The client of `lease` was killed, and what it ran may live on and write: who writes there next is disturbed.
    pub(crate) fn lose(&self, lease: u64) {
        let mut known = self.lock();
        known.lost.push_back(lease);
        if known.lost.len() > MAX_LOST
            && let Some(oldest) = known.lost.pop_front()
        {
            known.end(oldest);
        }
    }

    /// Refuses to take what lies where `lease` wrote for its own, if another call wrote there or may have.
    pub(crate) fn refuse_disturbed(&self, lease: u64) -> Result<(), Refusal> {
        let detail = "an output, which another call writes as well".to_owned();
        let known = self.lock();
        if known.left.contains(&lease) {
            return Err(bare(Reason::LeaseLost));
        }
        match known.disturbed.contains(&lease) {
            true => Err(Refusal { reason: Reason::InputsChangedMeanwhile, detail }),
            false => Ok(()),
        }
    }

    /// Nothing more is written under `lease`.
    pub(crate) fn end(&self, lease: u64) {
        self.lock().end(lease);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn end(&mut self, lease: u64) {
        self.leases.retain(|_, holder| *holder != lease);
        self.disturbed.remove(&lease);
        self.running.remove(&lease);
        self.left.remove(&lease);
    }
}

impl Work {
    /// Where the tool writes. Of an archive it is known from its content whose it is.
    pub(crate) fn written(&self) -> Vec<PathBuf> {
        match self {
            Self::Compile(prepared) => {
                let cwd = &prepared.call.cwd;
                prepared.invocation.outputs().map(|output| paths::resolve(cwd, output)).collect()
            }
            Self::Link(linking) => vec![paths::resolve(&linking.call.cwd, &linking.request.output)],
            Self::Rust(work) => {
                let places = outputs::expected(&work.request).into_iter();
                let places = places.filter_map(|name| work.outputs.place(&name));
                places.map(|place| paths::resolve(&work.call.cwd, &place)).collect()
            }
            Self::Archive(_) | Self::Question(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_left_before_it_was_read_is_not_taken() {
        let writers = Writers::default();
        writers.begin(1, vec!["/w/a".into()]);
        assert_eq!(writers.refuse_disturbed(1), Ok(()));
        writers.leave(1);
        assert_eq!(writers.refuse_disturbed(1).map_err(|refusal| refusal.reason), Err(Reason::LeaseLost));
        writers.end(1);
        // One that has ended cannot be left: nothing would ever forget it.
        writers.leave(1);
        writers.begin(2, vec!["/w/a".into()]);
        assert_eq!(writers.refuse_disturbed(2), Ok(()));
        assert_eq!(writers.refuse_disturbed(1), Ok(()));
    }

    #[test]
    fn who_writes_where_another_writes_or_may_still_write_is_disturbed() {
        let writers = Writers::default();
        writers.begin(1, vec!["/w/a".into()]);
        writers.begin(2, vec!["/w/a".into(), "/w/b".into()]);
        assert!(writers.refuse_disturbed(1).is_err() && writers.refuse_disturbed(2).is_err());
        writers.end(1);
        writers.end(2);
        writers.begin(3, vec!["/w/a".into()]);
        assert!(writers.refuse_disturbed(3).is_ok());
        writers.lose(3);
        writers.begin(4, vec!["/w/a".into()]);
        assert!(writers.refuse_disturbed(4).is_err(), "the tool of a killed client may live on");
    }
}
