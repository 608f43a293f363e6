//! Opening the index, whatever became of it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase as _, ReadableTable as _, Table};

use super::{BLOBS, CACHE_BYTES, META, RECORD_ROWS, RECORDS, VERSIONS, damaged, failure, guarded};
use crate::StoreError;
use crate::folder;
use crate::row::BlobRow;

/// How often opening may end the process before the index is held to be the cause.
const FATAL_OPENS: u64 = 2;

/// How an index was opened.
pub(super) struct How {
    pub(super) as_closed: bool,
    pub(super) set_aside: Option<String>,
}

/// Opens the index `path` in `folder`; what cannot be read is set aside.
pub(super) fn open_or_begin(
    folder: &Path,
    path: &Path,
    boot: u64,
    closed: bool,
) -> Result<(Database, How), StoreError> {
    let attempts = Attempts(folder.join("opening"));
    let damage = if attempts.note() > FATAL_OPENS {
        "opening it ended the process several times".to_owned()
    } else if path.is_symlink() {
        "it is a link".to_owned()
    } else {
        match guarded(|| open(path, boot, closed)) {
            Ok((database, as_closed)) => {
                attempts.forget();
                return Ok((database, How { as_closed, set_aside: None }));
            }
            Err(error) if is_transient(&error) => {
                attempts.forget();
                return Err(failure(path, error));
            }
            Err(error) => error.to_string(),
        }
    };
    let database = begin(path, boot, &damage)?;
    attempts.forget();
    Ok((database, How { as_closed: false, set_aside: Some(damage) }))
}

/// Sets `path` aside and begins a new index there.
pub(super) fn begin(path: &Path, boot: u64, damage: &str) -> Result<Database, StoreError> {
    tracing::warn!(path = %path.display(), damage, "the index is set aside");
    set_aside(path).map_err(|error| StoreError::write(path, error))?;
    let (database, _) = guarded(|| open(path, boot, false)).map_err(|error| failure(path, error))?;
    Ok(database)
}

/// Whether `error` says nothing about the file itself.
fn is_transient(error: &redb::Error) -> bool {
    const MACHINE: [rustix::io::Errno; 3] =
        [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE, rustix::io::Errno::NOMEM];
    match error {
        redb::Error::DatabaseAlreadyOpen => true,
        redb::Error::Io(error) => {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                || rustix::io::Errno::from_io_error(error).is_some_and(|errno| MACHINE.contains(&errno))
        }
        _ => false,
    }
}

/// Keeps the latest broken index for whoever wants to know.
fn set_aside(path: &Path) -> io::Result<()> {
    let aside = path.with_file_name("broken.redb");
    folder::remove(&aside)?;
    match fs::rename(path, aside) {
        Err(error) if !folder::is_absence(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Opens the file; whether it was taken as it was closed.
fn open(path: &Path, boot: u64, closed: bool) -> Result<(Database, bool), redb::Error> {
    let mut database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
    if closed && is_current(&database, boot)? {
        return Ok((database, true));
    }
    // Later reads trust the pages.
    if !database.check_integrity()? {
        tracing::info!(path = %path.display(), "the index was repaired");
    }
    let transaction = database.begin_write()?;
    {
        let mut meta = transaction.open_table(META)?;
        let version = meta.get("version")?.map(|version| version.value());
        if version.is_some_and(|version| !VERSIONS.contains(&version)) {
            return Err(redb::Error::Corrupted("it is of another version".to_owned()));
        }
        meta.insert("version", VERSIONS.end())?;
        let same_run = meta.insert("boot", boot)?.is_some_and(|earlier| earlier.value() == boot);
        for table in [BLOBS, RECORDS, RECORD_ROWS] {
            transaction.open_table(table)?;
        }
        if !same_run {
            doubt(&mut transaction.open_table(BLOBS)?)?;
        }
    }
    transaction.commit()?;
    Ok((database, false))
}

/// Whether it is of this version, and was last opened in this run of the machine.
fn is_current(database: &Database, boot: u64) -> Result<bool, redb::Error> {
    let transaction = database.begin_read()?;
    let meta = transaction.open_table(META)?;
    let value = |name: &str| meta.get(name).map(|value| value.map(|value| value.value()));
    Ok(value("version")? == Some(*VERSIONS.end()) && value("boot")? == Some(boot))
}

/// Forgets what proves the content of blobs. When a machine stops, a file may be left with its name, size and times and
/// other content: nothing waits for blobs to be on the disk, and a proof is only worth what a running kernel says.
fn doubt(blobs: &mut Table<'_, &[u8], &[u8]>) -> Result<(), redb::Error> {
    // In parts, as there may be millions.
    for first in 0..=u8::MAX {
        let mut doubted = Vec::new();
        for entry in blobs.range(&[first][..]..)? {
            let (key, value) = entry?;
            if key.value().first() != Some(&first) {
                break;
            }
            let row = BlobRow::decode(value.value()).map_err(damaged)?;
            if row.stamp.is_some() {
                doubted.push((key.value().to_vec(), BlobRow { stamp: None, ..row }));
            }
        }
        for (key, row) in doubted {
            blobs.insert(&key[..], &row.encode()[..])?;
        }
    }
    Ok(())
}

/// Counts openings that did not come to an end: where a panic ends the process, the next one would go the same way.
struct Attempts(PathBuf);

impl Attempts {
    /// Counts one more. A disk that does not take the count is no reason not to open.
    fn note(&self) -> u64 {
        let count = || -> io::Result<u64> {
            let mut file = folder::append(&self.0)?;
            file.write_all(b".")?;
            Ok(file.metadata()?.len())
        };
        count().unwrap_or(0)
    }

    fn forget(&self) {
        // At worst the next opening begins with a new index.
        let _ = folder::remove(&self.0);
    }
}
