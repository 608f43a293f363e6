//! Rows of one kind: those that differ from the index, and of the others those that were used lately.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::StoreError;

/// Rows by name.
pub(crate) struct Rows<K, R> {
    /// Unlike those of the index; `None` is gone.
    changed: HashMap<K, Option<R>>,
    /// The same, and about to be those of the index.
    writing: HashMap<K, Option<R>>,
    /// Gone, and still in the index: it is to be changed by others.
    hidden: HashSet<K>,
    /// Like those of the index; used lately, and before that.
    recent: HashMap<K, R>,
    earlier: HashMap<K, R>,
    kept: usize,
}

impl<K: Copy + Eq + Hash, R: Copy> Rows<K, R> {
    /// Keeps `kept` rows that are like those of the index, and at most twice as many.
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            changed: HashMap::new(),
            writing: HashMap::new(),
            hidden: HashSet::new(),
            recent: HashMap::new(),
            earlier: HashMap::new(),
            kept,
        }
    }

    /// The row of `key`, which `read` takes from the index where it is not known.
    pub(crate) fn get(
        &mut self,
        key: &K,
        read: impl FnOnce() -> Result<Option<R>, StoreError>,
    ) -> Result<Option<R>, StoreError> {
        if self.hidden.contains(key) {
            return Ok(None);
        }
        if let Some(row) = self.changed.get(key).or_else(|| self.writing.get(key)) {
            return Ok(*row);
        }
        if let Some(row) = self.recent.get(key) {
            return Ok(Some(*row));
        }
        let found = match self.earlier.get(key) {
            Some(row) => Some(*row),
            None => read()?,
        };
        if let Some(row) = found {
            self.keep(*key, row);
        }
        Ok(found)
    }

    /// `key` has `row` from now on, and the index is to be told.
    pub(crate) fn change(&mut self, key: K, row: Option<R>) {
        self.recent.remove(&key);
        self.earlier.remove(&key);
        self.changed.insert(key, row);
    }

    /// `key` has `row` from now on, and so has the index.
    pub(crate) fn know(&mut self, key: K, row: R) {
        self.hidden.remove(&key);
        self.changed.remove(&key);
        if self.writing.contains_key(&key) {
            // What is being written may come after what the index was told.
            self.change(key, Some(row));
        } else {
            self.keep(key, row);
        }
    }

    /// `key` is gone, whatever the index says until [`Self::forget`].
    pub(crate) fn hide(&mut self, key: K) {
        self.changed.remove(&key);
        self.writing.remove(&key);
        self.recent.remove(&key);
        self.earlier.remove(&key);
        self.hidden.insert(key);
    }

    pub(crate) fn hides(&self, key: &K) -> bool {
        self.hidden.contains(key)
    }

    /// The index has `key` no longer, unless it was put again.
    pub(crate) fn forget(&mut self, key: &K) {
        self.hidden.remove(key);
    }

    /// Whether there is nothing that the index has otherwise.
    pub(crate) fn is_like_the_index(&self) -> bool {
        self.changed.is_empty() && self.writing.is_empty() && self.hidden.is_empty()
    }

    pub(crate) fn changes(&self) -> usize {
        self.changed.len()
    }

    /// What the index is to be told.
    pub(crate) fn take(&mut self) -> Vec<(K, Option<R>)> {
        // Nobody takes anything while somebody is writing.
        self.give_back();
        self.writing = std::mem::take(&mut self.changed);
        self.writing.iter().map(|(key, row)| (*key, *row)).collect()
    }

    /// The index was told what was taken.
    pub(crate) fn written(&mut self) {
        for (key, row) in std::mem::take(&mut self.writing) {
            if let Some(row) = row.filter(|_| !self.changed.contains_key(&key)) {
                self.keep(key, row);
            }
        }
    }

    /// It was not.
    pub(crate) fn give_back(&mut self) {
        for (key, row) in std::mem::take(&mut self.writing) {
            self.changed.entry(key).or_insert(row);
        }
    }

    /// Everything that the index has otherwise.
    pub(crate) fn unlike_the_index(&self) -> Vec<(K, Option<R>)> {
        let older = self.writing.iter().filter(|(key, _)| !self.changed.contains_key(key));
        let gone = self.hidden.iter().map(|key| (*key, None));
        self.changed.iter().chain(older).map(|(key, row)| (*key, *row)).chain(gone).collect()
    }

    fn keep(&mut self, key: K, row: R) {
        if self.recent.len() >= self.kept {
            self.earlier = std::mem::take(&mut self.recent);
        }
        self.recent.insert(key, row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(rows: &mut Rows<u8, u8>, key: u8, index: Option<u8>) -> Option<u8> {
        rows.get(&key, || Ok(index)).unwrap()
    }

    #[test]
    fn rows_used_lately_are_kept_and_no_more_than_twice_the_number() {
        let mut rows = Rows::new(3);
        for key in 0..100 {
            assert_eq!(get(&mut rows, key, Some(1)), Some(1));
            assert_eq!(get(&mut rows, 0, Some(2)), Some(1), "it is used all the time");
            assert!(rows.recent.len() + rows.earlier.len() <= 6);
        }
        assert_eq!(get(&mut rows, 1, Some(2)), Some(2), "the index is asked again");
        assert_eq!(get(&mut rows, 200, None), None);
    }

    #[test]
    fn what_was_changed_counts_until_the_index_has_it() {
        let mut rows = Rows::new(3);
        rows.change(1, Some(5));
        rows.change(2, None);
        let mut taken = rows.take();
        taken.sort_unstable();
        assert_eq!(taken, [(1, Some(5)), (2, None)]);
        rows.change(1, Some(6));
        assert_eq!((get(&mut rows, 1, Some(0)), get(&mut rows, 2, Some(0))), (Some(6), None));
        assert_eq!(rows.unlike_the_index().len(), 2);
        rows.written();
        assert_eq!((get(&mut rows, 1, Some(5)), get(&mut rows, 2, None)), (Some(6), None));
        assert_eq!(rows.unlike_the_index(), [(1, Some(6))]);
        rows.take();
        rows.give_back();
        assert_eq!(rows.changes(), 1);
    }

    #[test]
    fn what_is_hidden_is_gone_until_it_is_known_again() {
        let mut rows = Rows::new(3);
        rows.change(1, Some(5));
        rows.take();
        rows.hide(1);
        rows.written();
        assert_eq!(get(&mut rows, 1, Some(5)), None);
        assert_eq!(rows.unlike_the_index(), [(1, None)]);
        rows.know(1, 7);
        assert_eq!(get(&mut rows, 1, None), Some(7));
        rows.hide(1);
        rows.forget(&1);
        assert_eq!(get(&mut rows, 1, None), None);
    }

    #[test]
    fn what_the_index_was_told_while_an_older_row_is_written_is_told_again() {
        let mut rows = Rows::new(3);
        rows.change(1, Some(5));
        rows.take();
        rows.know(1, 7);
        rows.written();
        assert_eq!(rows.take(), [(1, Some(7))]);
    }
}
