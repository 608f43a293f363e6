//! Answers, one JSON object a line, on standard output. Nothing else is ever written there.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::request::Name;

/// What the go command waits for before it does anything.
const HELLO: &[u8] = b"{\"ID\":0,\"KnownCommands\":[\"get\",\"put\",\"close\"]}\n";

/// An output, as it is told.
pub(super) struct Output<'a> {
    pub(super) output: &'a Name,
    pub(super) size: u64,
    pub(super) put_unix_ms: u64,
    pub(super) path: &'a Path,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    #[serde(rename = "ID")]
    id: i128,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    miss: bool,
    #[serde(rename = "OutputID", skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_path: Option<&'a Path>,
}

/// Standard output.
#[derive(Default)]
pub(super) struct Answers {
    /// The go command does not read any longer.
    gone: AtomicBool,
}

impl Answers {
    pub(super) fn hello(&self) {
        self.write(HELLO);
    }

    pub(super) fn hit(&self, id: i128, output: &Output<'_>) {
        let name = STANDARD.encode(output.output);
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(output.put_unix_ms);
        let time = humantime::format_rfc3339_millis(time).to_string();
        self.send(&Answer {
            id,
            output: Some(&name),
            size: Some(output.size),
            time: Some(&time),
            disk_path: Some(output.path),
            ..Answer::default()
        });
    }

    pub(super) fn miss(&self, id: i128) {
        self.send(&Answer { id, miss: true, ..Answer::default() });
    }

    pub(super) fn stored(&self, id: i128, path: &Path) {
        self.send(&Answer { id, disk_path: Some(path), ..Answer::default() });
    }

    pub(super) fn closed(&self, id: i128) {
        self.send(&Answer { id, ..Answer::default() });
    }

    pub(super) fn refused(&self, id: i128, reason: &str) {
        self.send(&Answer { id, err: Some(reason), ..Answer::default() });
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// Lets go of both streams: the go command waits until nobody holds its end of the first, and whoever reads what
    /// it says, of the second.
    pub(super) fn end(&self) {
        let Ok(null) = std::fs::File::options().write(true).open("/dev/null") else { return };
        // Where that fails, they end with this process, a moment later.
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }

    fn send(&self, answer: &Answer<'_>) {
        let mut line = Vec::with_capacity(320);
        // Only a path that is no text cannot be written, and none such is told.
        if serde_json::to_writer(&mut line, answer).is_ok() {
            line.push(b'\n');
            self.write(&line);
        }
    }

    fn write(&self, line: &[u8]) {
        let mut stdout = io::stdout().lock();
        if stdout.write_all(line).and_then(|()| stdout.flush()).is_err() {
            self.gone.store(true, Ordering::Relaxed);
        }
    }
}
