//! Time, as services see it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Where a service gets the time from.
pub trait Clock: Send + Sync + 'static {
    /// Unix time, nanoseconds.
    fn unix_ns(&self) -> u64;

    /// Unix time as the kernel stamps files with it (coarse: it advances once a tick), nanoseconds.
    ///
    /// A file whose change time is before this value was changed before the value was read; one whose change time
    /// is equal may be changed again without its time advancing.
    fn file_time_ns(&self) -> u64;

    /// Monotonic time for durations, nanoseconds from an arbitrary start.
    fn monotonic_ns(&self) -> u64;

    /// Tells this run of the machine from others: what was not yet on its disks when it ended may be lost. 0 where
    /// that cannot be told.
    fn boot(&self) -> u64 {
        0
    }

    /// Unix time, milliseconds.
    fn unix_ms(&self) -> u64 {
        self.unix_ns() / 1_000_000
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn unix_ns(&self) -> u64 {
        read(ClockId::Realtime)
    }

    fn file_time_ns(&self) -> u64 {
        // Linux stamps files from its coarse clock, or from a finer one that is never behind it; elsewhere the precise one is an upper bound, which only makes
        // young files younger.
        #[cfg(target_os = "linux")]
        let clock = ClockId::RealtimeCoarse;
        #[cfg(not(target_os = "linux"))]
        let clock = ClockId::Realtime;
        read(clock)
    }

    fn monotonic_ns(&self) -> u64 {
        read(ClockId::Monotonic)
    }

    fn boot(&self) -> u64 {
        // A random UUID, as random(4) has it: half of it is more than enough.
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let digits: String = id.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        u64::from_str_radix(&digits, 16).unwrap_or(0)
    }
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// A clock that a test sets.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<u64>,
    boot: AtomicU64,
}

impl ManualClock {
    /// Starts at `unix_ns`.
    #[must_use]
    pub fn new(unix_ns: u64) -> Self {
        Self { now: Mutex::new(unix_ns), boot: AtomicU64::new(1) }
    }

    /// Moves on by `step`.
    pub fn advance(&self, step: Duration) {
        let step = u64::try_from(step.as_nanos()).unwrap_or(u64::MAX);
        let mut now = self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = now.saturating_add(step);
    }

    /// The machine is started anew.
    pub fn reboot(&self) {
        self.boot.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn unix_ns(&self) -> u64 {
        self.now()
    }
    fn file_time_ns(&self) -> u64 {
        self.now()
    }
    fn monotonic_ns(&self) -> u64 {
        self.now()
    }
    fn boot(&self) -> u64 {
        self.boot.load(Ordering::Relaxed)
    }
}
