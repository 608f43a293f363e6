//! The version of what lies in a store's folder, and what becomes of a store that a newer larder has made.
//!
//! A file beside the index says it, so that a daemon need not open what it cannot read. A store without that file is of
//! the first version.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::folders::Folders;
use crate::private::{self, PrivateError};

/// Version of the store's folders, its index and the records in it, all of them together. A change after which an
/// earlier daemon would take them for damaged needs a new one.
pub const FORMAT: u32 = 1;

const FILE: &str = "format";

/// The file has one number.
const LIMIT: u64 = 64;

/// A store that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Newer {
    /// Its folder.
    pub store: PathBuf,
    /// Its version.
    pub format: u32,
}

impl fmt::Display for Newer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { store, format } = self;
        write!(
            f,
            "the store in {} was made by a newer larder (version {format}, and this one knows {FORMAT}); it is left as it is",
            store.display()
        )
    }
}

/// A store's version cannot be written down.
#[derive(Debug, thiserror::Error)]
pub enum MarkError {
    /// It is a newer larder's.
    #[error(transparent)]
    Newer(#[from] Newer),
    /// The operating system refused.
    #[error(transparent)]
    Write(#[from] PrivateError),
}

impl Folders {
    /// Takes a cache folder within the cache folder, `format1`, where the store there is a newer larder's. It is the same
    /// one each time.
    pub fn pass_by_newer(&mut self) -> Option<Newer> {
        let newer = newer(&self.store())?;
        self.cache = self.cache.join(format!("format{FORMAT}"));
        Some(newer)
    }
}

/// Writes down that the store in `store` is of [`FORMAT`], before anything else is written there.
///
/// # Errors
/// When it is a newer larder's, or the folder cannot be written.
pub fn mark(store: &Path) -> Result<(), MarkError> {
    match read(store) {
        Some(format) if format > FORMAT => Err(Newer { store: store.to_owned(), format }.into()),
        Some(FORMAT) => Ok(()),
        _ => Ok(private::write_atomically(&store.join(FILE), format!("{FORMAT}\n").as_bytes())?),
    }
}

fn newer(store: &Path) -> Option<Newer> {
    let format = read(store).filter(|format| *format > FORMAT)?;
    Some(Newer { store: store.to_owned(), format })
}

/// What the file says; `None` where there is none, or one that says nothing.
fn read(store: &Path) -> Option<u32> {
    parse(&private::read_own(&store.join(FILE), LIMIT).ok()??)
}

/// The number at the beginning; a later version may have more to say.
pub(crate) fn parse(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = bytes.split_at(digits);
    if number.is_empty() || rest.first().is_some_and(|byte| !byte.is_ascii_whitespace()) {
        return None;
    }
    // A number that is too large is newer than any other.
    Some(std::str::from_utf8(number).ok()?.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_number_at_the_beginning() {
        let golden = include_bytes!("../tests/golden/format.v1");
        assert_eq!(golden, format!("{FORMAT}\n").as_bytes());
        for (text, format) in [
            ("1\n", Some(1)),
            ("12", Some(12)),
            ("2 and more\n", Some(2)),
            ("99999999999999999999\n", Some(u32::MAX)),
            ("", None),
            ("x1", None),
            ("1x", None),
            ("-1", None),
            ("\n1", None),
        ] {
            assert_eq!(parse(text.as_bytes()), format, "{text:?}");
        }
    }

    #[test]
    fn a_newer_store_is_never_marked_and_whatever_else_is_there_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(FILE);
        for (content, marked) in [(None, true), (Some("1\n"), true), (Some("?"), true), (Some("2\n"), false)]
        {
            let _ = std::fs::remove_file(&file);
            if let Some(content) = content {
                std::fs::write(&file, content).expect("ours");
            }
            assert_eq!(mark(folder.path()).is_ok(), marked, "{content:?}");
            let said = std::fs::read_to_string(&file).expect("ours");
            assert_eq!(said, if marked { "1\n" } else { "2\n" }, "{content:?}");
        }
    }
}
