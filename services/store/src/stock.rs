//! Taking stock: what the folder holds, beside what the index lists.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use larder_service::{Clock, Digest};

use crate::catalog::{Catalog, Totals};
use crate::folder::Folder;
use crate::index::Index;
use crate::row::{BlobRow, BlobStamp};
use crate::{RecordId, StoreError};

/// How many differences are kept in memory before they are written.
const WRITTEN_AT_ONCE: usize = 10_000;

/// What is there.
pub(crate) struct Stock {
    pub(crate) catalog: Catalog,
    /// How many blobs the index did not list.
    pub(crate) relisted: u64,
    /// Why the index was set aside and a new one begun.
    pub(crate) set_aside: Option<String>,
}

/// Takes stock. An index that has rows of no sense is set aside.
pub(crate) fn take(folder: &Folder, index: &Arc<Index>, clock: &dyn Clock) -> Result<Stock, StoreError> {
    match take_from(folder, index, clock) {
        Err(StoreError::Index { reason, .. }) => {
            index.begin_anew(&reason)?;
            let stock = take_from(folder, index, clock)?;
            Ok(Stock { set_aside: Some(reason), ..stock })
        }
        taken => taken,
    }
}

fn take_from(folder: &Folder, index: &Arc<Index>, clock: &dyn Clock) -> Result<Stock, StoreError> {
    folder.look()?;
    let mut totals = Totals::default();
    index.each_row(&[], |id: RecordId, row| {
        totals.add_record(&id, &row);
        ControlFlow::Continue(())
    })?;
    let mut catalog = Catalog::new(Arc::clone(index), totals);
    let mut relisted = 0;
    // Shelf by shelf, as there may be millions.
    for shelf in 0..=u8::MAX {
        relisted += take_shelf(folder, index, &mut catalog, clock, shelf)?;
        if catalog.changes() >= WRITTEN_AT_ONCE {
            index.flush(&catalog.take_changes())?;
            catalog.written();
        }
    }
    Ok(Stock { catalog, relisted, set_aside: None })
}

fn take_shelf(
    folder: &Folder,
    index: &Index,
    catalog: &mut Catalog,
    clock: &dyn Clock,
    shelf: u8,
) -> Result<u64, StoreError> {
    let mut unlisted: HashSet<_> = folder.shelf(shelf).into_iter().collect();
    let mut gone = Vec::new();
    index.each_row(&[shelf], |digest: Digest, _| {
        if digest.hash[0] != shelf {
            return ControlFlow::Break(());
        }
        if unlisted.remove(&digest) {
            catalog.know_blob(&digest);
        } else {
            gone.push(digest);
        }
        ControlFlow::Continue(())
    })?;
    gone.into_iter().for_each(|digest| catalog.unlist_blob(digest));
    let mut relisted = 0;
    for digest in unlisted {
        match folder.blob(&digest).symlink_metadata() {
            Ok(metadata) if metadata.is_file() && metadata.len() == digest.size => {
                relisted += 1;
                // The best that is known of its last use is when it was written.
                let written = u64::try_from(BlobStamp::of(&metadata).mtime_ns / 1_000_000).unwrap_or(0);
                let last_use = written.min(clock.unix_ms());
                catalog.list_blob(digest, BlobRow { last_use, stamp: None });
            }
            _ => {
                // It stays in no one's way: it is not listed.
                let _ = folder.remove(&digest);
            }
        }
    }
    Ok(relisted)
}
