//! Whether the disk takes what is written to it. One that fails says so; one that takes nothing and says nothing either
//! keeps whoever writes, in the kernel, for as long as it likes.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use larder_service::{Clock, within};

use crate::folder::Folder;
use crate::{Store, StoreError};

/// The file that is waited for.
#[derive(Default)]
pub(crate) struct Pulse {
    /// When the first one was begun that has not been written yet, by the monotonic clock; 0 is none.
    since: AtomicU64,
}

impl Pulse {
    fn beat(&self, folder: &Folder, clock: &dyn Clock) -> Result<(), StoreError> {
        let now = clock.monotonic_ns().max(1);
        let first = self.since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire).is_ok();
        let written = folder.temporary().and_then(|mut file| {
            let written = file.write_all(b".").map_err(|error| StoreError::write(file.path(), error));
            drop(file);
            written
        });
        if first {
            self.since.store(0, Ordering::Release);
        }
        written
    }

    fn is_stuck(&self, clock: &dyn Clock) -> bool {
        let since = self.since.load(Ordering::Acquire);
        let patience = u64::try_from(Store::PATIENCE.as_nanos()).unwrap_or(u64::MAX);
        since != 0 && clock.monotonic_ns().saturating_sub(since) >= patience
    }
}

impl Store {
    /// How long a healthy disk may take for a file of one byte.
    pub const PATIENCE: Duration = Duration::from_secs(2);

    /// Writes a file and removes it. On a disk that takes nothing it does not return until that does again.
    ///
    /// # Errors
    /// When the disk is full, or may not be written.
    pub fn touch(&self) -> Result<(), StoreError> {
        self.disk.pulse.beat(&self.disk.folder, &*self.disk.clock)
    }

    /// Waits for the disk to take a file, as long as [`Self::PATIENCE`], and not at all while [`Self::is_stuck`].
    ///
    /// # Errors
    /// When it does not; also as [`Self::touch`].
    pub fn answers(self: &Arc<Self>) -> Result<(), StoreError> {
        let stuck = || StoreError::Stuck { path: self.disk.folder.tmp() };
        if self.is_stuck() {
            return Err(stuck());
        }
        let store = Arc::clone(self);
        let touched = within(Self::PATIENCE, "touch", move || store.touch());
        let touched = touched.map_err(|error| StoreError::write(&self.disk.folder.tmp(), error))?;
        touched.unwrap_or_else(|| Err(stuck()))
    }

    /// Whether a [`Self::touch`] was begun more than [`Self::PATIENCE`] ago and has not returned. Never waits.
    #[must_use]
    pub fn is_stuck(&self) -> bool {
        self.disk.pulse.is_stuck(&*self.disk.clock)
    }
}

#[cfg(test)]
mod tests {
    use larder_service::ManualClock;

    use super::*;

    #[test]
    fn only_what_has_waited_for_long_is_stuck_and_not_once_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let (clock, pulse) = (ManualClock::new(1_000_000), Pulse::default());
        let folder = Folder::make(folder.path()).unwrap();
        pulse.beat(&folder, &clock).unwrap();
        clock.advance(Store::PATIENCE);
        assert!(!pulse.is_stuck(&clock), "it has been written");
        pulse.since.store(clock.monotonic_ns(), Ordering::Release);
        assert!(!pulse.is_stuck(&clock));
        clock.advance(Store::PATIENCE);
        assert!(pulse.is_stuck(&clock));
        // Another one that comes through says nothing of the first.
        pulse.beat(&folder, &clock).unwrap();
        assert!(pulse.is_stuck(&clock));
    }
}
