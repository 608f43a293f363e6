//! Text as the preprocessor's first phases leave it, and reading in it.

use std::borrow::Cow;

use super::{Name, is_blank};

/// `text` with its lines put together; twice where trigraphs are read as such or as they stand.
pub(super) fn readings(text: &[u8]) -> Vec<Cow<'_, [u8]>> {
    let mut readings = vec![spliced(text)];
    if has(text, b"??=") || has(text, b"??/") {
        readings.push(Cow::Owned(spliced(&without_trigraphs(text)).into_owned()));
    }
    readings
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

/// Whether what follows `before` may stand in a directive: one begins on its line, or a comment ends there. Behind
/// `//` there is only text.
pub(super) fn may_be_in_directive(before: &[u8]) -> bool {
    let start = before.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let line = &before[start..];
    let comment = line.windows(2).position(|window| window == b"//");
    if comment.is_some_and(|at| !line[..at].contains(&b'"') && !line[..at].contains(&b'\'')) {
        return false;
    }
    has(line, b"#") || has(line, b"%:") || has(line, b"*/")
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
pub(super) fn call(text: &[u8], start: usize, end: usize) -> Call<'_> {
    let before = &text[..start];
    let computed = if may_be_in_directive(before) { Call::Computed } else { Call::None };
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
pub(super) fn other_name(text: &[u8], start: usize, end: usize) -> Option<&[u8]> {
    let line = text[..start].iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let mut cursor = Cursor { text, at: line };
    cursor.skip_blank();
    if cursor.take_byte() != Some(b'#') {
        return None;
    }
    cursor.skip_blank();
    if cursor.take_word() != b"define" {
        return None;
    }
    cursor.skip_blank();
    let name = cursor.take_word();
    let mut parameter = &b""[..];
    // With white space before the bracket it would be part of what the macro stands for.
    if text.get(cursor.at) == Some(&b'(') {
        cursor.at += 1;
        parameter = cursor.take_bracketed_word()?;
    }
    cursor.skip_blank();
    if cursor.at != start || name.is_empty() {
        return None;
    }
    cursor.at = end;
    if !parameter.is_empty() {
        cursor.skip_blank();
        if cursor.take_byte() != Some(b'(') || cursor.take_bracketed_word()? != parameter {
            return None;
        }
    }
    cursor.skip_blank();
    matches!(cursor.take_byte(), None | Some(b'\n' | b'\r')).then_some(name)
}

/// A place in a text.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    pub(super) fn take_byte(&mut self) -> Option<u8> {
        let byte = self.rest().first().copied()?;
        self.at += 1;
        Some(byte)
    }

    /// Skips white space within the line, and comments, which may go over many.
    pub(super) fn skip_blank(&mut self) {
        loop {
            match self.rest() {
                [byte, ..] if is_blank(*byte) => self.at += 1,
                [b'/', b'*', comment @ ..] => {
                    let end = comment.windows(2).position(|window| window == b"*/");
                    self.at += end.map_or(comment.len(), |end| end + 2) + 2;
                }
                _ => return,
            }
        }
    }

    /// The one word up to the closing bracket, which is taken too.
    fn take_bracketed_word(&mut self) -> Option<&'a [u8]> {
        self.skip_blank();
        let word = self.take_word();
        self.skip_blank();
        (self.take_byte() == Some(b')') && !word.is_empty()).then_some(word)
    }

    pub(super) fn take_word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| is_word(**byte)).count();
        self.at += length;
        &rest[..length]
    }

    /// A name in quotes or angle brackets that ends on this line.
    pub(super) fn take_name(&mut self) -> Option<Name<'a>> {
        let close = match self.take_byte()? {
            b'"' => b'"',
            b'<' => b'>',
            _ => return None,
        };
        let rest = self.rest();
        let length = rest.iter().position(|byte| *byte == close || matches!(byte, b'\n' | b'\r'))?;
        let name = &rest[..length];
        match rest[length] {
            b'"' => Some(Name::Quoted(name)),
            b'>' => Some(Name::Bracketed(name)),
            _ => None,
        }
    }
}
