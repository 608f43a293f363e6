//! What a person may ask for on the page.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_proto::v1::Cleared;
use larder_service::Actions;
use larder_store::Owner;
use tokio::sync::watch;

use crate::clear;
use crate::lifecycle::{DRAIN_LIMIT, Lifecycle};
use crate::services::Loaded;

/// Whether every tool is to run without the cache; forgotten with the daemon.
#[derive(Debug, Default)]
pub(crate) struct Paused(AtomicBool);

impl Paused {
    pub(crate) fn is(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Carries out what is asked.
pub(crate) struct Doing {
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) loaded: watch::Receiver<Option<Arc<Loaded>>>,
    pub(crate) paused: Arc<Paused>,
}

impl Actions for Doing {
    fn pause(&self, paused: bool) {
        tracing::info!(paused, "asked on the page");
        self.paused.0.store(paused, Ordering::Relaxed);
    }

    fn clear(&self, service: &str, dry_run: bool) -> Result<Cleared, String> {
        let loaded = self.loaded.borrow().clone();
        let store =
            loaded.as_ref().and_then(|loaded| loaded.store.as_ref()).ok_or("there is no store to clear")?;
        clear::clear(&**store, service, dry_run).map_err(|failure| failure.sentence)
    }

    fn keeping(&self) -> Vec<&'static str> {
        let loaded = self.loaded.borrow().clone();
        let store = loaded.as_ref().and_then(|loaded| loaded.store.as_ref());
        store.map_or_else(Vec::new, |store| store.owners().iter().map(Owner::name).collect())
    }

    fn stop(&self) {
        tracing::info!("asked on the page to shut down");
        self.lifecycle.drain(DRAIN_LIMIT);
    }
}
