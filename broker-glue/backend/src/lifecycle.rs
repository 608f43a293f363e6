//! The daemon's life: connections and requests in flight, idleness, draining.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_service::Clock;
use tokio::sync::watch;

/// Most connections at once; more are closed at once, and their clients go on alone.
const MAX_CONNECTIONS: u64 = 1024;

/// How long running requests may take to finish when nobody says otherwise.
pub(crate) const DRAIN_LIMIT: Duration = Duration::from_secs(5);

/// Longest time a client may ask to wait for running requests.
pub(crate) const LONGEST_DRAIN: Duration = Duration::from_secs(60);

/// What is going on in the daemon.
pub(crate) struct Lifecycle {
    clock: Arc<dyn Clock>,
    /// How long to drain, once somebody wants the daemon to end.
    drain: watch::Sender<Option<Duration>>,
    connections: watch::Sender<u64>,
    next_connection: AtomicU64,
    running: AtomicU64,
    last_activity_ns: AtomicU64,
}

impl Lifecycle {
    /// A daemon that begins to live now.
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.monotonic_ns();
        Arc::new(Self {
            clock,
            drain: watch::Sender::new(None),
            connections: watch::Sender::new(0),
            next_connection: AtomicU64::new(1),
            running: AtomicU64::new(0),
            last_activity_ns: AtomicU64::new(now),
        })
    }

    /// Counts one connection for as long as what is returned lives; `None` when there are too many.
    pub(crate) fn connect(self: &Arc<Self>) -> Option<Connected> {
        let admitted = self.connections.send_if_modified(|count| {
            let free = *count < MAX_CONNECTIONS;
            *count += u64::from(free);
            free
        });
        admitted.then(|| Connected {
            lifecycle: Arc::clone(self),
            id: self.next_connection.fetch_add(1, Ordering::Relaxed),
            used: AtomicBool::new(false),
        })
    }

    /// Connections that are open now.
    pub(crate) fn connections(&self) -> u64 {
        *self.connections.borrow()
    }

    /// Time since the last request or used connection ended; `None` while a request runs.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        let now = self.clock.monotonic_ns();
        let last = self.last_activity_ns.load(Ordering::Acquire);
        (self.running.load(Ordering::Acquire) == 0).then(|| Duration::from_nanos(now.saturating_sub(last)))
    }

    /// Ends the daemon: running requests get `limit` to finish. What was asked first stands.
    pub(crate) fn drain(&self, limit: Duration) {
        self.drain.send_if_modified(|asked| {
            let first = asked.is_none();
            if first {
                *asked = Some(limit.min(LONGEST_DRAIN));
            }
            first
        });
    }

    /// Whether the daemon is about to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.drain.borrow().is_some()
    }

    /// Waits until the daemon is to end; how long running requests may take.
    pub(crate) async fn drain_asked(&self) -> Duration {
        let mut drain = self.drain.subscribe();
        let asked = drain.wait_for(Option::is_some).await.ok().and_then(|asked| *asked);
        asked.unwrap_or(DRAIN_LIMIT)
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_gone(&self) {
        let _ = self.connections.subscribe().wait_for(|count| *count == 0).await;
    }

    fn touch(&self) {
        self.last_activity_ns.fetch_max(self.clock.monotonic_ns(), Ordering::AcqRel);
    }
}

/// An open connection.
pub(crate) struct Connected {
    lifecycle: Arc<Lifecycle>,
    /// Unique among all connections this daemon has had.
    pub(crate) id: u64,
    used: AtomicBool,
}

impl Connected {
    /// Counts one request for as long as what is returned lives.
    pub(crate) fn request(&self) -> Requesting {
        self.used.store(true, Ordering::Release);
        self.lifecycle.running.fetch_add(1, Ordering::AcqRel);
        Requesting { lifecycle: Arc::clone(&self.lifecycle) }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        // A broker's identity probe is no use of the daemon: it must not keep it alive for ever.
        if self.used.load(Ordering::Acquire) {
            self.lifecycle.touch();
        }
        self.lifecycle.connections.send_modify(|count| *count -= 1);
    }
}

/// A running request.
pub(crate) struct Requesting {
    lifecycle: Arc<Lifecycle>,
}

impl Drop for Requesting {
    fn drop(&mut self) {
        self.lifecycle.touch();
        self.lifecycle.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_service::ManualClock;

    fn at_zero() -> (Arc<ManualClock>, Arc<Lifecycle>) {
        let clock = Arc::new(ManualClock::new(0));
        (Arc::clone(&clock), Lifecycle::new(clock))
    }

    #[test]
    fn idleness_counts_from_the_end_of_the_last_request() {
        let (clock, lifecycle) = at_zero();
        let connection = lifecycle.connect().expect("room");
        let request = connection.request();
        clock.advance(Duration::from_secs(9));
        assert_eq!(lifecycle.idle_for(), None);
        drop(request);
        clock.advance(Duration::from_secs(2));
        assert_eq!(lifecycle.idle_for(), Some(Duration::from_secs(2)));
        drop(connection);
        assert_eq!(lifecycle.idle_for(), Some(Duration::ZERO));
    }

    #[test]
    fn a_connection_without_a_request_does_not_count_as_use() {
        let (clock, lifecycle) = at_zero();
        clock.advance(Duration::from_secs(3));
        drop(lifecycle.connect().expect("room"));
        assert_eq!(lifecycle.idle_for(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn connections_are_bounded_and_their_ids_never_return() {
        let (_, lifecycle) = at_zero();
        let all: Vec<_> = (0..MAX_CONNECTIONS).map(|_| lifecycle.connect().expect("room")).collect();
        assert!(lifecycle.connect().is_none());
        let last = all.last().expect("many").id;
        drop(all);
        assert!(lifecycle.connect().expect("room").id > last);
    }

    #[tokio::test]
    async fn the_first_wish_to_drain_stands() {
        let (_, lifecycle) = at_zero();
        lifecycle.drain(Duration::from_secs(1));
        lifecycle.drain(Duration::from_secs(30));
        assert_eq!(lifecycle.drain_asked().await, Duration::from_secs(1));
        lifecycle.all_gone().await;
    }
}
