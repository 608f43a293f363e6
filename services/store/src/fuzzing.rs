//! What fuzz targets need to reach and nobody else may.

use larder_service::Key;

use crate::action::ActionResult;
use crate::closed::Closed;
use crate::record::{self, RecordId};
use crate::row::{self, BlobRow, RecordRow};

/// A stored form.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    /// An action result.
    Action,
    /// What is known of a blob.
    BlobRow,
    /// What is known of a record.
    RecordRow,
    /// A digest.
    Digest,
    /// A record's name.
    RecordId,
    /// The note of a store that was closed.
    Closed,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Action, Self::BlobRow, Self::RecordRow, Self::Digest, Self::RecordId, Self::Closed];

    /// What was read from `bytes`, written again; `None` where they are not of this form.
    #[must_use]
    pub fn rewritten(self, bytes: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Action => ActionResult::decode(bytes).ok()?.encode().ok(),
            Self::BlobRow => BlobRow::decode(bytes).ok().map(|row| row.encode()),
            Self::RecordRow => RecordRow::decode(bytes).ok().map(|row| row.encode()),
            Self::Digest => row::decode_digest(bytes).ok().map(|digest| row::encode_digest(&digest).to_vec()),
            Self::RecordId => RecordId::decode(bytes).ok().map(|id| id.encode().to_vec()),
            Self::Closed => Closed::decode(bytes).ok().map(|closed| closed.encode()),
        }
    }
}

/// `bytes` sealed as the record `name`.
#[must_use]
pub fn seal(name: u8, bytes: &[u8]) -> Vec<u8> {
    record::seal(&id(name), bytes)
}

/// What was sealed as the record `name`.
#[must_use]
pub fn unseal(name: u8, sealed: &[u8]) -> Option<&[u8]> {
    record::unseal(&id(name), sealed).ok()
}

fn id(name: u8) -> RecordId {
    RecordId::action(&Key([name; 32]))
}
