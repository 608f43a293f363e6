//! Files that are likely to be copies of others whose content is known: to compare them takes a third of the time that it takes
//! to hash one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_tree::Original;

/// Most files that are expected; beyond it all are forgotten.
const MAX_EXPECTED: usize = 20_000;

/// Expected copies, by path.
#[derive(Default)]
pub(crate) struct Copies(Mutex<HashMap<PathBuf, Arc<Original>>>);

impl Copies {
    pub(crate) fn expect(&self, path: PathBuf, original: Original) {
        let mut expected = self.lock();
        if expected.len() >= MAX_EXPECTED {
            expected.clear();
        }
        expected.insert(path, Arc::new(original));
    }

    /// What the file at `path` is likely to be a copy of.
    pub(crate) fn of(&self, path: &Path) -> Option<Arc<Original>> {
        self.lock().get(path).cloned()
    }

    /// The file's content is known, or is another.
    pub(crate) fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<Original>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
