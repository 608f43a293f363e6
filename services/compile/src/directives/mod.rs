//! What a source or header may ask for, found by reading its text: a safe over-approximation, not a preprocessor.
//!
//! No conditional is evaluated and no macro expanded; comments and strings are read like code. Reporting too much
//! costs a needless check or leaves a call uncached; missing something would make a wrong hit. Not seen: names
//! pasted together from more than three pieces, or from pieces that are macros themselves; and directives of assembly
//! that are put together in other ways than [`assembly`] knows.

mod assembly;
mod logical;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

pub(crate) use logical::has_word;
use logical::{Call, Cursor, is_blank, is_word};
use text::Text;

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
    /// A `__has_include` whose name only the preprocessor knows, or a name with a backslash.
    pub computed_test: bool,
    /// Macros that are another name of `__has_include` or its like: to be looked for with [`scan_for`] in every file
    /// that is read together with this one.
    pub test_names: Vec<Vec<u8>>,
    /// `__DATE__`, `__TIME__` or `__TIMESTAMP__` occurs.
    pub time_macro: bool,
    /// `__ ## word ## __` occurs: what a macro makes a time macro's name of, when it is given the middle.
    pub wraps_words: bool,
    /// The middle of a time macro's name occurs as what a macro is given.
    pub middle_of_time: bool,
    /// `#pragma once` occurs.
    pub once: bool,
    /// `#import` occurs: what it names is read once, too.
    pub imports: bool,
    /// A directive gives lines the name of a file that may be in any folder: `#line 1 "/…"`, `#line MACRO`.
    pub names_a_file: bool,
    /// Names in `#line 1 "…"` and its like: of files that GCC reads to quote lines from them, and to see where on
    /// them something stands.
    pub lines_of: Vec<Vec<u8>>,
    /// A `#line` whose name only the preprocessor knows, or a name with a backslash.
    pub computed_line: bool,
    /// `.incbin`, `.include` or `.mri` occurs, as assembly can have it, or may be put together.
    pub assembler_input: bool,
    /// A line begins with `.\name`, which in a macro of the assembler's may become any directive.
    pub named_by_a_macro: bool,
    /// `.loc 1` or `.file 1` occurs, as assembly can have it.
    pub numbers_lines: bool,
}

const TIME_MACROS: [&[u8]; 3] = [b"__DATE__", b"__TIME__", b"__TIMESTAMP__"];

/// Shortest piece of a time macro's name that is taken for one: of two pieces, one is that long.
const SHORTEST_PIECE: usize = 4;

/// Longest word that matters.
const LONGEST_WORD: usize = 24;

/// Reads one file's text.
#[must_use]
pub fn scan(text: &[u8]) -> Directives {
    let mut found = Found::default();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for logical in logical::readings(text) {
        scan_logical(&mut Text::new(&logical), &mut found);
    }
    found.told()
}

/// What was found so far.
#[derive(Default)]
struct Found {
    quoted: Names,
    bracketed: Names,
    tested_quoted: Names,
    tested_bracketed: Names,
    test_names: Names,
    lines_of: Names,
    /// All that is no name.
    told: Directives,
}

/// Names, each with its place among them.
#[derive(Default)]
struct Names(HashMap<Vec<u8>, usize>);

impl Names {
    fn add(&mut self, name: &[u8]) {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_vec(), self.0.len());
        }
    }

    /// In the order in which they were added.
    fn list(self) -> Vec<Vec<u8>> {
        let mut list: Vec<_> = self.0.into_iter().collect();
        list.sort_unstable_by_key(|(_, place)| *place);
        list.into_iter().map(|(name, _)| name).collect()
    }
}

impl Found {
    fn told(self) -> Directives {
        Directives {
            quoted: self.quoted.list(),
            bracketed: self.bracketed.list(),
            tested_quoted: self.tested_quoted.list(),
            tested_bracketed: self.tested_bracketed.list(),
            test_names: self.test_names.list(),
            lines_of: self.lines_of.list(),
            ..self.told
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        match call {
            Call::Of(Name::Quoted(name)) => self.tested_quoted.add(name),
            Call::Of(Name::Bracketed(name)) => self.tested_bracketed.add(name),
            Call::Computed => self.told.computed_test = true,
            Call::None => {}
        }
    }
}

/// Reads text whose lines are whole.
fn scan_logical(whole: &mut Text<'_>, found: &mut Found) {
    let text = whole.bytes;
    let mut at = 0;
    // Whether so far nothing but white space, or the end of a comment, stands on the line.
    let mut line_is_fresh = true;
    let mut asm = false;
    // How far strings with escapes were read.
    let mut read_to = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'\n' | b'\r' => line_is_fresh = true,
            b'#' if line_is_fresh => {
                directive(Cursor { text: whole, at: at + 1 }, found);
                line_is_fresh = false;
            }
            b'%' if line_is_fresh && text.get(at + 1) == Some(&b':') => {
                directive(Cursor { text: whole, at: at + 2 }, found);
                line_is_fresh = false;
            }
            b'.' => {
                found.told.assembler_input |=
                    assembly::reads_a_file(text, at) || asm && assembly::may_become_one(text, at);
                found.told.named_by_a_macro |= assembly::is_named_by_a_macro(text, at);
                found.told.numbers_lines |= assembly::numbers_lines(text, at);
                line_is_fresh = false;
            }
            b'\\' => {
                let (found_one, end) = assembly::is_escaped(text, read_to, at);
                found.told.assembler_input |= found_one;
                read_to = end;
                line_is_fresh = false;
            }
            b'*' if text.get(at + 1) == Some(&b'/') => {
                // A directive may begin behind a comment.
                at += 2;
                line_is_fresh = true;
                continue;
            }
            byte if is_word(byte) => {
                let end = at + text[at..].iter().take_while(|byte| is_word(**byte)).count();
                asm |= matches!(&text[at..end], b"asm" | b"__asm" | b"__asm__");
                word(whole, at, end, found);
                at = end;
                line_is_fresh = false;
                continue;
            }
            byte if is_blank(byte) => {}
            _ => line_is_fresh = false,
        }
        at += 1;
    }
}

/// Reads what follows the `#` that begins a directive.
fn directive(mut cursor: Cursor<'_, '_>, found: &mut Found) {
    const INCLUDES: [&[u8]; 4] = [b"include", b"include_next", b"import", b"embed"];
    cursor.skip_blank();
    let Some(word) = INCLUDES.iter().find(|word| cursor.take_this_word(word)) else {
        if cursor.take_this_word(b"line") || cursor.next().is_some_and(|byte| byte.is_ascii_digit()) {
            line(cursor, found);
        }
        return;
    };
    found.told.imports |= *word == b"import";
    cursor.skip_blank();
    match cursor.take_name() {
        // Which file that names depends on the compiler, and Clang lists it as another.
        Some(Name::Quoted(name) | Name::Bracketed(name)) if name.contains(&b'\\') => {
            found.told.computed_test = true;
        }
        Some(Name::Quoted(name)) => found.quoted.add(name),
        Some(Name::Bracketed(name)) => found.bracketed.add(name),
        None => found.told.computed_include = true,
    }
}

/// Reads what follows a `#line`, or a `#` before a number: the number, and perhaps a file's name.
fn line(mut cursor: Cursor<'_, '_>, found: &mut Found) {
    cursor.skip_blank();
    let number = cursor.take_number();
    cursor.skip_blank();
    if number && matches!(cursor.next(), None | Some(b'\n' | b'\r')) {
        return;
    }
    match cursor.take_name().filter(|_| number) {
        Some(Name::Quoted(name)) if !name.contains(&b'\\') => {
            found.told.names_a_file |= name.starts_with(b"/");
            found.lines_of.add(name);
        }
        _ => {
            found.told.names_a_file = true;
            found.told.computed_line = true;
        }
    }
}

/// A header's name as it is written.
enum Name<'a> {
    Quoted(&'a [u8]),
    Bracketed(&'a [u8]),
}

/// Reads the word at `start..end`, wherever it stands.
fn word(whole: &mut Text<'_>, start: usize, end: usize, found: &mut Found) {
    let text = whole.bytes;
    let word = &text[start..end];
    if word.len() > LONGEST_WORD {
        return;
    }
    match word {
        b"__has_include"
        | b"__has_include__"
        | b"__has_include_next"
        | b"__has_include_next__"
        | b"__has_embed"
        | b"__has_embed__" => test(whole, start, end, found),
        b"include" | b"include__" | b"include_next" | b"include_next__" | b"embed" | b"embed__"
        | b"_include" | b"_include_next" | b"_embed" => {
            found.told.computed_test |= is_piece_of_a_test(whole, start, end);
        }
        // As a macro can have it in a `_Pragma`, too.
        b"once" => found.told.once = true,
        // `#pragma GCC dependency` compares the times of files.
        b"dependency" if text[..start].trim_ascii_end().ends_with(b"GCC") => {
            found.told.computed_test = true;
        }
        _ if trimmed(word).is_empty() => {
            found.told.time_macro |= is_time_macro(text, start, end);
            found.told.wraps_words |= begins_a_wrap(&text[end..]);
        }
        _ if is_middle_of_time(word) => {
            found.told.time_macro |=
                is_time_macro(text, start, end) || is_between_underscores(text, start, end);
            found.told.middle_of_time |= is_given(text, start, end);
        }
        _ if word.starts_with(b"__") || word.ends_with(b"__") => {
            found.told.time_macro |= is_time_macro(text, start, end);
        }
        _ => {}
    }
}

/// Whether the word at `start..end` is a time macro's name, or a piece of one where words are pasted together: at
/// `##`, or between the brackets of a macro that does so.
fn is_time_macro(text: &[u8], start: usize, end: usize) -> bool {
    let word = &text[start..end];
    TIME_MACROS.contains(&word)
        || word.len() >= SHORTEST_PIECE
            && TIME_MACROS.iter().any(|name| {
                word.starts_with(b"__") && name.starts_with(word)
                    || word.ends_with(b"__") && name.ends_with(word)
            })
            && is_pasted(text, start, end)
}

/// `word` without its first and last underscores.
fn trimmed(mut word: &[u8]) -> &[u8] {
    while let [b'_', rest @ ..] | [rest @ .., b'_'] = word {
        word = rest;
    }
    word
}

/// Whether `word` is a time macro's name but for some of the underscores.
fn is_middle_of_time(word: &[u8]) -> bool {
    TIME_MACROS.iter().any(|name| trimmed(name) == trimmed(word))
}

/// Whether the word at `start..end` has underscores beside it that may be pasted to it: `__ ## TIME ## __`, or
/// `CAT(__, TIME, __)`.
fn is_between_underscores(text: &[u8], start: usize, end: usize) -> bool {
    let (before, after) = (text[..start].trim_ascii_end(), text[end..].trim_ascii_start());
    let before = before.strip_suffix(b"##").or_else(|| before.strip_suffix(b","));
    let after = after.strip_prefix(b"##").or_else(|| after.strip_prefix(b","));
    let last = before.is_some_and(|before| before.trim_ascii_end().ends_with(b"_"));
    let first = after.is_some_and(|after| after.trim_ascii_start().starts_with(b"_"));
    last && first
}

/// Whether `text`, which follows underscores, goes on as `## word ## __`.
fn begins_a_wrap(text: &[u8]) -> bool {
    fn pasted(text: &[u8]) -> Option<&[u8]> {
        text.trim_ascii_start().strip_prefix(b"##").map(<[u8]>::trim_ascii_start)
    }
    pasted(text).is_some_and(|text| {
        let length = text.iter().take_while(|byte| is_word(**byte)).count();
        length > 0 && pasted(&text[length..]).is_some_and(|text| text.starts_with(b"_"))
    })
}

/// Whether the word at `start..end` is the first or the last of what a macro may be given.
fn is_given(text: &[u8], start: usize, end: usize) -> bool {
    text[..start].trim_ascii_end().ends_with(b"(") || text[end..].trim_ascii_start().starts_with(b")")
}

/// Whether the word at `start..end`, which could be the end of a test's name, may become one where words are pasted
/// together: on a directive's line, for only there is a file tested for.
fn is_piece_of_a_test(whole: &mut Text<'_>, start: usize, end: usize) -> bool {
    let (before, after) = (whole.bytes[..start].trim_ascii_end(), whole.bytes[end..].trim_ascii_start());
    let begins = before.ends_with(b"(") || before.ends_with(b",") || before.ends_with(b"##");
    let ends = after.starts_with(b")") || after.starts_with(b",") || after.starts_with(b"##");
    (begins && ends || before.ends_with(b"##")) && whole.may_be_in_directive(start)
}

fn is_pasted(text: &[u8], start: usize, end: usize) -> bool {
    let before = text[..start].trim_ascii_end().last();
    let after = text[end..].trim_ascii_start().first();
    matches!(before, Some(b'(' | b',' | b'#')) || matches!(after, Some(b')' | b',' | b'#'))
}

/// Reads the `__has_include` or its like at `start..end`.
fn test(text: &mut Text<'_>, start: usize, end: usize, found: &mut Found) {
    // A header that brings its own for compilers that have none.
    if logical::last_word(&text.bytes[..start]) == b"define" {
        return;
    }
    match logical::other_name(text, start, end) {
        Some(name) => found.test_names.add(name),
        None => found.call(&logical::call(text, start, end)),
    }
}

/// What stands for `__has_include` by another of its `names`, found in one file's text.
#[must_use]
pub fn scan_for(names: &[Vec<u8>], text: &[u8]) -> Directives {
    let names: HashSet<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let mut found = Found::default();
    for text in logical::readings(text) {
        let mut whole = Text::new(&text);
        let mut at = 0;
        while at < text.len() {
            let length = text[at..].iter().take_while(|byte| is_word(**byte)).count();
            let end = at + length;
            if names.contains(&text[at..end]) && logical::last_word(&text[..at]) != b"define" {
                found.call(&logical::call(&mut whole, at, end));
            }
            at = end.max(at + 1);
        }
    }
    found.told()
}
