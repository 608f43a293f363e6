//! A place to look.

use std::sync::Arc;

use larder_service::Digest;

use crate::{RecordId, StoreError};

/// A place to look for records and blobs. Several stand behind each other, the quickest first.
///
/// A tier may decline to keep what it is given and may forget it at any time; what it does answer is what it was
/// given last. Bytes of a blob it answers have the blob's digest.
pub trait Tier: Send + Sync {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// The record kept as `id`.
    ///
    /// # Errors
    /// When the tier cannot be read. Not having it, or having it damaged, is `None`.
    fn record(&self, id: &RecordId) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// Keeps `bytes` as `id`, in place of what was kept before.
    ///
    /// # Errors
    /// When the tier cannot be written, or `bytes` exceed [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES).
    fn put_record(&self, id: &RecordId, bytes: &Arc<[u8]>) -> Result<(), StoreError>;

    /// Forgets the record kept as `id`.
    ///
    /// # Errors
    /// When the tier cannot be written.
    fn drop_record(&self, id: &RecordId) -> Result<(), StoreError>;

    /// The bytes of the blob `digest`.
    ///
    /// # Errors
    /// When the tier cannot be read. Not having it, or having it damaged, is `None`.
    fn blob(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// Keeps `bytes`, whose digest the caller has just computed as `digest`.
    ///
    /// # Errors
    /// When the tier cannot be written.
    fn put_blob(&self, digest: &Digest, bytes: &Arc<[u8]>) -> Result<(), StoreError>;

    /// Forgets the blob `digest`.
    ///
    /// # Errors
    /// When the tier cannot be written.
    fn drop_blob(&self, digest: &Digest) -> Result<(), StoreError>;
}

/// The tests that every tier passes. `open` gives an empty tier with room for a megabyte.
#[cfg(test)]
macro_rules! tier_tests {
    ($open:expr) => {
        mod as_a_tier {
            use std::sync::Arc;

            use larder_service::{Digest, Key};

            use super::*;
            use crate::{RecordId, Tier};

            fn bytes(text: &str) -> Arc<[u8]> {
                text.as_bytes().into()
            }

            #[test]
            fn what_was_never_put_is_not_there() {
                let (tier, _kept) = $open;
                assert!(tier.record(&RecordId::action(&Key([1; 32]))).unwrap().is_none());
                assert!(tier.blob(&Digest::of(b"x")).unwrap().is_none());
                tier.drop_record(&RecordId::action(&Key([1; 32]))).unwrap();
                tier.drop_blob(&Digest::of(b"x")).unwrap();
            }

            #[test]
            fn what_was_put_last_is_answered_until_it_is_dropped() {
                let (tier, _kept) = $open;
                let id = RecordId::manifest(&Key([1; 32]));
                for text in ["one", "", "three"] {
                    tier.put_record(&id, &bytes(text)).unwrap();
                    assert_eq!(tier.record(&id).unwrap(), Some(bytes(text)));
                }
                tier.drop_record(&id).unwrap();
                assert!(tier.record(&id).unwrap().is_none());
            }

            #[test]
            fn kinds_and_keys_do_not_mix() {
                let (tier, _kept) = $open;
                let key = Key([1; 32]);
                tier.put_record(&RecordId::action(&key), &bytes("action")).unwrap();
                tier.put_record(&RecordId::manifest(&key), &bytes("manifest")).unwrap();
                assert_eq!(tier.record(&RecordId::action(&key)).unwrap(), Some(bytes("action")));
                assert_eq!(tier.record(&RecordId::manifest(&key)).unwrap(), Some(bytes("manifest")));
                assert!(tier.record(&RecordId::action(&Key([2; 32]))).unwrap().is_none());
            }

            #[test]
            fn blobs_are_kept_until_they_are_dropped() {
                let (tier, _kept) = $open;
                for text in ["", "one", "a somewhat longer one"] {
                    let digest = Digest::of(text.as_bytes());
                    tier.put_blob(&digest, &bytes(text)).unwrap();
                    tier.put_blob(&digest, &bytes(text)).unwrap();
                    assert_eq!(tier.blob(&digest).unwrap(), Some(bytes(text)));
                    let same_hash = Digest { size: digest.size + 1, ..digest };
                    assert!(tier.blob(&same_hash).unwrap().is_none(), "the size is part of the name");
                    tier.drop_blob(&digest).unwrap();
                    assert!(tier.blob(&digest).unwrap().is_none());
                }
            }

            #[test]
            fn many_threads_read_what_they_wrote() {
                let (tier, _kept) = $open;
                std::thread::scope(|scope| {
                    for thread in 0..4_u8 {
                        let tier = &tier;
                        scope.spawn(move || {
                            for round in 0..50 {
                                let text = format!("{thread} {round}");
                                let id = RecordId::action(&Key(Digest::of(text.as_bytes()).hash));
                                tier.put_record(&id, &bytes(&text)).unwrap();
                                assert_eq!(tier.record(&id).unwrap(), Some(bytes(&text)));
                                let digest = Digest::of(text.as_bytes());
                                tier.put_blob(&digest, &bytes(&text)).unwrap();
                                tier.put_blob(&Digest::of(b"all"), &bytes("all")).unwrap();
                                assert_eq!(tier.blob(&digest).unwrap(), Some(bytes(&text)));
                            }
                        });
                    }
                });
            }
        }
    };
}

#[cfg(test)]
pub(crate) use tier_tests;
