//! The statistics by day, on disk.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_glue::folders::Folders;
use larder_glue::private;
use larder_proto::v1::{Day, Stats};
use larder_service::History;

/// Ninety days take some 6 KiB.
const FILE_LIMIT: u64 = 64 * 1024;

/// The counts by day, and the file that keeps them.
pub(crate) struct Days {
    file: PathBuf,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    history: History,
    /// Whether the file has less than `history`.
    changed: bool,
}

impl Days {
    /// Those that an earlier daemon has left, and a warning where they cannot be read. What cannot be read is put aside
    /// at the next write.
    pub(crate) fn open(folders: &Folders) -> (Self, Option<String>) {
        let file = folders.state.join("days");
        let read = private::read_own(&file, FILE_LIMIT).map_err(|error| error.to_string());
        let decoded = read.and_then(|bytes| match bytes {
            None => Ok(History::default()),
            Some(bytes) => History::decode(&bytes).map_err(|error| format!("{}: {error}", file.display())),
        });
        let (history, warning) = match decoded {
            Ok(history) => (history, None),
            Err(error) => {
                let _ = std::fs::rename(&file, file.with_extension("unreadable"));
                (History::default(), Some(format!("the statistics by day begin anew: {error}")))
            }
        };
        (Self { file, inner: Mutex::new(Inner { history, changed: false }) }, warning)
    }

    /// Takes in what was counted, and gives all days, earliest first, and today.
    pub(crate) fn read(&self, stats: &Stats, now_unix_ms: u64) -> (Vec<Day>, Day) {
        let mut inner = self.lock();
        inner.changed |= inner.history.absorb(stats, now_unix_ms);
        (inner.history.days(), inner.history.day(now_unix_ms))
    }

    /// Takes in what was counted, and writes what is not written yet.
    ///
    /// # Errors
    /// When the disk is full, for example; the next call tries again.
    pub(crate) fn write(&self, stats: &Stats, now_unix_ms: u64) -> anyhow::Result<()> {
        let mut inner = self.lock();
        inner.changed |= inner.history.absorb(stats, now_unix_ms);
        if inner.changed {
            private::write_atomically(&self.file, &inner.history.encode())?;
            inner.changed = false;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
