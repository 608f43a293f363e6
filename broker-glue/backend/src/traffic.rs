//! How the lanes are served: what is in flight, how often, how long.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larder_proto::lane::Lane;

use crate::stand_in;

/// Times are counted in classes of an eighth of their power of two, so that a class's middle is that close.
const FRACTION_BITS: u32 = 3;
const CLASSES: usize = (64 - FRACTION_BITS as usize) << FRACTION_BITS;

/// Length of the window for rates, seconds.
const WINDOW: usize = 60;

/// One lane's traffic since the daemon started.
pub(crate) struct Traffic {
    in_flight: AtomicU32,
    requests: AtomicU64,
    classes: Box<[AtomicU64]>,
    /// The second that each count is of, and the count.
    seconds: Mutex<[(u64, u64); WINDOW]>,
}

/// That of all lanes with statistics.
pub(crate) struct AllTraffic(Vec<(Lane, Traffic)>);

/// A request that is being answered; it ends when this is dropped.
pub(crate) struct InFlight<'a> {
    traffic: &'a Traffic,
    start_ns: u64,
    clock: &'a dyn larder_service::Clock,
}

impl AllTraffic {
    pub(crate) fn new() -> Self {
        Self(stand_in::lanes().into_iter().map(|lane| (lane, Traffic::new())).collect())
    }

    pub(crate) fn of(&self, lane: Lane) -> Option<&Traffic> {
        self.0.iter().find(|(known, _)| *known == lane).map(|(_, traffic)| traffic)
    }

    pub(crate) fn each(&self) -> impl Iterator<Item = (Lane, &Traffic)> {
        self.0.iter().map(|(lane, traffic)| (*lane, traffic))
    }
}

impl Traffic {
    fn new() -> Self {
        Self {
            in_flight: AtomicU32::new(0),
            requests: AtomicU64::new(0),
            classes: (0..CLASSES).map(|_| AtomicU64::new(0)).collect(),
            seconds: Mutex::new([(0, 0); WINDOW]),
        }
    }

    /// A request begins.
    pub(crate) fn begin<'a>(&'a self, clock: &'a dyn larder_service::Clock) -> InFlight<'a> {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { traffic: self, start_ns: clock.monotonic_ns(), clock }
    }

    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Requests that ended in the 60 seconds before `now_ns`.
    pub(crate) fn last_minute(&self, now_ns: u64) -> u64 {
        let now = Duration::from_nanos(now_ns).as_secs();
        let seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        seconds.iter().filter(|(second, _)| second + WINDOW as u64 > now).map(|(_, count)| count).sum()
    }

    /// The time within which so many of a hundred requests were answered, microseconds; 0 where there were none.
    pub(crate) fn percentile(&self, percent: u64) -> u64 {
        let counts: Vec<u64> = self.classes.iter().map(|class| class.load(Ordering::Relaxed)).collect();
        let all: u64 = counts.iter().sum();
        let wanted = (all * percent).div_ceil(100);
        let mut seen = 0;
        for (class, count) in counts.into_iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return middle(class);
            }
        }
        0
    }

    fn end(&self, us: u64, now_ns: u64) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.classes[class(us)].fetch_add(1, Ordering::Relaxed);
        let now = Duration::from_nanos(now_ns).as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut seconds[(now % WINDOW as u64) as usize];
        *slot = if slot.0 == now { (now, slot.1 + 1) } else { (now, 1) };
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let now = self.clock.monotonic_ns();
        self.traffic.end(now.saturating_sub(self.start_ns) / 1000, now);
    }
}

/// The class that `us` is counted in.
fn class(us: u64) -> usize {
    let power = us.checked_ilog2().unwrap_or(0);
    if power < FRACTION_BITS {
        return us as usize;
    }
    let shift = power - FRACTION_BITS;
    (((shift + 1) as usize) << FRACTION_BITS) + ((us >> shift) as usize - (1 << FRACTION_BITS))
}

/// The middle of a class, microseconds.
fn middle(class: usize) -> u64 {
    let (shift, rest) = (class >> FRACTION_BITS, class as u64 & ((1 << FRACTION_BITS) - 1));
    match shift.checked_sub(1) {
        None => rest,
        Some(shift) => (((1 << FRACTION_BITS) + rest) << shift) + ((1_u64 << shift) >> 1),
    }
}

#[cfg(test)]
mod tests {
    use larder_service::{Clock as _, ManualClock};

    use super::*;

    #[test]
    fn a_classs_middle_is_within_an_eighth_of_each_time_in_it() {
        for us in (0..5000).chain([1 << 20, (1 << 33) + 7, u64::MAX / 3, u64::MAX]) {
            let shown = middle(class(us));
            assert!(shown.abs_diff(us) <= us / 8, "{us} is shown as {shown}");
        }
    }

    #[test]
    fn requests_are_in_flight_until_they_end_and_leave_the_rate_after_a_minute() {
        let clock = ManualClock::new(1_000_000_000_000);
        let traffic = Traffic::new();
        let request = traffic.begin(&clock);
        assert_eq!((traffic.in_flight(), traffic.percentile(50)), (1, 0));
        clock.advance(Duration::from_micros(1000));
        drop(request);
        let now = clock.monotonic_ns();
        assert_eq!((traffic.in_flight(), traffic.requests(), traffic.last_minute(now)), (0, 1, 1));
        assert!(traffic.percentile(99).abs_diff(1000) <= 125);
        clock.advance(Duration::from_mins(1));
        assert_eq!(traffic.last_minute(clock.monotonic_ns()), 0);
    }
}
