//! What the go command asks, as it stands on standard input.
//!
//! One JSON object a line; empty lines mean nothing. After a put of a body with bytes, one more line holds the body: a
//! JSON string in base64. Format: `cmd/go/internal/cacheprog`, in Go's source.

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// Most bytes of one request, its body aside. The go command's have less than 300.
const MAX_REQUEST: usize = 64 * 1024;

/// Bytes read at once, and most of a body that is in memory.
const CHUNK: usize = 256 * 1024;

/// A name that the go command gives an action, or an output by its SHA-256.
pub type Name = [u8; 32];

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// 64 bits, with or without a sign; to be echoed.
    pub id: i128,
    /// What is wanted.
    pub command: Command,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What is kept under an action.
    Get(Name),
    /// Keep what comes next under an action.
    Put(Put),
    /// Nothing more is wanted.
    Close,
    /// Nothing that can be done, and why.
    Unfit {
        /// What is wrong with it.
        reason: String,
        /// A body follows all the same.
        body: bool,
    },
}

/// An output that is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Put {
    /// Under which action.
    pub action: Name,
    /// SHA-256 that the body has.
    pub output: Name,
    /// Bytes that the body has.
    pub size: u64,
}

/// Why what comes is not understood; whatever follows cannot be told apart from it.
#[derive(Debug, thiserror::Error)]
pub enum Garbage {
    /// It is no request.
    #[error("failed to read a request of the go command: {0}")]
    Request(String),
    /// It is no body.
    #[error("failed to read a body of the go command: {0}")]
    Body(&'static str),
    /// The input failed.
    #[error("failed to read what the go command asks: {0}")]
    Io(#[from] io::Error),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw<'a> {
    #[serde(rename = "ID")]
    id: i128,
    #[serde(borrow)]
    command: Cow<'a, str>,
    #[serde(rename = "ActionID", borrow)]
    action: Option<Cow<'a, str>>,
    #[serde(rename = "OutputID", borrow)]
    output: Option<Cow<'a, str>>,
    /// What go up to 1.23 calls the output.
    #[serde(rename = "ObjectID", borrow)]
    object: Option<Cow<'a, str>>,
    body_size: Option<i64>,
}

/// Reads requests off a stream, and bodies piece by piece.
pub struct Reader<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of `buffer` has been read and not been taken.
    held: Range<usize>,
}

impl<R: Read> Reader<R> {
    /// A reader of what `input` holds.
    pub fn new(input: R) -> Self {
        Self { input, buffer: vec![0; CHUNK], held: 0..0 }
    }

    /// The next request; `None` at the end. A body that it announces must be read before the next.
    ///
    /// # Errors
    /// When what comes is no request, or too long for one.
    pub fn request(&mut self) -> Result<Option<Request>, Garbage> {
        self.skip_white()?;
        let mut seen = 0;
        let length = loop {
            let held = &self.buffer[self.held.clone()];
            if let Some(at) = held[seen..].iter().position(|byte| *byte == b'\n') {
                break seen + at;
            }
            seen = held.len();
            if seen > MAX_REQUEST {
                return Err(Garbage::Request(format!("it is longer than {MAX_REQUEST} bytes")));
            }
            if !self.more()? {
                break seen;
            }
        };
        if length == 0 {
            return Ok(None);
        }
        let line = &self.buffer[self.held.start..self.held.start + length];
        let request = parse(line)?;
        self.held.start += length;
        Ok(Some(request))
    }

    /// Gives the body that follows to `take`, decoded, piece by piece.
    ///
    /// # Errors
    /// When what follows is no JSON string in base64. What `take` was given is then worth nothing.
    pub fn body(&mut self, mut take: impl FnMut(&[u8])) -> Result<(), Garbage> {
        self.skip_white()?;
        if self.held.is_empty() || self.buffer[self.held.start] != b'"' {
            return Err(Garbage::Body("it does not begin with a quotation mark"));
        }
        self.held.start += 1;
        let mut decoded = vec![0; CHUNK / 4 * 3];
        let mut padded = false;
        loop {
            let held = &self.buffer[self.held.clone()];
            let end = held.iter().position(|byte| *byte == b'"');
            let whole = end.unwrap_or(held.len() / 4 * 4);
            if padded && whole > 0 {
                return Err(Garbage::Body("it goes on behind its padding"));
            }
            let count = STANDARD
                .decode_slice(&held[..whole], &mut decoded)
                .map_err(|_| Garbage::Body("it is not base64"))?;
            padded = whole > 0 && held[whole - 1] == b'=';
            if count > 0 {
                take(&decoded[..count]);
            }
            self.held.start += whole;
            if end.is_some() {
                self.held.start += 1;
                return Ok(());
            }
            if !self.more()? {
                return Err(Garbage::Body("it has no end"));
            }
        }
    }

    fn skip_white(&mut self) -> Result<(), Garbage> {
        loop {
            while let Some(byte) = self.buffer[self.held.clone()].first() {
                if !byte.is_ascii_whitespace() {
                    return Ok(());
                }
                self.held.start += 1;
            }
            if !self.more()? {
                return Ok(());
            }
        }
    }

    /// Reads more behind what is held; `false` at the end.
    fn more(&mut self) -> Result<bool, Garbage> {
        if self.held.is_empty() {
            self.held = 0..0;
        } else if self.held.end == self.buffer.len() {
            self.buffer.copy_within(self.held.clone(), 0);
            self.held = 0..self.held.len();
        }
        loop {
            match self.input.read(&mut self.buffer[self.held.end..]) {
                Ok(count) => {
                    self.held.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn parse(line: &[u8]) -> Result<Request, Garbage> {
    let raw: Raw<'_> = serde_json::from_slice(line).map_err(|error| Garbage::Request(error.to_string()))?;
    let fits = i64::try_from(raw.id).is_ok() || u64::try_from(raw.id).is_ok();
    if !fits {
        return Err(Garbage::Request("its ID has more than 64 bits".to_owned()));
    }
    let body = raw.body_size.unwrap_or(0);
    let unfit = |reason: &str| Command::Unfit { reason: reason.to_owned(), body: body > 0 };
    let output = raw.output.as_ref().or(raw.object.as_ref());
    let command = match &*raw.command {
        "get" => name(raw.action.as_ref())
            .map_or_else(|| unfit("ActionID is not 32 bytes in base64"), Command::Get),
        "put" => match (name(raw.action.as_ref()), name(output), u64::try_from(body)) {
            (Some(action), Some(output), Ok(size)) => Command::Put(Put { action, output, size }),
            (None, ..) => unfit("ActionID is not 32 bytes in base64"),
            (_, None, _) => unfit("OutputID is not 32 bytes in base64"),
            (.., Err(_)) => unfit("BodySize is negative"),
        },
        "close" => Command::Close,
        other => unfit(&format!("the command {:?} is not known", other.chars().take(40).collect::<String>())),
    };
    Ok(Request { id: raw.id, command })
}

fn name(text: Option<&Cow<'_, str>>) -> Option<Name> {
    let mut bytes = [0; 36];
    let count = STANDARD.decode_slice(text?.as_bytes(), &mut bytes).ok()?;
    bytes[..count].try_into().ok()
}
