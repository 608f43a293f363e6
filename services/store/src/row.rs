//! The index's small rows: what is known of a blob, and when a record was last used.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use larder_service::Digest;

use crate::Owner;
use crate::bytes::{DecodeError, Fields};

const VERSION: u8 = 1;

/// Version of a record's row that says whose the record is.
const OWNED: u8 = 2;

/// Length of a digest's stored form.
pub(crate) const DIGEST_BYTES: usize = 40;

/// How a blob's file was stamped when its content was proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BlobStamp {
    /// Unix time, nanoseconds.
    pub mtime_ns: i64,
    /// Unix time, nanoseconds.
    pub ctime_ns: i64,
    /// Inode number.
    pub inode: u64,
}

impl BlobStamp {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let nanoseconds =
            |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
        }
    }

    /// Whether a change after `file_time_ns` would show in this stamp.
    pub(crate) fn proves_content_at(&self, file_time_ns: u64) -> bool {
        const SECOND: i64 = 1_000_000_000;
        // Some file systems stamp in whole seconds, the coarsest in two.
        let tick = if self.ctime_ns % SECOND == 0 { 2 * SECOND } else { 0 };
        let changed = self.ctime_ns.max(self.mtime_ns).saturating_add(tick);
        u64::try_from(changed).is_ok_and(|changed| changed < file_time_ns)
    }
}

/// What is known of a blob besides its digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct BlobRow {
    /// Unix time, milliseconds.
    pub(crate) last_use: u64,
    /// `None`: the content is to be proven before use.
    pub(crate) stamp: Option<BlobStamp>,
}

impl BlobRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.last_use.to_le_bytes());
        if let Some(stamp) = self.stamp {
            bytes.extend(stamp.mtime_ns.to_le_bytes());
            bytes.extend(stamp.ctime_ns.to_le_bytes());
            bytes.extend(stamp.inode.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields(bytes);
        fields.version(VERSION)?;
        let last_use = fields.u64()?;
        let stamp = if fields.0.is_empty() {
            None
        } else {
            Some(BlobStamp { mtime_ns: fields.i64()?, ctime_ns: fields.i64()?, inode: fields.u64()? })
        };
        fields.end()?;
        Ok(Self { last_use, stamp })
    }
}

/// What is known of a record besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RecordRow {
    /// Unix time, milliseconds.
    pub(crate) last_use: u64,
    /// Bytes of the record, unsealed.
    pub(crate) size: u64,
    /// Whose it is; `None` for one that was stored before that was noted.
    pub(crate) owner: Option<Owner>,
}

impl RecordRow {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![if self.owner.is_some() { OWNED } else { VERSION }];
        bytes.extend(self.last_use.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.owner.iter().flat_map(Owner::encode));
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields(bytes);
        let owned = match fields.u8()? {
            VERSION => false,
            OWNED => true,
            _ => return Err(DecodeError("another version")),
        };
        let (last_use, size) = (fields.u64()?, fields.u64()?);
        let owner = if owned { Some(Owner::decode(fields.array()?)?) } else { None };
        fields.end()?;
        Ok(Self { last_use, size, owner })
    }
}

pub(crate) fn encode_digest(digest: &Digest) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    bytes[..32].copy_from_slice(&digest.hash);
    bytes[32..].copy_from_slice(&digest.size.to_le_bytes());
    bytes
}

pub(crate) fn decode_digest(bytes: &[u8]) -> Result<Digest, DecodeError> {
    let mut fields = Fields(bytes);
    let digest = Digest { hash: fields.array()?, size: fields.u64()? };
    fields.end()?;
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stored_forms_are_those_of_version_1() {
        let stamp = BlobStamp { mtime_ns: -1, ctime_ns: 1_700_000_000_123_456_789, inode: 42 };
        let proven = BlobRow { last_use: 1_700_000_000_123, stamp: Some(stamp) };
        let unproven = BlobRow { stamp: None, ..proven };
        let record = RecordRow { last_use: 1_700_000_000_123, size: 99, owner: None };
        let golden = include_bytes!("../golden/rows.v1.bin");
        let rows = [proven.encode(), unproven.encode(), record.encode()];
        assert_eq!(rows.concat(), golden);
        assert_eq!(BlobRow::decode(&rows[0]), Ok(proven));
        assert_eq!(BlobRow::decode(&rows[1]), Ok(unproven));
        assert_eq!(RecordRow::decode(&rows[2]), Ok(record));
    }

    #[test]
    fn the_row_of_a_record_with_an_owner_is_that_of_version_2() {
        let golden = include_bytes!("../golden/record_row.v2.bin");
        let owner = Some(Owner::new("compile"));
        let row = RecordRow { last_use: 1_700_000_000_123, size: 99, owner };
        assert_eq!(row.encode(), golden);
        assert_eq!(RecordRow::decode(golden), Ok(row));
        for length in 0..golden.len() {
            assert!(RecordRow::decode(&golden[..length]).is_err(), "cut to {length}");
        }
        assert!(RecordRow::decode(&[&[3], &golden[1..]].concat()).is_err());
    }

    #[test]
    fn a_stamp_of_the_current_tick_proves_nothing() {
        let stamp = BlobStamp { mtime_ns: 5, ctime_ns: 7, inode: 1 };
        assert!(!stamp.proves_content_at(7));
        assert!(stamp.proves_content_at(8));
        let whole = BlobStamp { ctime_ns: 3_000_000_000, ..stamp };
        assert!(!whole.proves_content_at(5_000_000_000));
        assert!(whole.proves_content_at(5_000_000_001));
        assert!(!BlobStamp { ctime_ns: -1, mtime_ns: -1, ..stamp }.proves_content_at(8));
    }

    proptest! {
        #[test]
        fn every_row_reads_back(
            hash: [u8; 32], size: u64, last_use: u64, stamp: Option<(i64, i64, u64)>, owner in "[a-z]{1,12}",
        ) {
            let digest = Digest { hash, size };
            prop_assert_eq!(decode_digest(&encode_digest(&digest)), Ok(digest));
            let stamp = stamp.map(|(mtime_ns, ctime_ns, inode)| BlobStamp { mtime_ns, ctime_ns, inode });
            let row = BlobRow { last_use, stamp };
            prop_assert_eq!(BlobRow::decode(&row.encode()), Ok(row));
            for owner in [None, Owner::named(&owner)] {
                let row = RecordRow { last_use, size, owner };
                prop_assert_eq!(RecordRow::decode(&row.encode()), Ok(row));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic_and_what_decodes_encodes_back(
            mut bytes in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            if let Ok(digest) = decode_digest(&bytes) {
                prop_assert_eq!(&encode_digest(&digest)[..], &bytes[..]);
            }
            if let Some(first) = bytes.first_mut() {
                *first = VERSION;
            }
            if let Ok(row) = BlobRow::decode(&bytes) {
                prop_assert_eq!(row.encode(), &bytes[..]);
            }
            for version in [VERSION, OWNED] {
                if let Some(first) = bytes.first_mut() {
                    *first = version;
                }
                if let Ok(row) = RecordRow::decode(&bytes) {
                    prop_assert_eq!(row.encode(), &bytes[..]);
                }
            }
        }
    }
}
