//! Lets the clock of files move past inputs that were written a moment ago.
//!
//! What was written in the very tick in which a tool starts cannot be told from what is written while it runs, and is
//! not stored. In a build that is the usual case: an object is linked as soon as it is compiled.

use std::path::PathBuf;
use std::time::Duration;

use larder_fingerprint::Stamp;

use crate::lookup::Work;
use crate::paths;
use crate::state::Core;

/// Longest tick that is waited for, nanoseconds: kernels tick 100 to 1000 times a second. A stamp that lies further
/// ahead comes from another clock.
const LONGEST_TICK: u64 = 12_000_000;

/// How often the clock is looked at.
const STEP: Duration = Duration::from_millis(1);

impl Core {
    /// Waits until every file that the call of `work` names was changed before now, for one tick at most.
    pub(crate) async fn settle(&self, work: &Work) {
        let newest = |path: PathBuf| {
            let stamp = Stamp::of(&path.metadata().ok()?);
            u64::try_from(stamp.mtime_ns.max(stamp.ctime_ns)).ok()
        };
        let Some(newest) = work.named_files().into_iter().filter_map(newest).max() else { return };
        let clock = &*self.context.clock;
        let start = clock.file_time_ns();
        while newest >= clock.file_time_ns() && newest.saturating_sub(start) <= LONGEST_TICK {
            tokio::time::sleep(STEP).await;
        }
    }
}

impl Work {
    /// The inputs that are known before the tool runs.
    fn named_files(&self) -> Vec<PathBuf> {
        let resolved = |cwd, files: &[Vec<u8>]| files.iter().map(|file| paths::resolve(cwd, file)).collect();
        match self {
            Self::Compile(prepared) => vec![paths::resolve(&prepared.call.cwd, &prepared.invocation.source)],
            Self::Archive(filing) => resolved(&filing.call.cwd, &filing.request.members),
            Self::Rust(work) => work.named_files(),
            Self::Question(_) => Vec::new(),
            Self::Link(linking) => resolved(&linking.call.cwd, &linking.request.files),
        }
    }
}
