//! A text in which places are asked about again and again: no answer costs more for that.

use std::collections::HashMap;

use memchr::memmem;

use super::logical::{Cursor, is_blank};

/// Shortest stretch of blanks that is remembered.
const LONG: usize = 64;

/// A text whose lines are whole.
pub(super) struct Text<'a> {
    pub(super) bytes: &'a [u8],
    /// Where comments may end: behind each `*/`. Looked for when first needed.
    comment_ends: Option<Vec<usize>>,
    /// Where long stretches of white space and comments end, by where they begin.
    blanks: HashMap<usize, usize>,
    /// The line that was asked about last.
    line: Option<Line<'a>>,
}

/// One line, and where in it a few things stand first.
#[derive(Clone, Copy)]
struct Line<'a> {
    start: usize,
    end: usize,
    /// Behind here nothing is in a directive: a line comment has begun.
    comment: usize,
    /// Behind here everything may be in a directive.
    directive: usize,
    definition: Option<Definition<'a>>,
}

/// The start of a line that defines a macro.
#[derive(Clone, Copy)]
pub(super) struct Definition<'a> {
    pub(super) name: &'a [u8],
    /// Its one parameter; empty where it has none.
    pub(super) parameter: &'a [u8],
    /// Where begins what it stands for.
    pub(super) value: usize,
}

impl<'a> Text<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, comment_ends: None, blanks: HashMap::new(), line: None }
    }

    /// Where the white space and comments end that begin at `start`.
    pub(super) fn blank_end(&mut self, start: usize) -> usize {
        let mut at = start;
        // Comments of many starts can end at one place, from where the way is the same.
        let mut passed = Vec::new();
        loop {
            if let Some(known) = self.blanks.get(&at) {
                at = *known;
                break;
            }
            let from = at;
            at += self.bytes[at..].iter().take_while(|byte| is_blank(**byte)).count();
            let comment = self.bytes[at..].starts_with(b"/*");
            if comment || at - from >= LONG {
                passed.push(from);
            }
            if !comment {
                break;
            }
            at = self.comment_end(at + 2);
        }
        self.blanks.extend(passed.into_iter().map(|from| (from, at)));
        at
    }

    fn comment_end(&mut self, from: usize) -> usize {
        let text = self.bytes;
        let ends = self
            .comment_ends
            .get_or_insert_with(|| memmem::find_iter(text, b"*/").map(|at| at + 2).collect());
        let next = ends.partition_point(|end| *end < from + 2);
        ends.get(next).copied().unwrap_or(text.len())
    }

    /// Whether what stands at `at` may be in a directive: one begins on its line, or a comment ends there. Behind
    /// `//` there is only text.
    pub(super) fn may_be_in_directive(&mut self, at: usize) -> bool {
        let line = self.line(at);
        line.directive <= at && at < line.comment
    }

    /// The macro that the line of `at` defines.
    pub(super) fn definition(&mut self, at: usize) -> Option<Definition<'a>> {
        self.line(at).definition
    }

    fn line(&mut self, at: usize) -> Line<'a> {
        if let Some(line) = self.line.filter(|line| (line.start..=line.end).contains(&at)) {
            return line;
        }
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let start = self.bytes[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
        let end = self.bytes[at..].iter().position(is_end).map_or(self.bytes.len(), |length| at + length);
        let text = &self.bytes[start..end];
        let behind = |word: &[u8]| memmem::find(text, word).map_or(usize::MAX, |at| start + at + word.len());
        let comment = behind(b"//");
        let quote = behind(b"\"").min(behind(b"'"));
        let line = Line {
            start,
            end,
            comment: if quote < comment { usize::MAX } else { comment },
            directive: behind(b"#").min(behind(b"%:")).min(behind(b"*/")),
            definition: self.definition_on(start, end),
        };
        self.line = Some(line);
        line
    }

    /// Reads `#define NAME` or `#define NAME(x)` at `start`, which ends before `end`.
    fn definition_on(&mut self, start: usize, end: usize) -> Option<Definition<'a>> {
        let mut cursor = Cursor { text: self, at: start };
        let skip_blank = |cursor: &mut Cursor<'_, 'a>| {
            cursor.skip_blank();
            // A comment may lead to another line.
            (cursor.at < end).then_some(())
        };
        skip_blank(&mut cursor)?;
        if cursor.take_byte() != Some(b'#') {
            return None;
        }
        skip_blank(&mut cursor)?;
        if cursor.take_word() != b"define" {
            return None;
        }
        skip_blank(&mut cursor)?;
        let name = cursor.take_word();
        let mut parameter = &b""[..];
        // With white space before the bracket it would be part of what the macro stands for.
        if cursor.next() == Some(b'(') {
            cursor.take_byte();
            skip_blank(&mut cursor)?;
            parameter = cursor.take_word();
            skip_blank(&mut cursor)?;
            if cursor.take_byte() != Some(b')') || parameter.is_empty() {
                return None;
            }
        }
        skip_blank(&mut cursor)?;
        (!name.is_empty()).then_some(Definition { name, parameter, value: cursor.at })
    }
}
