//! The journal's lines: one JSON object for each request, as `docs/journal.md` describes them.

use std::io::{self, BufRead, Read as _};

use larder_proto::v1::Record;
use serde::{Deserialize, Serialize};

/// Version of the lines. A new field is no new version: readers pass over what they do not know.
pub const VERSION: u32 = 1;

/// How each line begins, as far as that is always the same.
pub const BEGINNING: &str = "{\"v\":";

/// Most bytes of a line, its end included.
pub const LINE_LIMIT: usize = 512 * 1024;

/// Most bytes of a text in a line; what is longer is cut.
const TEXT_LIMIT: usize = 4096;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Line {
    /// [`VERSION`] of the writer.
    pub v: u32,
    /// When the request ended, Unix time in milliseconds.
    pub time: u64,
    /// The session's id.
    pub session: String,
    /// The service that was asked.
    pub service: String,
    /// Number of the record in `larder stats`; 0 where there is none.
    pub record: u64,
    /// The tool's name as it was called.
    pub tool: String,
    /// The source, as the caller named it.
    pub source: String,
    /// The output, as the caller named it.
    pub output: String,
    /// Working folder of the call.
    pub cwd: String,
    /// What is built, where the tool says so: a crate and its version.
    pub unit: String,
    /// Id of the outcome.
    pub outcome: String,
    /// Id of the reason.
    pub reason: String,
    /// Of a miss: what differs from the nearest earlier action.
    pub difference: String,
    /// Of all else: what the reason is about.
    pub about: String,
    /// Action key in hexadecimal, or empty.
    pub key: String,
    /// Of outputs restored or stored.
    pub bytes: u64,
    /// Process id of the program that made the call; 0 when unknown.
    pub build: u32,
    /// Durations.
    pub us: Durations,
}

/// Durations by phase, microseconds; 0 for a phase that there was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Durations {
    /// Finding out whether the result is known.
    pub lookup: u64,
    /// Of that, checking what was known against the files.
    pub validate: u64,
    /// Waiting for another client that compiled the same.
    pub wait: u64,
    /// The tool.
    pub run: u64,
    /// Storing the result.
    pub publish: u64,
    /// The tool, when the result that is now restored was made.
    pub avoided: u64,
}

impl Durations {
    /// From the question to the end.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.wait, self.run, self.publish].into_iter().fold(self.lookup, u64::saturating_add)
    }
}

impl From<&Record> for Line {
    fn from(record: &Record) -> Self {
        let (miss, hit) = (record.outcome == "miss", record.outcome == "hit");
        let detail = cut(&record.detail);
        let (difference, about) = if miss { (detail, String::new()) } else { (String::new(), detail) };
        Self {
            v: VERSION,
            time: record.at_unix_ms,
            session: cut(&record.session),
            service: cut(&record.service),
            record: record.id,
            tool: cut(&record.tool),
            source: cut(&record.source),
            output: cut(&record.output),
            cwd: cut(&record.cwd),
            unit: cut(&record.unit),
            outcome: cut(&record.outcome),
            reason: cut(&record.reason),
            difference,
            about,
            key: cut(&record.key),
            bytes: record.bytes,
            build: record.build,
            us: Durations {
                lookup: record.lookup_us,
                validate: record.validate_us,
                wait: record.wait_us,
                run: if hit { 0 } else { record.tool_us },
                publish: record.publish_us,
                avoided: if hit { record.tool_us } else { 0 },
            },
        }
    }
}

impl Line {
    /// The line as it is written, its end included.
    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        // Plain data always has a JSON form.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_LIMIT)].to_owned()
}

/// A line that is no line of a journal.
#[derive(Debug, thiserror::Error)]
pub enum BadLine {
    /// It is no JSON object of this form.
    #[error("it is no line of a journal: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of no known version.
    #[error("it is of version {0}, and this reader knows {VERSION}")]
    Version(u32),
    /// It is too long.
    #[error("it is longer than {LINE_LIMIT} bytes")]
    TooLong,
}

/// What the reader found.
#[derive(Debug)]
pub enum Found {
    /// A request.
    Line(Box<Line>),
    /// Something else, on the line of this number, counted from 1.
    Bad(u64, BadLine),
}

/// Reads a journal line by line. A last line without an end is still being written, or never was: it is passed over.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads from the beginning of a journal.
    pub fn new(from: R) -> Self {
        Self { from, number: 0, buffer: Vec::new() }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Found>> {
        self.buffer.clear();
        (&mut self.from).take(LINE_LIMIT as u64).read_until(b'\n', &mut self.buffer)?;
        self.number += 1;
        if self.buffer.pop_if(|last| *last == b'\n').is_some() {
            let parsed = parse(&self.buffer);
            return Ok(Some(match parsed {
                Ok(line) => Found::Line(Box::new(line)),
                Err(bad) => Found::Bad(self.number, bad),
            }));
        }
        if self.buffer.len() < LINE_LIMIT {
            return Ok(None);
        }
        // To the end of the line, without keeping it.
        loop {
            let piece = self.from.fill_buf()?;
            let end = piece.iter().position(|byte| *byte == b'\n');
            let (length, is_last) = (end.map_or(piece.len(), |end| end + 1), piece.is_empty());
            self.from.consume(length);
            if is_last || end.is_some() {
                return Ok((!is_last).then_some(Found::Bad(self.number, BadLine::TooLong)));
            }
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Line, BadLine> {
    let line: Line = serde_json::from_slice(bytes)?;
    if line.v == VERSION { Ok(line) } else { Err(BadLine::Version(line.v)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &[u8] = include_bytes!("../tests/golden/journal.jsonl");

    fn all(bytes: &[u8]) -> Vec<Found> {
        let mut reader = Reader::new(bytes);
        std::iter::from_fn(|| reader.next_line().expect("memory")).collect()
    }

    fn record() -> Record {
        Record {
            id: 7,
            at_unix_ms: 1_700_000_000_000,
            service: "compile".into(),
            tool: "gcc".into(),
            source: "src/x.c".into(),
            output: "x.o".into(),
            outcome: "miss".into(),
            reason: "input_changed".into(),
            detail: "src/x.h".into(),
            overhead_us: 30,
            tool_us: 4000,
            bytes: 512,
            key: "00ff".into(),
            cwd: "/w".into(),
            unit: "serde 1.0.0".into(),
            build: 12,
            session: "abc-1".into(),
            lookup_us: 20,
            wait_us: 5,
            publish_us: 10,
            validate_us: 15,
        }
    }

    #[test]
    fn lines_keep_their_form_and_read_back() {
        let miss = Line::from(&record());
        let hit = Line::from(&Record { outcome: "hit".into(), reason: "direct_hit".into(), ..record() });
        let written = [miss.written(), hit.written()].concat();
        assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(GOLDEN));
        assert!(written.starts_with(BEGINNING.as_bytes()));
        let [Found::Line(first), Found::Line(second)] = &all(&written)[..] else { panic!("two lines") };
        assert_eq!((&**first, &**second), (&miss, &hit));
        assert_eq!(first.us.total(), 20 + 5 + 4000 + 10);
    }

    #[test]
    fn an_unfinished_line_is_passed_over_and_others_are_named() {
        let line = Line::from(&record()).written();
        let long = [&[b' '; LINE_LIMIT][..], b"\n"].concat();
        let later = b"{\"v\":2}\n".to_vec();
        let torn = &line[..line.len() / 2];
        let found = all(&[b"nonsense\n", &line[..], &long, &later, torn].concat());
        let [
            Found::Bad(1, BadLine::Json(_)),
            Found::Line(_),
            Found::Bad(3, BadLine::TooLong),
            Found::Bad(4, BadLine::Version(2)),
        ] = &found[..]
        else {
            panic!("{found:?}")
        };
        assert!(all(&[b' '; LINE_LIMIT * 2]).is_empty());
    }

    #[test]
    fn the_longest_line_is_read() {
        let text = "\u{1}".repeat(TEXT_LIMIT * 2);
        let line = Line::from(&Record {
            tool: text.clone(),
            source: text.clone(),
            output: text.clone(),
            cwd: text.clone(),
            unit: text.clone(),
            detail: text.clone(),
            session: text.clone(),
            key: text.clone(),
            service: text.clone(),
            outcome: text.clone(),
            reason: text,
            ..record()
        });
        let written = line.written();
        assert!(written.len() > 200_000);
        assert!(matches!(&all(&written)[..], [Found::Line(read)] if **read == line));
    }
}
