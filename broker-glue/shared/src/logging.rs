//! The logs of daemon and broker: one file and one old one each, of bounded size.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;

use crate::crash;
use crate::private::PrivateError;

/// Variable that sets how much is logged: `off`, `error`, `warn`, `info`, `debug` or `trace`.
const LEVEL_VAR: &str = "LARDER_LOG";

/// Variable that sets the form of the lines.
const FORMAT_VAR: &str = "LARDER_LOG_FORMAT";

/// Size at which a log is put aside, bytes.
const LIMIT: u64 = 4 << 20;

/// The form of a log's lines. One log may have lines of both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people: time, level, message, fields.
    #[default]
    Text,
    /// An object each: `timestamp`, `level`, `fields` with `message` among them.
    Json,
}

impl Format {
    /// The one that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Text, Self::Json].into_iter().find(|format| format.id() == text)
    }

    /// Its name.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }

    /// The one that [`FORMAT_VAR`] names, else text.
    #[must_use]
    pub fn from_env() -> Self {
        std::env::var(FORMAT_VAR).ok().and_then(|text| Self::parse(&text)).unwrap_or_default()
    }
}

/// A line of either form as people read it, in one line.
#[must_use]
pub fn readable(line: &str) -> String {
    let parsed = line.starts_with('{').then(|| serde_json::from_str::<Line>(line).ok()).flatten();
    let Some(Line { timestamp, level, mut fields }) = parsed else { return line.to_owned() };
    let message = match fields.remove("message") {
        Some(Value::String(text)) => text,
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    };
    let mut text = format!("{timestamp} {level:>5} {message}");
    for (name, value) in fields {
        let _ = std::fmt::Write::write_fmt(&mut text, format_args!(" {name}={value}"));
    }
    text.replace('\n', "; ")
}

/// What a line of JSON has.
#[derive(serde::Deserialize)]
struct Line {
    timestamp: String,
    level: String,
    fields: serde_json::Map<String, Value>,
}

/// The level that is asked for, and whether anybody asks; what names no level counts as not asked.
#[must_use]
pub fn level() -> (String, bool) {
    let asked = asked().and_then(Result::ok);
    (asked.unwrap_or(LevelFilter::INFO).to_string(), asked.is_some())
}

/// Whether `text` names a level.
#[must_use]
pub fn is_level(text: &str) -> bool {
    text.parse::<LevelFilter>().is_ok()
}

/// The level that [`LEVEL_VAR`] names; an error where it names none.
fn asked() -> Option<Result<LevelFilter, String>> {
    let level = std::env::var(LEVEL_VAR).ok().filter(|level| !level.is_empty())?;
    Some(level.parse().map_err(|_| format!("the variable {LEVEL_VAR} is ignored: it names no level")))
}

/// The end of the log `path`, `limit` bytes of it at most, from the beginning of a line on; `None` where there is none.
#[must_use]
pub fn end(path: &Path, limit: u64) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let begin = file.seek(SeekFrom::Start(length.saturating_sub(limit))).ok()?;
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes).ok()?;
    let half =
        if begin > 0 { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1) } else { 0 };
    Some(String::from_utf8_lossy(&bytes[half..]).into_owned())
}

/// Sends what is traced to the log `file_name` below `folder`, in lines of `format`, and panics too; those also leave a
/// report.
///
/// # Errors
/// When the file cannot be opened; nothing is logged then. A malformed [`LEVEL_VAR`] is the inner error, and `info`
/// is used.
pub fn start(folder: &Path, file_name: &str, format: Format) -> Result<Result<(), String>, LogError> {
    let (level, complaint) = match asked() {
        None => (LevelFilter::INFO, Ok(())),
        Some(Ok(level)) => (level, Ok(())),
        Some(Err(complaint)) => (LevelFilter::INFO, Err(complaint)),
    };
    crate::private::ensure_folder(folder)?;
    let path = folder.join(file_name);
    let file = Rotating::open(path.clone(), LIMIT).map_err(|source| LogError::Open { path, source })?;
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(file));
    // A second subscriber in one process can only come from a test; the first one stays.
    let _ = match format {
        Format::Text => tracing::subscriber::set_global_default(subscriber.finish()),
        Format::Json => tracing::subscriber::set_global_default(subscriber.json().finish()),
    };
    let (state, program) = (folder.to_owned(), path_stem(file_name));
    std::panic::set_hook(Box::new(move |info| {
        tracing::error!("{info}");
        crash::panicked(&state, &program, info);
    }));
    Ok(complaint)
}

fn path_stem(file_name: &str) -> String {
    file_name.trim_end_matches(".log").to_owned()
}

/// There is no log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Its folder cannot be made, or is not this user's alone.
    #[error(transparent)]
    Folder(#[from] PrivateError),
    /// The file cannot be opened.
    #[error("failed to open the log {}", .path.display())]
    Open {
        /// The log.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// A file that is put aside when it is full.
struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
}

impl Rotating {
    fn open(path: PathBuf, limit: u64) -> io::Result<Self> {
        let file = append(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, limit })
    }

    fn put_aside(&mut self) -> io::Result<()> {
        std::fs::rename(&self.path, self.path.with_extension("log.old"))?;
        self.file = append(&self.path)?;
        self.size = 0;
        Ok(())
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}

impl Write for Rotating {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A log that cannot be put aside grows on: losing lines would be worse.
        if self.size >= self.limit && self.put_aside().is_err() {
            self.size = 0;
        }
        let written = self.file.write(bytes)?;
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_log_begins_with_a_whole_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("log");
        assert_eq!(end(&path, 10), None);
        std::fs::write(&path, "first\nsecond\nthird\n").expect("writable");
        assert_eq!(end(&path, 100).expect("there"), "first\nsecond\nthird\n");
        assert_eq!(end(&path, 10).expect("there"), "third\n");
    }

    #[test]
    fn lines_of_both_forms_read_alike_and_what_is_neither_stays_as_it_is() {
        let json = "{\"timestamp\":\"2026-01-02T03:04:05Z\",\"level\":\"INFO\",\"fields\":{\"message\":\"launched\",\"pid\":7,\"version\":\"0.1.0\"}}";
        assert_eq!(readable(json), "2026-01-02T03:04:05Z  INFO launched pid=7 version=\"0.1.0\"");
        let lines = json.replace("launched", "a panic:\\nat x");
        assert!(readable(&lines).contains("a panic:; at x"), "{}", readable(&lines));
        for line in ["", "2026-01-02T03:04:05Z  INFO launched pid=7", "{", "{}", &json[..json.len() - 1]] {
            assert_eq!(readable(line), line);
        }
    }

    #[test]
    fn a_full_log_is_put_aside_and_only_one_old_one_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("larderd.log");
        let mut log = Rotating::open(path.clone(), 8).expect("opened");
        for line in ["first...\n", "second..\n", "third...\n"] {
            log.write_all(line.as_bytes()).expect("written");
        }
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "third...\n");
        let old = std::fs::read_to_string(folder.path().join("larderd.log.old")).expect("there");
        assert_eq!(old, "second..\n");
        assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 2);
    }
}
