//! What is seen in files' contents, remembered by content.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::{Fingerprint, Fingerprints};
use larder_service::{Digest, Reason};

use crate::args::Refusal;
use crate::files;
use crate::paths;

/// Most contents remembered; beyond it all are forgotten.
const MAX_TEXTS: usize = 20_000;

/// The memory of what `look` sees in a content.
pub(crate) struct Texts<T> {
    look: fn(&[u8]) -> T,
    known: Mutex<HashMap<Digest, Arc<T>>>,
}

impl<T> Texts<T> {
    pub(crate) fn new(look: fn(&[u8]) -> T) -> Self {
        Self { look, known: Mutex::default() }
    }

    /// Fingerprint of the file at `path` and what is seen in it.
    pub(crate) fn read(
        &self,
        fingerprints: &Fingerprints,
        path: &Path,
    ) -> Result<(Fingerprint, Arc<T>), Refusal> {
        let fingerprint = files::fingerprint(fingerprints, path)?;
        if let Some(known) = self.lock().get(&fingerprint.digest) {
            return Ok((fingerprint, Arc::clone(known)));
        }
        // Read again, in one go with its digest: the file may have changed since.
        let (fingerprint, found) = fingerprints
            .content(path, self.look)
            .map_err(|_| Refusal { reason: Reason::InputUnreadable, detail: paths::path_text(path) })?;
        let found = Arc::new(found);
        let mut known = self.lock();
        if known.len() >= MAX_TEXTS {
            known.clear();
        }
        known.insert(fingerprint.digest, Arc::clone(&found));
        Ok((fingerprint, found))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Arc<T>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
