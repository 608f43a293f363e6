//! What the index has rows of: blobs and records.

use std::hash::Hash;

use larder_service::Digest;
use redb::TableDefinition;

use crate::RecordId;
use crate::bytes::DecodeError;
use crate::catalog::Catalog;
use crate::index::{BLOBS, RECORD_ROWS};
use crate::row::{self, BlobRow, RecordRow};

/// The name of something that is stored.
pub(crate) trait Listed: Copy + Eq + Hash {
    /// What is known of it.
    type Row: Copy;

    /// The table of their rows.
    const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]>;

    /// The stored form, in whose order they are listed.
    fn stored(&self) -> impl AsRef<[u8]>;

    /// Reads the stored form.
    fn read(bytes: &[u8]) -> Result<Self, DecodeError>;

    /// Reads a row.
    fn read_row(bytes: &[u8]) -> Result<Self::Row, DecodeError>;

    /// Those of which the index has another row than `catalog`, or none.
    fn changed(catalog: &Catalog) -> Vec<(Self, Option<Self::Row>)>;
}

impl Listed for Digest {
    type Row = BlobRow;

    const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = BLOBS;

    fn stored(&self) -> impl AsRef<[u8]> {
        row::encode_digest(self)
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        row::decode_digest(bytes)
    }

    fn read_row(bytes: &[u8]) -> Result<BlobRow, DecodeError> {
        BlobRow::decode(bytes)
    }

    fn changed(catalog: &Catalog) -> Vec<(Self, Option<BlobRow>)> {
        catalog.changed_blobs()
    }
}

impl Listed for RecordId {
    type Row = RecordRow;

    const ROWS: TableDefinition<'static, &'static [u8], &'static [u8]> = RECORD_ROWS;

    fn stored(&self) -> impl AsRef<[u8]> {
        self.encode()
    }

    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode(bytes)
    }

    fn read_row(bytes: &[u8]) -> Result<RecordRow, DecodeError> {
        RecordRow::decode(bytes)
    }

    fn changed(catalog: &Catalog) -> Vec<(Self, Option<RecordRow>)> {
        catalog.changed_records()
    }
}
