//! What the service tells of itself: figures, and one record for each go command.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_proto::v1::Figure;
use larder_service::{ConnectionId, NewRecord, Reason};

use crate::session::{Counts, Session};
use crate::{Core, NAME};

/// Sums over all go commands since the daemon started.
#[derive(Default)]
pub(crate) struct Totals {
    puts: AtomicU64,
    put_bytes: AtomicU64,
    handed_bytes: AtomicU64,
    kept_back: AtomicU64,
}

impl Totals {
    pub(crate) fn put(&self, bytes: u64) {
        self.puts.fetch_add(1, Ordering::Relaxed);
        self.put_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn handed(&self, bytes: u64) {
        self.handed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn kept_back(&self, puts: u64) {
        self.kept_back.fetch_add(puts, Ordering::Relaxed);
    }
}

impl Core {
    pub(crate) fn tally(&self, connection: ConnectionId, add: impl FnOnce(&mut Counts)) {
        if let Some(session) = self.sessions().get(connection) {
            add(&mut session.counts);
        }
    }

    /// Counts the daemon's own time.
    pub(crate) fn spent(&self, connection: ConnectionId, us: u64) {
        self.tally(connection, |counts| counts.overhead_us += us);
        self.count(connection, Reason::GoHit, 0, us, 0);
    }

    /// Counts finished requests, for the session of larder's that the go command belongs to as well.
    pub(crate) fn count(
        &self,
        connection: ConnectionId,
        reason: Reason,
        requests: u64,
        us: u64,
        tool_us: u64,
    ) {
        let session = self.session_of(connection);
        self.context.board.count(&session, NAME, reason, requests, us, tool_us);
    }

    /// Whether that session has a journal: most have none, and a get is to cost nothing for it.
    pub(crate) fn journals(&self, connection: ConnectionId) -> bool {
        let session = self.session_of(connection);
        !session.is_empty() && self.context.board.sessions().journal_of(&session).is_some()
    }

    /// Writes one request to that journal, if there is one; `new` says what it was about.
    pub(crate) fn journalled(
        &self,
        connection: ConnectionId,
        reason: Reason,
        new: impl FnOnce() -> NewRecord,
    ) {
        if !self.journals(connection) {
            return;
        }
        let go = self.sessions().get(connection).map(|go| (go.cwd.clone(), go.tool(), go.larder.to_string()));
        let (cwd, tool, session) = go.unwrap_or_default();
        let at_unix_ms = self.context.clock.unix_ms();
        self.context.board.journal(NAME, reason, NewRecord { at_unix_ms, session, cwd, tool, ..new() });
    }

    fn session_of(&self, connection: ConnectionId) -> Arc<str> {
        self.sessions().get(connection).map_or_else(|| Arc::from(""), |session| Arc::clone(&session.larder))
    }

    /// Leaves the record of a go command that asked for anything.
    pub(crate) fn note(&self, session: &Session) {
        let Counts { hits, misses, puts, bytes, avoided_us, tool_us, overhead_us } = session.counts;
        if hits + misses == 0 {
            return;
        }
        let whole = misses == 0;
        let reason = if whole { Reason::GoHit } else { Reason::GoFirstSeen };
        let record = NewRecord {
            at_unix_ms: self.context.clock.unix_ms(),
            tool: session.tool(),
            session: session.larder.to_string(),
            source: session.cwd.clone(),
            detail: format!("{hits} of {} gets were hits, {puts} puts", hits + misses),
            overhead_us,
            tool_us: if whole { avoided_us } else { tool_us },
            bytes,
            cwd: session.cwd.clone(),
            ..NewRecord::default()
        };
        self.context.board.note(NAME, reason, record);
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figure = |id: &str, title: &str, value: u64, unit: &str| Figure {
            id: id.to_owned(),
            title: title.to_owned(),
            value,
            unit: unit.to_owned(),
        };
        let load = |sum: &AtomicU64| sum.load(Ordering::Relaxed);
        let totals = &self.totals;
        let running = self.sessions().open() as u64;
        vec![
            figure("running", "go commands now", running, "count"),
            figure("puts", "puts", load(&totals.puts), "count"),
            figure("put_bytes", "bytes put", load(&totals.put_bytes), "bytes"),
            figure("handed_bytes", "bytes handed out", load(&totals.handed_bytes), "bytes"),
            figure("kept_back", "puts not taken", load(&totals.kept_back), "count"),
        ]
    }
}
