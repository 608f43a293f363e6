//! Records: what the index keeps under a key, and the seal that tells a damaged one.

use larder_service::{Hasher, Key};

use crate::bytes::{DecodeError, Fields};

/// Most bytes of one record.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// Length of a [`RecordId`]'s stored form.
pub(crate) const ID_BYTES: usize = 33;

const VERSION: u8 = 1;
const SEAL_BYTES: usize = 8;

/// What a record is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum RecordKind {
    /// An action result, under its action key.
    Action,
    /// A manifest, under its base key. Its bytes are the caller's.
    Manifest,
}

/// Name of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RecordId {
    /// What it is.
    pub kind: RecordKind,
    /// What it is kept under.
    pub key: Key,
}

impl RecordId {
    /// Name of an action result.
    #[must_use]
    pub fn action(key: &Key) -> Self {
        Self { kind: RecordKind::Action, key: *key }
    }

    /// Name of a manifest.
    #[must_use]
    pub fn manifest(base: &Key) -> Self {
        Self { kind: RecordKind::Manifest, key: *base }
    }

    pub(crate) fn encode(&self) -> [u8; ID_BYTES] {
        let mut bytes = [0; ID_BYTES];
        bytes[0] = match self.kind {
            RecordKind::Action => 1,
            RecordKind::Manifest => 2,
        };
        bytes[1..].copy_from_slice(&self.key.0);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields(bytes);
        let kind = match fields.u8()? {
            1 => RecordKind::Action,
            2 => RecordKind::Manifest,
            _ => return Err(DecodeError("an unknown kind of record")),
        };
        let key = Key(fields.array()?);
        fields.end()?;
        Ok(Self { kind, key })
    }
}

/// The stored form of a record: version, seal over name and bytes, bytes.
///
/// The index library checks its pages when it opens a file, not each time it reads one.
pub(crate) fn seal(id: &RecordId, bytes: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::with_capacity(1 + SEAL_BYTES + bytes.len());
    sealed.push(VERSION);
    sealed.extend(seal_of(id, bytes));
    sealed.extend(bytes);
    sealed
}

/// The bytes that were sealed as `id`.
pub(crate) fn unseal<'a>(id: &RecordId, sealed: &'a [u8]) -> Result<&'a [u8], DecodeError> {
    let mut fields = Fields(sealed);
    fields.version(VERSION)?;
    let seal: [u8; SEAL_BYTES] = fields.array()?;
    if fields.0.len() > MAX_RECORD_BYTES {
        return Err(DecodeError("too long"));
    }
    if seal_of(id, fields.0) != seal {
        return Err(DecodeError("damaged"));
    }
    Ok(fields.0)
}

fn seal_of(id: &RecordId, bytes: &[u8]) -> [u8; SEAL_BYTES] {
    let mut hasher = Hasher::key("store record");
    hasher.field("id", &id.encode());
    hasher.field("bytes", bytes);
    let key = hasher.finish_key().0;
    std::array::from_fn(|at| key[at])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> RecordId {
        RecordId::action(&Key([7; 32]))
    }

    #[test]
    fn the_stored_form_is_the_one_of_version_1() {
        let golden = include_bytes!("../golden/record.v1.bin");
        assert_eq!(seal(&id(), b"some bytes"), golden);
        assert_eq!(unseal(&id(), golden), Ok(&b"some bytes"[..]));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_told() {
        let sealed = seal(&id(), b"some bytes");
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(unseal(&id(), &flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_under_another_name_is_told() {
        let sealed = seal(&id(), b"some bytes");
        assert!(unseal(&RecordId::manifest(&id().key), &sealed).is_err());
        assert!(unseal(&RecordId::action(&Key([8; 32])), &sealed).is_err());
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            prop_assert!(unseal(&id(), &bytes).is_err());
            if let Ok(id) = RecordId::decode(&bytes) {
                prop_assert_eq!(&id.encode()[..], &bytes[..]);
            }
        }
    }
}
