//! Opens a store, whatever is in its folder.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use larder_service::Clock;

use crate::StoreError;
use crate::catalog::Catalog;
use crate::disk::DiskTier;
use crate::folder::Folder;
use crate::index::{Index, Rows};
use crate::pins::Pins;
use crate::pulse::Pulse;
use crate::row::{BlobRow, BlobStamp};

/// What was found when a store was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenReport {
    /// Blobs that are there.
    pub blobs: u64,
    /// Those of them that the index did not list: what a crash left, or all of them after a new index was begun.
    pub relisted: u64,
    /// Action results that are there.
    pub actions: u64,
    /// Why the index was set aside and a new one begun; all records are lost then.
    pub set_aside: Option<String>,
}

impl DiskTier {
    /// Opens the tier in the folder `root`, which is made if need be.
    ///
    /// # Errors
    /// When the folder cannot be written, or another process uses it; never for what is in it.
    pub fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<(Self, OpenReport), StoreError> {
        let folder = Folder::make(root)?;
        let lock = folder.lock()?;
        folder.empty_tmp();
        let opened = Index::open(&folder.index(), clock.boot())?;
        let (catalog, relisted) = catalog(&folder, opened.rows, &*clock)?;
        let report = OpenReport {
            blobs: catalog.blobs(),
            relisted,
            actions: catalog.actions(),
            set_aside: opened.set_aside,
        };
        let tier = Self {
            folder,
            index: opened.index,
            clock,
            pins: Pins::default(),
            pulse: Pulse::default(),
            catalog: Mutex::new(catalog),
            damaged: AtomicU64::new(0),
            _lock: lock,
        };
        Ok((tier, report))
    }
}

/// What the folder holds, with what the index knows of it; and how many blobs it did not know.
fn catalog(folder: &Folder, rows: Rows, clock: &dyn Clock) -> Result<(Catalog, u64), StoreError> {
    let mut catalog = Catalog::default();
    let mut known: HashMap<_, _> = rows.blobs.into_iter().collect();
    let mut relisted = 0;
    for digest in folder.list()? {
        if let Some(row) = known.remove(&digest) {
            catalog.know_blob(digest, row);
            continue;
        }
        match folder.blob(&digest).symlink_metadata() {
            Ok(metadata) if metadata.is_file() && metadata.len() == digest.size => {
                relisted += 1;
                // The best that is known of its last use is when it was written.
                let written = u64::try_from(BlobStamp::of(&metadata).mtime_ns / 1_000_000).unwrap_or(0);
                let last_use = written.min(clock.unix_ms());
                catalog.put_blob(digest, BlobRow { last_use, stamp: None });
            }
            _ => {
                // It stays in no one's way: it is not listed.
                let _ = folder.remove(&digest);
            }
        }
    }
    for (digest, row) in known {
        catalog.put_blob(digest, row);
        catalog.drop_blob(&digest);
    }
    for (id, row) in rows.records {
        catalog.know_record(id, row);
    }
    Ok((catalog, relisted))
}
