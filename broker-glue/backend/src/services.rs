//! The composition root: every service is put together here.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use larder_artifact::Artifacts;
use larder_compile::Compile;
use larder_fingerprint::{Checks, Fingerprints};
use larder_glue::folders::Folders;
use larder_glue::layout::{self, MarkError};
use larder_glue::private;
use larder_gocache::GoCache;
use larder_proto::v1::{Cleared, Found, StoreStatus};
use larder_service::{Context, Reader, Reason, Service};
use larder_store::{Owner, Store, StoreConfig, Survey};

use crate::notes::Notes;
use crate::settings::Settings;
use crate::stand_in::{PLACES, Place, StandIn};
use crate::upkeep::Keeper;
use crate::views;
use crate::warnings::Warnings;

/// The services, and the store that they share.
pub(crate) struct Loaded {
    pub(crate) services: Vec<Arc<dyn Service>>,
    /// `None` while there is none to be had.
    pub(crate) store: Option<Arc<dyn Keeper>>,
}

/// Files whose content is remembered by stamp; about 200 bytes each.
const FINGERPRINTS: usize = 200_000;

/// The services that keep results in the store.
static OWNERS: [Owner; 3] = [larder_compile::OWNER, larder_gocache::OWNER, larder_artifact::OWNER];

/// Opens the store and puts the services together over it, for a daemon whose program has the digest `build`.
///
/// # Errors
/// When the store's folder cannot be used; never for what is in it.
pub(crate) fn load(
    folders: &Folders,
    settings: &Settings,
    context: Context,
    build: [u8; 32],
    warnings: &Warnings,
) -> anyhow::Result<Loaded> {
    let root = folders.store();
    private::ensure_folder(&root)?;
    mark(&root)?;
    let (store, found) = Store::open(StoreConfig {
        root: root.clone(),
        limit_bytes: settings.size_limit,
        memory_bytes: settings.memory_limit,
        clock: Arc::clone(&context.clock),
    })
    .with_context(|| format!("failed to open the store in {}", root.display()))?;
    tracing::info!(
        blobs = found.blobs,
        actions = found.actions,
        relisted = found.relisted,
        as_closed = found.as_closed,
        "the store is open"
    );
    if let Some(reason) = found.set_aside {
        warnings.add("index", format!("a new index was begun, and what was cached is made anew: {reason}"));
    }
    let store = Arc::new(store);
    let fingerprints = Arc::new(Fingerprints::new(Arc::clone(&context.clock), FINGERPRINTS));
    let reader = Reader { build, boot: context.clock.boot(), filesystem_view: context.filesystem_view };
    let go = Arc::new(GoCache::new(context.clone(), Arc::clone(&store)));
    let checks = Checks::new(context.clone(), Arc::clone(&fingerprints));
    let artifacts = Artifacts::new(context.clone(), Arc::clone(&store));
    let compile = Arc::new(Compile::new(context, Arc::clone(&store), Arc::clone(&fingerprints)));
    let notes = Notes::new(folders, reader, fingerprints, Arc::clone(&compile));
    notes.recall();
    let services: Vec<Arc<dyn Service>> =
        vec![compile, Arc::clone(&go) as Arc<dyn Service>, Arc::new(checks), Arc::new(artifacts)];
    let kept = Kept { store, go, notes };
    Ok(Loaded { services, store: Some(Arc::new(kept)) })
}

/// Says in the store's folder of what version it is.
fn mark(root: &Path) -> anyhow::Result<()> {
    match layout::mark(root) {
        Err(MarkError::Newer(newer)) => Err(newer).context("failed to use the store\nhint: larder restart"),
        // A store that does not say it is of the first version, as this one is.
        Err(error) => {
            tracing::warn!("{:#}", anyhow::Error::from(error));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// What answers while there is no store.
pub(crate) fn stand_in(context: &Context) -> Loaded {
    let stand_in = |place: &'static Place| -> Arc<dyn Service> {
        Arc::new(StandIn { place, reason: Reason::StoreFailed, context: context.clone() })
    };
    Loaded { services: PLACES.iter().map(stand_in).collect(), store: None }
}

/// The store, what a service holds back from it for a moment, and what is known of files and tools.
struct Kept {
    store: Arc<Store>,
    go: Arc<GoCache>,
    notes: Notes,
}

impl Keeper for Kept {
    fn status(&self) -> StoreStatus {
        let usage = self.store.usage();
        StoreStatus {
            folder: String::new(),
            bytes: usage.bytes,
            limit_bytes: usage.limit_bytes,
            blobs: usage.blobs,
            actions: usage.actions,
            evicted_blobs: usage.evicted_blobs,
            damaged_blobs: usage.damaged_blobs,
        }
    }

    fn flush(&self) -> anyhow::Result<()> {
        let handed = self.go.flush();
        self.store.flush()?;
        Ok(handed?)
    }

    fn close(&self) -> anyhow::Result<()> {
        let handed = self.go.flush();
        self.store.close()?;
        let noted = self.notes.write();
        handed?;
        noted
    }

    fn evict(&self) -> anyhow::Result<()> {
        self.store.evict_if_needed()?;
        Ok(())
    }

    fn owners(&self) -> &'static [Owner] {
        &OWNERS
    }

    fn clear(&self, owner: Option<Owner>, dry_run: bool) -> anyhow::Result<Cleared> {
        // What Go's service has not handed over yet would come after.
        self.go.flush()?;
        let removed = self.store.clear(owner, dry_run)?;
        if !dry_run && owner.is_none_or(|owner| owner == larder_gocache::OWNER) {
            self.go.forget();
        }
        if !dry_run && owner.is_none() {
            self.notes.forget();
        }
        Ok(Cleared {
            records: removed.records,
            blobs: removed.blobs,
            bytes: removed.bytes,
            blobs_in_use: removed.blobs_pinned,
            records_unowned: removed.records_unowned,
        })
    }

    fn survey(&self, now: u64) -> anyhow::Result<Survey> {
        Ok(self.store.survey(now)?)
    }

    fn find(&self, name: &str) -> anyhow::Result<Found> {
        Ok(views::found(&self.store.find_blobs(name)?, &self.store.find_actions(name)?))
    }
}

/// Folder for files that clients and services exchange while a request runs.
pub(crate) fn tmp(folders: &Folders) -> PathBuf {
    folders.store().join("tmp")
}

/// What of the file system this process sees: inode of its mount namespace, device and inode of its root folder.
pub(crate) fn filesystem_view() -> (u64, u64, u64) {
    let namespace = std::fs::metadata("/proc/self/ns/mnt").map_or(0, |namespace| namespace.ino());
    let (device, root) = std::fs::metadata("/").map_or((0, 0), |root| (root.dev(), root.ino()));
    (namespace, device, root)
}
