//! The memory tier: records and small blobs used lately.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_service::Digest;

use crate::lru::Lru;
use crate::{RecordId, StoreError, Tier};

/// Records and small blobs in memory, within a number of bytes, those used longest ago forgotten first.
///
/// It keeps nothing larger than an eighth of its room.
pub struct MemoryTier {
    entries: Mutex<Lru<Name>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Record(RecordId),
    Blob(Digest),
}

impl MemoryTier {
    /// An empty tier with room for `limit_bytes`; 0 keeps nothing.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self { entries: Mutex::new(Lru::new(limit_bytes)) }
    }

    fn entries(&self) -> MutexGuard<'_, Lru<Name>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tier for MemoryTier {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn record(&self, id: &RecordId) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok(self.entries().get(&Name::Record(*id)))
    }

    fn put_record(&self, id: &RecordId, bytes: &Arc<[u8]>) -> Result<(), StoreError> {
        self.entries().put(Name::Record(*id), bytes.clone());
        Ok(())
    }

    fn drop_record(&self, id: &RecordId) -> Result<(), StoreError> {
        self.entries().remove(&Name::Record(*id));
        Ok(())
    }

    fn blob(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        Ok(self.entries().get(&Name::Blob(*digest)))
    }

    fn put_blob(&self, digest: &Digest, bytes: &Arc<[u8]>) -> Result<(), StoreError> {
        self.entries().put(Name::Blob(*digest), bytes.clone());
        Ok(())
    }

    fn drop_blob(&self, digest: &Digest) -> Result<(), StoreError> {
        self.entries().remove(&Name::Blob(*digest));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::tier::tier_tests!((MemoryTier::new(1 << 20), ()));

    #[test]
    fn without_room_nothing_is_kept() {
        let tier = MemoryTier::new(0);
        let digest = Digest::of(b"x");
        tier.put_blob(&digest, &b"x"[..].into()).unwrap();
        assert!(tier.blob(&digest).unwrap().is_none());
    }
}
