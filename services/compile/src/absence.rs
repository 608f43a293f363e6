//! Which names a folder lacks, remembered for as long as the folder's own stamp stays the same.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::{Fingerprints, Stamp};
use larder_service::Clock;

use crate::args::Refusal;
use crate::files::{self, Node};
use crate::paths;

/// Most names remembered over all folders; beyond it everything is forgotten.
const MAX_NAMES: usize = 400_000;

/// The memory of absent names.
pub(crate) struct Absence {
    clock: Arc<dyn Clock>,
    folders: Mutex<Folders>,
}

#[derive(Default)]
struct Folders {
    known: HashMap<PathBuf, Known>,
    names: usize,
}

struct Known {
    stamp: Stamp,
    lacks: HashSet<Box<[u8]>>,
}

impl Absence {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, folders: Mutex::default() }
    }

    /// Positions in `names` of those that exist in `folder`, a dangling link included. Names hold no slash.
    pub(crate) fn existing(
        &self,
        fingerprints: &Fingerprints,
        folder: &Path,
        names: &[&[u8]],
    ) -> Result<Vec<usize>, Refusal> {
        let now = self.clock.file_time_ns();
        Ok(self.existing_in(folder, files::node(fingerprints, folder)?, now, names))
    }

    /// The same, where `folder` was found to be `node` by a look at or after `now`, of the clock of files.
    ///
    /// A folder whose stamp is unchanged has no new entries: creating, renaming and linking all change it. The stamp
    /// is read before the names are looked for, and remembered only when the clock has moved past it.
    pub(crate) fn existing_in(&self, folder: &Path, node: Node, now: u64, names: &[&[u8]]) -> Vec<usize> {
        // Nothing can be in what is not a folder; an odd name such as "x.h/y.h" leads here.
        let Node::Folder(stamp) = node else { return Vec::new() };
        let unknown: Vec<usize> = {
            let folders = self.lock();
            let known = folders.known.get(folder).filter(|known| known.stamp == stamp);
            let is_unknown = |name: &usize| !known.is_some_and(|known| known.lacks.contains(names[*name]));
            (0..names.len()).filter(is_unknown).collect()
        };
        if unknown.is_empty() {
            return Vec::new();
        }
        let exists = |name: &usize| match folder.join(paths::as_path(names[*name])).symlink_metadata() {
            Ok(_) => true,
            // Whatever else keeps us from seeing it may not keep the tool.
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        };
        let (existing, lacking): (Vec<usize>, Vec<usize>) = unknown.into_iter().partition(exists);
        if !files::young(&stamp, now) {
            self.remember(folder, stamp, lacking.into_iter().map(|name| names[name]));
        }
        existing
    }

    fn remember<'n>(&self, folder: &Path, stamp: Stamp, lacking: impl Iterator<Item = &'n [u8]>) {
        let mut folders = self.lock();
        if folders.names > MAX_NAMES {
            *folders = Folders::default();
        }
        let Folders { known, names } = &mut *folders;
        let known = known.entry(folder.to_owned()).or_insert_with(|| Known { stamp, lacks: HashSet::new() });
        if known.stamp != stamp {
            *names -= known.lacks.len();
            *known = Known { stamp, lacks: HashSet::new() };
        }
        let before = known.lacks.len();
        known.lacks.extend(lacking.map(Box::from));
        *names += known.lacks.len() - before;
    }

    fn lock(&self) -> MutexGuard<'_, Folders> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
