//! The index's rows in the order of their names.

use std::ops::ControlFlow;

use redb::ReadableDatabase as _;

use super::{Index, damaged};
use crate::StoreError;
use crate::listed::Listed;

impl Index {
    /// The row of `name`.
    pub(crate) fn row<K: Listed>(&self, name: &K) -> Result<Option<K::Row>, StoreError> {
        self.with(|database| {
            let table = database.begin_read()?.open_table(K::ROWS)?;
            let row = table.get(name.stored().as_ref())?;
            row.map(|row| K::read_row(row.value()).map_err(damaged)).transpose()
        })
    }

    /// Shows `visit` all rows whose names are `from` or come after it, as they are stored. It must not ask the store for
    /// anything.
    pub(crate) fn each_row<K: Listed>(
        &self,
        from: &[u8],
        mut visit: impl FnMut(K, K::Row) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.with(|database| {
            for entry in database.begin_read()?.open_table(K::ROWS)?.range(from..)? {
                let (name, row) = entry?;
                let name = K::read(name.value()).map_err(damaged)?;
                if visit(name, K::read_row(row.value()).map_err(damaged)?).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }
}
