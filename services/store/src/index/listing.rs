//! The index's rows in the order of their names.

use std::ops::ControlFlow;

use larder_service::Digest;
use redb::ReadableDatabase as _;

use super::{BLOBS, Index, RECORD_ROWS, damaged};
use crate::StoreError;
use crate::record::RecordId;
use crate::row::{self, BlobRow, RecordRow};

impl Index {
    /// Shows `visit` the rows of all blobs whose hash is `from` or comes after it.
    pub(crate) fn each_blob_row(
        &self,
        from: &[u8],
        mut visit: impl FnMut(Digest, BlobRow) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.with(|database| {
            for entry in database.begin_read()?.open_table(BLOBS)?.range(from..)? {
                let (key, value) = entry?;
                let digest = row::decode_digest(key.value()).map_err(damaged)?;
                if visit(digest, BlobRow::decode(value.value()).map_err(damaged)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Shows `visit` the rows of all records whose name is `from` or comes after it.
    pub(crate) fn each_record_row(
        &self,
        from: &[u8],
        mut visit: impl FnMut(RecordId, RecordRow) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.with(|database| {
            for entry in database.begin_read()?.open_table(RECORD_ROWS)?.range(from..)? {
                let (key, value) = entry?;
                let id = RecordId::decode(key.value()).map_err(damaged)?;
                if visit(id, RecordRow::decode(value.value()).map_err(damaged)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
