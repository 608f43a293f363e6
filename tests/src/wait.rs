//! Waiting for something that another process does.

use std::time::{Duration, Instant};

/// Longest wait for any condition. A test that gets here has failed; the limit only ends it.
const LIMIT: Duration = Duration::from_secs(30);

/// Looks until `condition` gives a value.
///
/// # Panics
/// When it does not within half a minute; `what` says what was waited for.
pub fn wait_until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}
