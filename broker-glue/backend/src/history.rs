//! The statistics by day, on disk.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_glue::folders::Folders;
use larder_glue::private;
use larder_proto::v1::{Day, Stats};
use larder_service::{History, HistoryError};

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

/// Why a file gives no counts.
enum Unread {
    Version(String),
    Damaged(String),
}

/// What `file` has; nothing where there is none.
fn read(file: &Path) -> Result<History, Unread> {
    let bytes = private::read_own(file, FILE_LIMIT).map_err(|error| Unread::Damaged(error.to_string()))?;
    bytes.map_or_else(|| Ok(History::default()), |bytes| History::decode(&bytes)).map_err(|error| {
        let said = format!("{}: {error}", file.display());
        if error == HistoryError::Version { Unread::Version(said) } else { Unread::Damaged(said) }
    })
}

impl Days {
    /// Those that an earlier daemon has left, and a warning where they cannot be read. Those of another version stay as
    /// they are, and a file beside them is used; what is damaged is put aside.
    pub(crate) fn open(folders: &Folders) -> (Self, Option<String>) {
        let file = folders.state.join("days");
        match read(&file) {
            Err(Unread::Version(error)) => {
                let beside = file.with_extension(format!("v{}", History::VERSION));
                let warning = format!("{error}, and are left as they are; {} is used", beside.display());
                let read = read(&beside);
                let (days, damage) = Self::take(beside, read);
                (days, Some(damage.unwrap_or(warning)))
            }
            read => Self::take(file, read),
        }
    }

    fn take(file: PathBuf, read: Result<History, Unread>) -> (Self, Option<String>) {
        let (history, warning) = match read {
            Ok(history) => (history, None),
            Err(Unread::Version(error) | Unread::Damaged(error)) => {
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
