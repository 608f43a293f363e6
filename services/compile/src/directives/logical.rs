//! Text as the preprocessor's first phases leave it, and reading in it.

use std::borrow::Cow;

use super::Name;
use super::text::{Definition, Text};

/// Longest name of a header that is taken for one, bytes. Names can lie within each other, so that without a limit
/// all of them together would be far longer than the text.
const LONGEST_NAME: usize = 1024;

/// `text` with its lines put together; twice where trigraphs are read as such or as they stand.
pub(super) fn readings(text: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut readings = vec![spliced(text)];
    if has(text, b"??=") || has(text, b"??/") {
        readings.push(Cow::Owned(spliced(&without_trigraphs(text)).into_owned()));
    }
    readings
}

/// Whether `word` stands in `text` by itself, however its lines are put together.
pub(crate) fn has_word(text: &[u8], word: &[u8]) -> bool {
    readings(text).iter().any(|text| {
        memchr::memmem::find_iter(text, word).any(|at| {
            let before = text[..at].last().is_some_and(|byte| is_word(*byte));
            let after = text.get(at + word.len()).is_some_and(|byte| is_word(*byte));
            !before && !after
        })
    })
}

fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Removes each backslash that ends a line, with the white space that may follow it, and the line's end.
fn spliced(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = text.iter().position(|byte| *byte == b'\\') else { return Cow::Borrowed(text) };
    let mut whole = Vec::with_capacity(text.len());
    whole.extend_from_slice(&text[..first]);
    let mut rest = &text[first..];
    while let Some((byte, after)) = rest.split_first() {
        if *byte == b'\\'
            && let Some(next_line) = line_end(after)
        {
            rest = next_line;
            continue;
        }
        whole.push(*byte);
        rest = after;
    }
    Cow::Owned(whole)
}

/// What follows the line's end, when only white space stands before that.
fn line_end(text: &[u8]) -> Option<&[u8]> {
    let blank = text.iter().take_while(|byte| is_blank(**byte)).count();
    match &text[blank..] {
        [b'\r', b'\n', rest @ ..] | [b'\n' | b'\r', rest @ ..] => Some(rest),
        _ => None,
    }
}

fn without_trigraphs(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return plain,
            [b'?', b'?', b'=', rest @ ..] => {
                plain.push(b'#');
                rest
            }
            [b'?', b'?', b'/', rest @ ..] => {
                plain.push(b'\\');
                rest
            }
            [byte, rest @ ..] => {
                plain.push(*byte);
                rest
            }
        };
    }
}

pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x0b' | b'\x0c' | b'\0')
}

/// Whether `byte` can be part of a word.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

/// The word before the end of `text`; an opening bracket between does not count.
pub(super) fn last_word(text: &[u8]) -> &[u8] {
    let trimmed = text.trim_ascii_end();
    let trimmed = trimmed.strip_suffix(b"(").unwrap_or(trimmed).trim_ascii_end();
    let length = trimmed.iter().rev().take_while(|byte| is_word(**byte)).count();
    &trimmed[trimmed.len() - length..]
}

/// What follows a `__has_include`, or another name of it.
pub(super) enum Call<'a> {
    /// It asks for this name.
    Of(Name<'a>),
    /// It may ask for a name that only the preprocessor knows.
    Computed,
    /// It asks for nothing.
    None,
}

/// What the word at `start..end`, which tests for files, asks for.
pub(super) fn call<'a>(text: &mut Text<'a>, start: usize, end: usize) -> Call<'a> {
    let computed = if text.may_be_in_directive(start) { Call::Computed } else { Call::None };
    let before = &text.bytes[..start];
    let mut cursor = Cursor { text, at: end };
    cursor.skip_blank();
    if cursor.take_byte() != Some(b'(') {
        // Asking whether it exists at all asks for no file; handing it on to a macro does.
        const ASKS_ITSELF: [&[u8]; 6] = [b"defined", b"ifdef", b"ifndef", b"elifdef", b"elifndef", b"undef"];
        return if ASKS_ITSELF.contains(&last_word(before)) { Call::None } else { computed };
    }
    cursor.skip_blank();
    cursor.take_name().map_or(computed, Call::Of)
}

/// The macro that the line of `start..end`, a word that tests for files, makes another name of it:
/// `#define NAME __has_include` or `#define NAME(x) __has_include(x)`, and nothing else on the line.
pub(super) fn other_name<'a>(text: &mut Text<'a>, start: usize, end: usize) -> Option<&'a [u8]> {
    let Definition { name, parameter, .. } = text.definition(start).filter(|known| known.value == start)?;
    let mut cursor = Cursor { text, at: end };
    if !parameter.is_empty() {
        cursor.skip_blank();
        if cursor.take_byte() != Some(b'(') {
            return None;
        }
        cursor.skip_blank();
        if !cursor.take_this_word(parameter) {
            return None;
        }
        cursor.skip_blank();
        if cursor.take_byte() != Some(b')') {
            return None;
        }
    }
    cursor.skip_blank();
    matches!(cursor.next(), None | Some(b'\n' | b'\r')).then_some(name)
}

/// A place in a text.
pub(super) struct Cursor<'t, 'a> {
    pub(super) text: &'t mut Text<'a>,
    pub(super) at: usize,
}

impl<'a> Cursor<'_, 'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.bytes[self.at..]
    }

    pub(super) fn next(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(super) fn take_byte(&mut self) -> Option<u8> {
        let byte = self.next()?;
        self.at += 1;
        Some(byte)
    }

    /// Skips white space within the line, and comments, which may go over many.
    pub(super) fn skip_blank(&mut self) {
        self.at = self.text.blank_end(self.at);
    }

    pub(super) fn take_word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| is_word(**byte)).count();
        self.at += length;
        &rest[..length]
    }

    /// Takes a number that could be a line's.
    pub(super) fn take_number(&mut self) -> bool {
        const MOST_DIGITS: usize = 10;
        let rest = self.rest();
        let digits = rest.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (1..=MOST_DIGITS).contains(&digits) && !self.next().is_some_and(is_word)
    }

    /// Takes `word` when it stands here.
    pub(super) fn take_this_word(&mut self, word: &[u8]) -> bool {
        let rest = self.rest();
        let here = rest.starts_with(word) && !rest.get(word.len()).is_some_and(|byte| is_word(*byte));
        self.at += if here { word.len() } else { 0 };
        here
    }

    /// A name in quotes or angle brackets that ends on this line.
    pub(super) fn take_name(&mut self) -> Option<Name<'a>> {
        let close = match self.take_byte()? {
            b'"' => b'"',
            b'<' => b'>',
            _ => return None,
        };
        let rest = self.rest();
        let rest = &rest[..rest.len().min(LONGEST_NAME + 1)];
        let length = memchr::memchr3(close, b'\n', b'\r', rest)?;
        let name = &rest[..length];
        match rest[length] {
            b'"' => Some(Name::Quoted(name)),
            b'>' => Some(Name::Bracketed(name)),
            _ => None,
        }
    }
}
