//! A store in a folder of its own, and hands to damage it with.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use larder_service::{Clock, Digest, Key, ManualClock, SystemClock};
use larder_store::{ActionResult, OpenReport, OutputBlob, Owner, Store, StoreConfig, StoreError};

/// Whose records are where that plays no part.
pub(crate) const OWNER: Owner = Owner::new("test");

pub(crate) struct Sandbox {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) limit_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) clock: Arc<ManualClock>,
    /// Takes the time from the machine instead.
    pub(crate) real_time: bool,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            limit_bytes: u64::MAX,
            memory_bytes: 0,
            clock: Arc::new(ManualClock::new(1_000_000_000_000)),
            real_time: false,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn try_open(&self) -> Result<(Store, OpenReport), StoreError> {
        let clock: Arc<dyn Clock> = if self.real_time { Arc::new(SystemClock) } else { self.clock.clone() };
        let (limit_bytes, memory_bytes) = (self.limit_bytes, self.memory_bytes);
        Store::open(StoreConfig { root: self.path("store"), limit_bytes, memory_bytes, clock })
    }

    pub(crate) fn open(&self) -> Store {
        self.try_open().unwrap().0
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.path("store/index/larder.redb")
    }

    /// Lets time pass, as far as the store can tell.
    pub(crate) fn later(&self) {
        self.clock.advance(Duration::from_secs(1));
    }
}

/// Writes to a blob as someone would who does not care for its mode.
pub(crate) fn overwrite(path: &Path, content: &[u8]) {
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    fs::write(path, content).unwrap();
}

/// Returns when a change to `path` gets another stamp than it has.
pub(crate) fn next_tick(path: &Path) {
    let metadata = fs::metadata(path).unwrap();
    let changed = metadata.ctime() as u64 * 1_000_000_000 + metadata.ctime_nsec() as u64;
    while SystemClock.file_time_ns() <= changed {
        std::thread::yield_now();
    }
}

pub(crate) fn key(number: u8) -> Key {
    Key([number; 32])
}

pub(crate) fn result(outputs: &[Digest]) -> ActionResult {
    let output = |digest: &Digest| OutputBlob { name: "object".to_owned(), digest: *digest, mode: 0o644 };
    ActionResult { outputs: outputs.iter().map(output).collect(), ..Default::default() }
}
