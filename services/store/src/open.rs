//! Opens a store, whatever is in its folder.

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex};

use larder_service::Clock;

use crate::catalog::Catalog;
use crate::disk::DiskTier;
use crate::folder::Folder;
use crate::index::Index;
use crate::pins::Pins;
use crate::pulse::Pulse;
use crate::stock::{self, Stock};
use crate::{StoreError, closed};

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
    /// It was found as it had been closed, and nothing was looked at one by one.
    pub as_closed: bool,
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
        let closed = closed::take(&folder, clock.boot());
        let opened = Index::open(&folder.index(), clock.boot(), closed.is_some())?;
        let index = Arc::new(opened.index);
        let closed = closed.filter(|_| opened.as_closed);
        let stock = match closed {
            Some(totals) => {
                let catalog = Catalog::new(Arc::clone(&index), totals);
                Stock { catalog, relisted: 0, set_aside: None }
            }
            None => stock::take(&folder, &index, &*clock)?,
        };
        let totals = stock.catalog.totals();
        let report = OpenReport {
            blobs: totals.blobs,
            relisted: stock.relisted,
            actions: totals.actions,
            set_aside: opened.set_aside.or(stock.set_aside),
            as_closed: closed.is_some(),
        };
        let tier = Self {
            folder,
            index,
            clock,
            pins: Pins::default(),
            pulse: Pulse::default(),
            catalog: Mutex::new(stock.catalog),
            left: Condvar::new(),
            writing: Mutex::default(),
            damaged: AtomicU64::new(0),
            _lock: lock,
        };
        Ok((tier, report))
    }
}
