//! Command lines made from the caller's, to learn which files the tool reads.

use super::Family;
use super::table::Use;
use super::words::{What, words};

/// The caller's arguments with those added that make the tool list every file it reads in `list`.
///
/// For calls that ask for no dependency file and whose command line shows nowhere.
#[must_use]
pub fn with_dependency_list(args: &[Vec<u8>], list: &[u8]) -> Vec<Vec<u8>> {
    let added = [b"-MD".to_vec(), b"-MF".to_vec(), list.to_vec()];
    args.iter().cloned().chain(added).collect()
}

/// Arguments for a run that only preprocesses and lists every file the preprocessor reads in `list`, with the
/// caller's output and dependency options taken out.
#[must_use]
pub fn discovery(family: Family, args: &[Vec<u8>], list: &[u8]) -> Vec<Vec<u8>> {
    // What cannot be taken apart was refused before; an empty call then lists nothing, and nothing is stored.
    let words = words(family, args).unwrap_or_default();
    let kept = words.iter().filter(|word| {
        !matches!(
            word.what,
            What::Option(
                Use::Compile(_)
                    | Use::Object
                    | Use::Depend(_)
                    | Use::DependInto(_)
                    | Use::DependFile
                    | Use::DependShape,
                _
            )
        )
    });
    let asked = [b"-M".to_vec(), b"-MF".to_vec(), list.to_vec()];
    kept.flat_map(|word| word.args).cloned().chain(asked).collect()
}
