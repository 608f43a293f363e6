//! What a client has put back from the cache, read before the next one asks for it: crates are told by their content, and the
//! program at the end of a build names them all at once.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_fingerprint::Original;
use larder_proto::v1::OutputFile;
use larder_service::{ConnectionId, Digest};

use crate::lookup::Work;
use crate::paths;
use crate::rust::Crate;
use crate::state::Core;

/// How often it is looked whether the clock of files has moved on, and how often at most: within one step of it, a stamp
/// proves nothing.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const LOOKS: usize = 20;

/// Most files that wait for being read.
const MAX_WAITING: usize = 10_000;

/// Endings of what other crates are compiled against.
const CRATES: [&str; 3] = ["rlib", "rmeta", "so"];

/// Files that are to be read.
#[derive(Default)]
pub(crate) struct Ahead(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// What clients are writing.
    promised: HashMap<ConnectionId, Vec<PathBuf>>,
    waiting: VecDeque<PathBuf>,
    /// Somebody is reading them, one by one.
    busy: bool,
}

impl Ahead {
    /// The client of `connection` is about to write the outputs of `work`.
    pub(crate) fn promise(&self, connection: ConnectionId, work: &Work, written: &[PathBuf]) {
        if !matches!(work, Work::Rust(_)) {
            return;
        }
        let crates: Vec<PathBuf> = written.iter().filter(|path| is_crate(path)).cloned().collect();
        if !crates.is_empty() {
            self.lock().promised.insert(connection, crates);
        }
    }

    /// The next file; `None` ends the reading.
    fn next(&self) -> Option<PathBuf> {
        let mut known = self.lock();
        let next = known.waiting.pop_front();
        known.busy = next.is_some();
        next
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_crate(path: &Path) -> bool {
    path.extension().is_some_and(|ending| CRATES.iter().any(|known| ending == *known))
}

impl Core {
    /// A client is about to make `file` a copy of a blob that holds `digest`.
    pub(crate) fn expect_copy(&self, work: &Crate, file: &OutputFile, digest: Digest) {
        let path = paths::resolve(&work.call.cwd, &file.path);
        if is_crate(&path) {
            let original = Original {
                path: paths::as_path(&file.blob).to_owned(),
                digest,
                mtime_ns: file.blob_mtime_ns,
                ctime_ns: file.blob_ctime_ns,
                inode: file.blob_inode,
            };
            self.fingerprints.expect_copy(path, original);
        }
    }

    /// The client of `connection` is gone: what it has written is read in a moment, unless it is asked for before.
    pub(crate) fn read_ahead(self: &Arc<Self>, connection: ConnectionId) {
        let Some(crates) = self.ahead.lock().promised.remove(&connection) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let core = Arc::clone(self);
        runtime.spawn(async move {
            // Stamps can be of a finer clock than that of files, and ahead of it.
            let written = core.context.clock.unix_ns();
            for _ in 0..LOOKS {
                tokio::time::sleep(LOOK_AGAIN).await;
                if core.context.clock.file_time_ns() > written {
                    break;
                }
            }
            {
                let mut known = core.ahead.lock();
                let room = MAX_WAITING.saturating_sub(known.waiting.len());
                known.waiting.extend(crates.into_iter().take(room));
                if std::mem::replace(&mut known.busy, true) {
                    return;
                }
            }
            tokio::task::spawn_blocking(move || {
                while let Some(path) = core.ahead.next() {
                    // Who asks for it hears what is wrong with it.
                    let _ = core.fingerprints.file(&path);
                }
            });
        });
    }
}

#[cfg(test)]
mod tests {
    use larder_fingerprint::Fingerprints;
    use larder_service::{Board, Context, SystemClock};
    use larder_store::{Store, StoreConfig};

    use super::*;

    #[tokio::test]
    async fn what_a_client_has_written_is_read_when_it_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(SystemClock);
        let context = Context {
            clock: clock.clone(),
            board: Arc::new(Board::new(0, &["compile"])),
            tmp: folder.path().to_owned(),
            filesystem_view: (1, 2, 3),
        };
        let root = folder.path().join("store");
        let config = StoreConfig { root, limit_bytes: 1 << 30, memory_bytes: 0, clock: clock.clone() };
        let store = Arc::new(Store::open(config).unwrap().0);
        let core = Arc::new(Core::new(context, store, Arc::new(Fingerprints::new(clock, 100))));
        let path = |name: &str| folder.path().join(name);
        let names = ["liba.rlib", "liba.rmeta", "gone.rlib", "libb.rlib"];
        for name in names.iter().filter(|name| !name.starts_with("gone")) {
            std::fs::write(path(name), name).unwrap();
        }
        core.ahead.lock().promised.insert(7, names[..3].iter().map(|name| path(name)).collect());
        core.ahead.lock().promised.insert(8, vec![path(names[3])]);
        core.read_ahead(7);
        while !(core.fingerprints.knows(&path(names[0])) && core.fingerprints.knows(&path(names[1]))) {
            tokio::task::yield_now().await;
        }
        while core.ahead.lock().busy {
            tokio::task::yield_now().await;
        }
        assert!(!core.fingerprints.knows(&path(names[3])), "its client is still there");
    }
}
