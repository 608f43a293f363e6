//! The index file: records, and rows about blobs and records.
//!
//! It is a cache's index: one that cannot be read is set aside, and a new one begun.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use larder_service::Digest;
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition};

use crate::StoreError;
use crate::catalog::Changes;
use crate::folder;
use crate::record::{self, RecordId};
use crate::row::{self, BlobRow, RecordRow};

/// Rows of the first say nothing of owners; they are read. A program that knows only the first sets one of the second
/// aside, and finds the blobs again. From now on a change of it, or of any record's form, is one of the whole store's version
/// too, which the daemon looks at first.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=2;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const BLOBS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("blobs");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const RECORD_ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("record_rows");

/// Pages that the index library keeps in memory, bytes.
const CACHE_BYTES: usize = 32 << 20;

/// How often opening may end the process before the index is held to be the cause.
const FATAL_OPENS: u64 = 2;

/// All rows of an index.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) blobs: Vec<(Digest, BlobRow)>,
    pub(crate) records: Vec<(RecordId, RecordRow)>,
}

/// An index that has just been opened.
pub(crate) struct Opened {
    pub(crate) index: Index,
    pub(crate) rows: Rows,
    /// Why the earlier one was set aside.
    pub(crate) set_aside: Option<String>,
}

/// The index file.
pub(crate) struct Index {
    path: PathBuf,
    /// Run of the machine.
    boot: u64,
    /// `None` while it cannot be opened again.
    database: RwLock<Option<Database>>,
    /// There are records that a crash would lose.
    unflushed: AtomicBool,
}

impl Index {
    /// Opens the index in `folder`, or begins a new one.
    pub(crate) fn open(folder: &Path, boot: u64) -> Result<Opened, StoreError> {
        let path = folder.join("larder.redb");
        let (database, rows, set_aside) = open_or_begin(folder, &path, boot)?;
        Ok(Opened {
            index: Self {
                path,
                boot,
                database: RwLock::new(Some(database)),
                unflushed: AtomicBool::new(false),
            },
            rows,
            set_aside,
        })
    }

    /// Opens the file again after an error, which the index library does not get over by itself. What was not
    /// flushed is lost.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The file is locked until it is closed.
        let old = database.take();
        let _ = guarded(|| {
            drop(old);
            Ok(())
        });
        let folder = self.path.parent().unwrap_or(&self.path);
        let (opened, _, set_aside) = open_or_begin(folder, &self.path, self.boot)?;
        if let Some(reason) = set_aside {
            tracing::warn!(reason, "the index was set aside");
        }
        *database = Some(opened);
        Ok(())
    }

    /// The record `id`; `None` also when it is damaged.
    pub(crate) fn record(&self, id: &RecordId) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(RECORDS)?;
            let Some(sealed) = table.get(&id.encode()[..])? else { return Ok(None) };
            match record::unseal(id, sealed.value()) {
                Ok(bytes) => Ok(Some(bytes.to_vec())),
                Err(error) => {
                    tracing::warn!(key = %id.key.hex(), %error, "a record is dropped");
                    Ok(None)
                }
            }
        })
    }

    /// Keeps `records`, all or none of them; a crash before the next flush may lose them.
    pub(crate) fn put_records(&self, records: &[(RecordId, &[u8], RecordRow)]) -> Result<(), StoreError> {
        self.unflushed.store(true, Ordering::Release);
        self.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::None)?;
            {
                let mut table = transaction.open_table(RECORDS)?;
                let mut rows = transaction.open_table(RECORD_ROWS)?;
                for (id, bytes, row) in records {
                    table.insert(&id.encode()[..], &record::seal(id, bytes)[..])?;
                    rows.insert(&id.encode()[..], &row.encode()[..])?;
                }
            }
            Ok(transaction.commit()?)
        })
    }

    /// Forgets `ids`.
    pub(crate) fn drop_records(&self, ids: &[RecordId]) -> Result<(), StoreError> {
        self.unflushed.store(true, Ordering::Release);
        self.with(|database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::None)?;
            for id in ids {
                transaction.open_table(RECORDS)?.remove(&id.encode()[..])?;
                transaction.open_table(RECORD_ROWS)?.remove(&id.encode()[..])?;
            }
            Ok(transaction.commit()?)
        })
    }

    /// Writes `changes` and everything before it to the disk.
    pub(crate) fn flush(&self, changes: &Changes) -> Result<(), StoreError> {
        let unflushed = self.unflushed.swap(false, Ordering::AcqRel);
        if !unflushed && changes.blobs.is_empty() && changes.records.is_empty() {
            return Ok(());
        }
        self.with(|database| {
            let transaction = database.begin_write()?;
            {
                let mut table = transaction.open_table(BLOBS)?;
                for (digest, row) in &changes.blobs {
                    let key = row::encode_digest(digest);
                    match row {
                        Some(row) => drop(table.insert(&key[..], &row.encode()[..])?),
                        None => drop(table.remove(&key[..])?),
                    }
                }
                let mut table = transaction.open_table(RECORD_ROWS)?;
                for (id, row) in &changes.records {
                    let key = id.encode();
                    // It may have been dropped since the changes were listed.
                    if table.get(&key[..])?.is_some() {
                        table.insert(&key[..], &row.encode()[..])?;
                    }
                }
            }
            Ok(transaction.commit()?)
        })
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let database: RwLockReadGuard<'_, _> = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else {
            return Err(StoreError::Index { path: self.path.clone(), reason: "it is closed".to_owned() });
        };
        guarded(|| work(database)).map_err(|error| {
            // The next flush finds out whether the index is still of use.
            self.unflushed.store(true, Ordering::Release);
            failure(&self.path, error)
        })
    }
}

/// The index library answers some damage with a panic.
fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, redb::Error> {
    // What it leaves behind is only opened anew, or asked again under this same guard.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(redb::Error::Corrupted("the index library panicked".to_owned())))
}

fn failure(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
        redb::Error::Io(error) => StoreError::write(path, error),
        error => StoreError::Index { path: path.to_owned(), reason: error.to_string() },
    }
}

fn open_or_begin(
    folder: &Path,
    path: &Path,
    boot: u64,
) -> Result<(Database, Rows, Option<String>), StoreError> {
    let attempts = Attempts(folder.join("opening"));
    let damage = if attempts.note() > FATAL_OPENS {
        "opening it ended the process several times".to_owned()
    } else if path.is_symlink() {
        "it is a link".to_owned()
    } else {
        match guarded(|| open(path, boot)) {
            Ok((database, rows)) => {
                attempts.forget();
                return Ok((database, rows, None));
            }
            Err(error) if is_transient(&error) => {
                attempts.forget();
                return Err(failure(path, error));
            }
            Err(error) => error.to_string(),
        }
    };
    tracing::warn!(path = %path.display(), damage, "the index is set aside");
    set_aside(path).map_err(|error| StoreError::write(path, error))?;
    let (database, rows) = guarded(|| open(path, boot)).map_err(|error| failure(path, error))?;
    attempts.forget();
    Ok((database, rows, Some(damage)))
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

fn open(path: &Path, boot: u64) -> Result<(Database, Rows), redb::Error> {
    let mut database = Database::builder().set_cache_size(CACHE_BYTES).create(path)?;
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
    let rows = read_rows(&database)?;
    Ok((database, rows))
}

/// Forgets what proves the content of blobs. When a machine stops, a file may be left with its name, size and times and
/// other content: nothing waits for blobs to be on the disk, and a proof is only worth what a running kernel says.
fn doubt(blobs: &mut Table<'_, &[u8], &[u8]>) -> Result<(), redb::Error> {
    let mut doubted = Vec::new();
    for entry in blobs.iter()? {
        let (key, value) = entry?;
        let row =
            BlobRow::decode(value.value()).map_err(|error| redb::Error::Corrupted(error.to_string()))?;
        if row.stamp.is_some() {
            doubted.push((key.value().to_vec(), BlobRow { stamp: None, ..row }));
        }
    }
    for (key, row) in doubted {
        blobs.insert(&key[..], &row.encode()[..])?;
    }
    Ok(())
}

fn read_rows(database: &Database) -> Result<Rows, redb::Error> {
    let damage = |error: crate::bytes::DecodeError| redb::Error::Corrupted(error.to_string());
    let transaction = database.begin_read()?;
    let mut rows = Rows::default();
    for entry in transaction.open_table(BLOBS)?.iter()? {
        let (key, value) = entry?;
        let digest = row::decode_digest(key.value()).map_err(damage)?;
        rows.blobs.push((digest, BlobRow::decode(value.value()).map_err(damage)?));
    }
    for entry in transaction.open_table(RECORD_ROWS)?.iter()? {
        let (key, value) = entry?;
        let id = RecordId::decode(key.value()).map_err(damage)?;
        rows.records.push((id, RecordRow::decode(value.value()).map_err(damage)?));
    }
    Ok(rows)
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
