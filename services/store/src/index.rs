//! The index file: records, and rows about blobs and records.
//!
//! It is a cache's index: one that cannot be read is set aside, and a new one begun.

mod listing;
mod open;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::StoreError;
use crate::catalog::Changes;
use crate::record::{self, RecordId};
use crate::row::{self, RecordRow};

/// Rows of the first say nothing of owners; they are read. A program that knows only the first sets one of the second
/// aside, and finds the blobs again. From now on a change of it, or of any record's form, is one of the whole store's version
/// too, which the daemon looks at first.
const VERSIONS: std::ops::RangeInclusive<u64> = 1..=2;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(crate) const BLOBS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("blobs");
const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
pub(crate) const RECORD_ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("record_rows");

/// Pages that the index library keeps in memory, bytes.
const CACHE_BYTES: usize = 32 << 20;

/// An index that has just been opened.
pub(crate) struct Opened {
    pub(crate) index: Index,
    /// It is the one that was closed in an orderly way, as far as could be seen without reading it.
    pub(crate) as_closed: bool,
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
    /// It was found damaged, and is to be opened again.
    doubted: AtomicBool,
    /// It is closed for good.
    ended: AtomicBool,
}

impl Index {
    /// Opens the index in `folder`, or begins a new one. `closed`: the file is as its last user left it who closed it in an
    /// orderly way, in this run of the machine; then it is not read to its end first.
    pub(crate) fn open(folder: &Path, boot: u64, closed: bool) -> Result<Opened, StoreError> {
        let path = path(folder);
        let (database, how) = open::open_or_begin(folder, &path, boot, closed)?;
        Ok(Opened {
            index: Self {
                path,
                boot,
                database: RwLock::new(Some(database)),
                unflushed: AtomicBool::new(false),
                doubted: AtomicBool::new(false),
                ended: AtomicBool::new(false),
            },
            as_closed: how.as_closed,
            set_aside: how.set_aside,
        })
    }

    /// Opens the file again after an error, which the index library does not get over by itself. What was not
    /// flushed is lost.
    pub(crate) fn reopen(&self) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if self.ended.load(Ordering::Acquire) {
            return Err(self.closed());
        }
        // The file is locked until it is closed.
        drop_guarded(database.take());
        let folder = self.path.parent().unwrap_or(&self.path);
        let (opened, how) = open::open_or_begin(folder, &self.path, self.boot, false)?;
        if let Some(reason) = how.set_aside {
            tracing::warn!(reason, "the index was set aside");
        }
        *database = Some(opened);
        self.unflushed.store(false, Ordering::Release);
        self.doubted.store(false, Ordering::Release);
        Ok(())
    }

    /// Sets the file aside, in which something makes no sense, and begins a new one.
    pub(crate) fn begin_anew(&self, damage: &str) -> Result<(), StoreError> {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if self.ended.load(Ordering::Acquire) {
            return Err(self.closed());
        }
        drop_guarded(database.take());
        *database = Some(open::begin(&self.path, self.boot, damage)?);
        self.unflushed.store(false, Ordering::Release);
        self.doubted.store(false, Ordering::Release);
        Ok(())
    }

    /// Closes the file; whether nothing was lost by it. Everything fails from now on.
    pub(crate) fn close(&self) -> bool {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        self.ended.store(true, Ordering::Release);
        let whole = database.is_some()
            && !self.unflushed.load(Ordering::Acquire)
            && !self.doubted.load(Ordering::Acquire);
        drop_guarded(database.take()) && whole
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
            {
                let mut table = transaction.open_table(RECORDS)?;
                let mut rows = transaction.open_table(RECORD_ROWS)?;
                for id in ids {
                    table.remove(&id.encode()[..])?;
                    rows.remove(&id.encode()[..])?;
                }
            }
            Ok(transaction.commit()?)
        })
    }

    /// Writes `changes` and everything before it to the disk.
    pub(crate) fn flush(&self, changes: &Changes) -> Result<(), StoreError> {
        if self.doubted.load(Ordering::Acquire) {
            return Err(self.unusable("it is damaged"));
        }
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

    /// Keeps all other writers waiting, as one does that waits for the disk.
    #[cfg(test)]
    pub(crate) fn begin_write_for_tests(&self) -> redb::WriteTransaction {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        database.as_ref().expect("it is open").begin_write().expect("nobody writes")
    }

    fn closed(&self) -> StoreError {
        self.unusable("it is closed")
    }

    fn unusable(&self, reason: &str) -> StoreError {
        StoreError::Index { path: self.path.clone(), reason: reason.to_owned() }
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let database: RwLockReadGuard<'_, _> = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_ref() else { return Err(self.closed()) };
        guarded(|| work(database)).map_err(|error| {
            // The next flush finds out whether the index is still of use.
            self.unflushed.store(true, Ordering::Release);
            if !matches!(error, redb::Error::Io(_)) {
                self.doubted.store(true, Ordering::Release);
            }
            failure(&self.path, error)
        })
    }
}

/// The index file in `folder`.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("larder.redb")
}

fn damaged(error: crate::bytes::DecodeError) -> redb::Error {
    redb::Error::Corrupted(error.to_string())
}

/// Closes a file; whether that came to an end.
fn drop_guarded(database: Option<Database>) -> bool {
    guarded(|| {
        drop(database);
        Ok(())
    })
    .is_ok()
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
