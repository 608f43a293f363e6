//! Sessions: what each go command has done so far.

use std::collections::HashMap;
use std::path::PathBuf;

use larder_service::{ConnectionId, Digest};

#[derive(Default)]
pub(crate) struct Sessions(HashMap<ConnectionId, Session>);

/// One go command.
#[derive(Default)]
pub(crate) struct Session {
    pub(crate) cwd: String,
    pub(crate) go_version: String,
    /// Folder into which the client writes bodies.
    pub(crate) staging: PathBuf,
    pub(crate) counts: Counts,
    /// What it has put, and nobody has proven yet.
    pub(crate) put: Vec<Digest>,
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
