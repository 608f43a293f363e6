//! The broker's log: one file and one old one, each of bounded size.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;

/// Variable that sets how much is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`.
const LEVEL_VAR: &str = "LARDER_LOG";

/// The file's name below the state folder.
const FILE: &str = "broker.log";

/// Name of the one that was put aside last.
const OLD_FILE: &str = "broker.log.old";

/// Size at which the log is put aside, bytes.
const LIMIT: u64 = 1 << 20;

/// Sends what is traced, and panics, to the log below `folder`.
///
/// # Errors
/// When the file cannot be opened; nothing is logged then.
pub(crate) fn start(folder: &Path) -> anyhow::Result<()> {
    let asked = std::env::var(LEVEL_VAR).ok().filter(|level| !level.is_empty());
    let level = asked.as_deref().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::INFO);
    larder_glue::private::ensure_folder(folder)?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Rotating::open(folder, LIMIT)?))
        .finish();
    // A second subscriber in one process can only come from a test; the first one stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
    std::panic::set_hook(Box::new(|info| tracing::error!("{info}")));
    Ok(())
}

/// A file that is put aside when it is full.
struct Rotating {
    folder: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl Rotating {
    fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        let file = append(folder)?;
        let size = file.metadata()?.len();
        Ok(Self { folder: folder.to_owned(), file, size, limit })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        std::fs::rename(self.folder.join(FILE), self.folder.join(OLD_FILE))?;
        self.file = append(&self.folder)?;
        self.size = 0;
        Ok(())
    }
}

fn append(folder: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(FILE))
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.size >= self.limit && self.put_aside().is_err() {
            // A log that cannot be put aside grows on, and is tried again a limit later.
            self.size = 0;
        }
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_put_aside_and_one_old_one_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut log = Rotating::open(folder.path(), 8).expect("opened");
        for line in ["first...\n", "second..\n", "third...\n"] {
            log.write_all(line.as_bytes()).expect("written");
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("there");
        assert_eq!((read(FILE).as_str(), read(OLD_FILE).as_str()), ("third...\n", "second..\n"));
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 2);
    }
}
