//! What a source or header may ask for, found by reading its text: a safe over-approximation, not a preprocessor.

/// What one file's text may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Names in `#include "…"`, `#include_next "…"`, `#import "…"`, `#embed "…"`.
    pub quoted: Vec<Vec<u8>>,
    /// Names in `<…>` of the same.
    pub bracketed: Vec<Vec<u8>>,
    /// Names in `__has_include("…")`, `__has_include_next`, `__has_embed`; whether such a file exists matters
    /// though it is not read.
    pub tested_quoted: Vec<Vec<u8>>,
    /// The same in `<…>`.
    pub tested_bracketed: Vec<Vec<u8>>,
    /// A directive whose name only the preprocessor knows (`#include MACRO`).
    pub computed_include: bool,
    /// A `__has_include` whose name only the preprocessor knows.
    pub computed_test: bool,
    /// `__DATE__`, `__TIME__` or `__TIMESTAMP__` occurs.
    pub time_macro: bool,
    /// `.incbin` or `.include` occurs, as assembly can have it.
    pub assembler_input: bool,
}

/// Reads one file's text.
#[must_use]
pub fn scan(_text: &[u8]) -> Directives {
    Directives::default()
}
