//! What files' texts ask for, remembered by content.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::{Fingerprint, Fingerprints};
use larder_service::{Digest, Reason};

use crate::args::Refusal;
use crate::directives::{self, Directives};
use crate::files;
use crate::paths;

/// Most contents remembered; beyond it all are forgotten.
const MAX_TEXTS: usize = 20_000;

/// The memory of directives.
#[derive(Default)]
pub(crate) struct Texts(Mutex<HashMap<Digest, Arc<Directives>>>);

impl Texts {
    /// Fingerprint of the file at `path` and what its text asks for.
    pub(crate) fn read(
        &self,
        fingerprints: &Fingerprints,
        path: &Path,
    ) -> Result<(Fingerprint, Arc<Directives>), Refusal> {
        let fingerprint = files::fingerprint(fingerprints, path)?;
        if let Some(known) = self.lock().get(&fingerprint.digest) {
            return Ok((fingerprint, Arc::clone(known)));
        }
        // Read again, in one go with its digest: the file may have changed since.
        let (fingerprint, found) = fingerprints
            .content(path, directives::scan)
            .map_err(|_| Refusal { reason: Reason::InputUnreadable, detail: paths::path_text(path) })?;
        let found = Arc::new(found);
        let mut known = self.lock();
        if known.len() >= MAX_TEXTS {
            known.clear();
        }
        known.insert(fingerprint.digest, Arc::clone(&found));
        Ok((fingerprint, found))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<Directives>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
