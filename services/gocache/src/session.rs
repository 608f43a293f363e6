//! Sessions: what each go command has done so far.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use larder_service::{ConnectionId, Digest};

#[derive(Default)]
pub(crate) struct Sessions(HashMap<ConnectionId, Session>);

/// One go command.
#[derive(Clone, Default)]
pub(crate) struct Session {
    pub(crate) cwd: String,
    pub(crate) go_version: String,
    /// Value of the caller's LARDER_SESSION, or empty.
    pub(crate) larder: Arc<str>,
    /// Its record has been left.
    pub(crate) noted: bool,
    /// Folder into which the client writes bodies.
    pub(crate) staging: PathBuf,
    pub(crate) counts: Counts,
    /// What it has put, and nobody has proven yet.
    pub(crate) put: Vec<Digest>,
}

impl Session {
    /// The go command's name for records: its version, where it is known.
    pub(crate) fn tool(&self) -> String {
        if self.go_version.is_empty() { "go".to_owned() } else { self.go_version.clone() }
    }
}

/// Sums over one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) puts: u64,
    /// Of outputs that were handed out or put.
    pub(crate) bytes: u64,
    /// Time that the go command did not take, thanks to hits, microseconds.
    pub(crate) avoided_us: u64,
    /// Time that it took, between asking in vain and putting, microseconds.
    pub(crate) tool_us: u64,
    /// The daemon's own time, microseconds.
    pub(crate) overhead_us: u64,
}

impl Sessions {
    pub(crate) fn begin(&mut self, connection: ConnectionId, session: Session) {
        self.0.insert(connection, session);
    }

    pub(crate) fn get(&mut self, connection: ConnectionId) -> Option<&mut Session> {
        self.0.get_mut(&connection)
    }

    pub(crate) fn end(&mut self, connection: ConnectionId) -> Option<Session> {
        self.0.remove(&connection)
    }

    /// Go commands that are connected now.
    pub(crate) fn open(&self) -> usize {
        self.0.len()
    }
}
