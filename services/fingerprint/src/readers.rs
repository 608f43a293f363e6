//! Who is reading which file.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::Stamp;

/// Files that are being read.
#[derive(Default)]
pub(crate) struct Readers {
    files: Mutex<HashSet<Stamp>>,
    changed: Condvar,
}

/// The only one who reads a file.
pub(crate) struct Alone<'r> {
    readers: &'r Readers,
    stamp: Stamp,
}

impl Readers {
    /// Waits until nobody else reads the file that is stamped so.
    pub(crate) fn begin(&self, stamp: Stamp) -> Alone<'_> {
        let mut files = self.lock();
        while !files.insert(stamp) {
            files = self.changed.wait(files).unwrap_or_else(PoisonError::into_inner);
        }
        Alone { readers: self, stamp }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Stamp>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        self.readers.lock().remove(&self.stamp);
        self.readers.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn one_reads_at_a_time_and_other_files_are_nobodys_concern() {
        let (readers, reading) = (Readers::default(), AtomicUsize::new(0));
        let stamp = |inode| Stamp { inode, ..Stamp::default() };
        let _other = readers.begin(stamp(2));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let _alone = readers.begin(stamp(1));
                        assert_eq!(reading.fetch_add(1, Ordering::SeqCst), 0);
                        reading.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }
}
