//! What is done again and again while the daemon lives.

use std::sync::Arc;
use std::time::Duration;

use larder_proto::v1::{Cleared, Found, StoreStatus};
use larder_service::{Board, Clock};
use larder_store::{Owner, Survey};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::history::Days;
use crate::lifecycle::{DRAIN_LIMIT, Lifecycle};
use crate::manifests::Manifests;
use crate::services::Loaded;
use crate::sessions;
use crate::warnings::Warnings;

/// The store, as far as it must be looked after.
pub(crate) trait Keeper: Send + Sync + 'static {
    /// What it holds.
    fn status(&self) -> StoreStatus;

    /// Writes what is only in memory.
    ///
    /// # Errors
    /// When the disk is full, for example.
    fn flush(&self) -> anyhow::Result<()>;

    /// The same, and lets go of the store for whoever opens it next. Everything fails from then on.
    ///
    /// # Errors
    /// As [`Self::flush`].
    fn close(&self) -> anyhow::Result<()>;

    /// Removes what is over the limit.
    ///
    /// # Errors
    /// As [`Self::flush`].
    fn evict(&self) -> anyhow::Result<()>;

    /// Whose results it may hold.
    fn owners(&self) -> &'static [Owner];

    /// Removes what is of `owner`, or everything, and no client is using; with `dry_run`, only counts it.
    ///
    /// # Errors
    /// As [`Self::flush`].
    fn clear(&self, owner: Option<Owner>, dry_run: bool) -> anyhow::Result<Cleared>;

    /// Everything it holds, by age and size, at `now`, Unix time in milliseconds.
    ///
    /// # Errors
    /// As [`Self::flush`].
    fn survey(&self, now: u64) -> anyhow::Result<Survey>;

    /// What has a name that starts with `name`, lowercase hexadecimal.
    ///
    /// # Errors
    /// As [`Self::flush`].
    fn find(&self, name: &str) -> anyhow::Result<Found>;
}

const TICK: Duration = Duration::from_secs(1);
const TICKS_TO_EVICT: u64 = 10;
const TICKS_TO_HEARTBEAT: u64 = 60;

/// Everything that needs looking after.
pub(crate) struct Upkeep {
    pub(crate) loaded: watch::Receiver<Option<Arc<Loaded>>>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) manifests: Arc<Manifests>,
    pub(crate) warnings: Arc<Warnings>,
    pub(crate) idle: Option<Duration>,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) days: Arc<Days>,
}

impl Upkeep {
    /// Flushes each second, evicts each ten, refreshes the manifests each minute, and ends an idle daemon; for as
    /// long as it is polled.
    pub(crate) async fn keep(self) {
        let this = Arc::new(self);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 1_u64.. {
            ticks.tick().await;
            this.end_when_idle();
            let round = Arc::clone(&this);
            // One round at a time, each to its end: a slow disk makes rounds rarer, never more numerous.
            if tokio::task::spawn_blocking(move || round.round(tick)).await.is_err() {
                this.warnings.set("upkeep", "looking after the store failed in a way that it should not");
            }
        }
    }

    fn end_when_idle(&self) {
        let idle = self.lifecycle.idle_for();
        if let (Some(limit), Some(idle)) = (self.idle, idle)
            && idle >= limit
            && !self.lifecycle.is_draining()
        {
            tracing::info!(seconds = idle.as_secs(), "idle: leaving");
            self.lifecycle.drain(DRAIN_LIMIT);
        }
    }

    fn round(&self, tick: u64) {
        self.board.sessions().end_orphans(sessions::is_alive, self.clock.unix_ms());
        let Some(loaded) = self.loaded.borrow().clone() else { return };
        if let Some(store) = &loaded.store {
            self.warnings.note("flush", store.flush());
            if tick.is_multiple_of(TICKS_TO_EVICT) {
                self.warnings.note("evict", store.evict());
            }
        }
        if tick.is_multiple_of(TICKS_TO_HEARTBEAT) {
            self.warnings.note("manifests", self.manifests.publish());
            self.warnings.note("days", self.days.write(&self.board.totals(), self.clock.unix_ms()));
        }
    }
}
