//! The event stream: what the page shows, sent whenever it changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use larder_proto::v1::{LaneList, Overview, Stats, Status};
use larder_service::Reports;
use serde::Serialize;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::Shown;

/// How often the reports are looked at.
const TICK: Duration = Duration::from_secs(1);

/// After so many looks an event is sent even if nothing was counted: memory and uptime move on, and a browser learns
/// that the daemon is still there.
const TICKS_AT_MOST: u32 = 5;

/// Latest records in one event.
const RECORDS: usize = 200;

/// One event's data.
#[derive(Serialize)]
struct Snapshot {
    status: Status,
    stats: Stats,
    overview: Overview,
    services: LaneList,
}

/// `/api/v1/events`
pub(crate) async fn events(State(shown): State<Shown>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let watcher = Watcher { reports: shown.reports, ticks, sent: None };
    Sse::new(unfold(watcher, async |mut watcher| Some((Ok(watcher.next().await), watcher))))
}

struct Watcher {
    reports: Arc<dyn Reports>,
    ticks: Interval,
    /// What was sent last.
    sent: Option<(Stats, bool)>,
}

impl Watcher {
    async fn next(&mut self) -> Event {
        for tick in 1.. {
            self.ticks.tick().await;
            let stats = self.reports.stats(RECORDS);
            let overview = self.reports.overview();
            let paused = overview.paused;
            let news = self.sent.as_ref().is_none_or(|(sent, was)| *sent != stats || *was != paused);
            if tick >= TICKS_AT_MOST || news {
                let snapshot = Snapshot {
                    status: self.reports.status(),
                    stats,
                    overview,
                    services: self.reports.lanes(),
                };
                // Names and numbers only: there is nothing in it that has no JSON form.
                let data = serde_json::to_string(&snapshot).unwrap_or_default();
                self.sent = Some((snapshot.stats, paused));
                return Event::default().data(data);
            }
        }
        Event::default()
    }
}
