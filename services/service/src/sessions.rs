//! Sessions: the requests of one build, counted by themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_proto::v1::{Record, SessionReport};

use crate::counts::ServiceCounts;
use crate::shorten::shorten;
use crate::{Outcome, Reason};

/// Most sessions that are open at once.
const MAX_OPEN: usize = 256;

/// How many ended sessions can still be asked about.
const ENDED_KEPT: usize = 64;

/// How many of the slowest calls are kept.
const SLOWEST_KEPT: usize = 10;

/// The process that a session ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its process id.
    pub pid: u32,
    /// When it was started, in clock ticks since the boot.
    pub start: u64,
}

/// Where the requests of a session are written down, one by one.
pub trait Journal: Send + Sync + std::fmt::Debug {
    /// Takes one request. Must not wait for a disk: a client waits for its hit.
    fn write(&self, record: &Record);

    /// How many requests could not be written so far.
    fn lost(&self) -> u64;
}

/// How many words of a build's command are kept, and characters of each.
const WORDS_KEPT: usize = 32;
const WORD_KEPT: usize = 200;

/// What a session is to keep.
#[derive(Debug, Default)]
pub struct Keep {
    /// The build's command and its arguments; of a long one the beginning is kept.
    pub command: Vec<String>,
    /// Where its requests are written down.
    pub journal: Option<Arc<dyn Journal>>,
    /// Its requests are not counted.
    pub no_stats: bool,
}

/// All sessions, open and lately ended.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    begun: u64,
    all: HashMap<String, Session>,
}

#[derive(Debug)]
struct Session {
    owner: Owner,
    number: u64,
    counts: Vec<ServiceCounts>,
    report: SessionReport,
    keep: Keep,
}

impl Sessions {
    /// Opens a session; its id, or `None` where too many are open.
    pub fn start(&self, owner: Owner, now_unix_ns: u64, mut keep: Keep) -> Option<String> {
        let mut inner = self.lock();
        let open = inner.all.values().filter(|session| session.report.ended_unix_ms == 0).count();
        if open >= MAX_OPEN {
            return None;
        }
        if inner.all.len() - open >= ENDED_KEPT {
            let ended = inner.all.iter().filter(|(_, session)| session.report.ended_unix_ms != 0);
            let oldest = ended.min_by_key(|(_, session)| session.number).map(|(id, _)| id.clone());
            oldest.map(|id| inner.all.remove(&id));
        }
        inner.begun += 1;
        // The time tells it from those of an earlier daemon.
        let id = format!("{now_unix_ns:x}-{}", inner.begun);
        let report = SessionReport {
            session: id.clone(),
            started_unix_ms: now_unix_ns / 1_000_000,
            command: beginning(std::mem::take(&mut keep.command)),
            ..SessionReport::default()
        };
        let session = Session { owner, number: inner.begun, counts: Vec::new(), report, keep };
        inner.all.insert(id.clone(), session);
        Some(id)
    }

    /// The figures of a session; `None` where it is not known.
    pub fn report(&self, id: &str) -> Option<SessionReport> {
        self.lock().all.get(id).map(Session::report)
    }

    /// The figures of all sessions that are known, latest first.
    pub fn all(&self) -> Vec<SessionReport> {
        let inner = self.lock();
        let mut all: Vec<&Session> = inner.all.values().collect();
        all.sort_by_key(|session| std::cmp::Reverse(session.number));
        all.into_iter().map(Session::report).collect()
    }

    /// Ends a session, unless it has ended, and gives its journal up; its figures, or `None` where it is not known.
    pub fn end(&self, id: &str, now_unix_ms: u64) -> Option<SessionReport> {
        let mut inner = self.lock();
        let session = inner.all.get_mut(id)?;
        session.end("request", now_unix_ms);
        Some(session.report())
    }

    /// The journal of an open session.
    pub fn journal_of(&self, id: &str) -> Option<Arc<dyn Journal>> {
        self.lock().all.get(id)?.keep.journal.clone()
    }

    /// Ends the sessions whose owner is gone.
    pub fn end_orphans(&self, is_alive: impl Fn(Owner) -> bool, now_unix_ms: u64) {
        for session in self.lock().all.values_mut() {
            if session.report.ended_unix_ms == 0 && !is_alive(session.owner) {
                session.end("owner", now_unix_ms);
            }
        }
    }

    /// Counts something for the session `id`, if that is open and counts.
    pub(crate) fn count(&self, id: &str, add: impl FnOnce(&mut Vec<ServiceCounts>)) {
        if let Some(session) = self.lock().open(id).filter(|session| !session.keep.no_stats) {
            add(&mut session.counts);
        }
    }

    /// Keeps what a person wants to see of a finished request for the session it names.
    pub(crate) fn note(&self, reason: Reason, record: &Record) {
        let mut inner = self.lock();
        let Some(session) = inner.open(&record.session).filter(|session| !session.keep.no_stats) else {
            return;
        };
        session.report.latest.clone_from(&record.source);
        if reason.outcome() != Outcome::Hit && record.tool_us > 0 {
            let slowest = &mut session.report.slowest;
            let place = slowest.partition_point(|other| other.tool_us >= record.tool_us);
            if place < SLOWEST_KEPT {
                slowest.insert(place, record.clone());
                slowest.truncate(SLOWEST_KEPT);
            }
        }
    }

    /// Writes a finished request to the journal of the session it names.
    pub(crate) fn journal(&self, record: &Record) {
        if record.session.is_empty() {
            return;
        }
        // The lock is not held while the journal takes it.
        if let Some(journal) = self.journal_of(&record.session) {
            journal.write(record);
        }
    }

    /// Moves the hit that `record` tells of to `reason`, for the session it was counted for.
    pub(crate) fn recount(&self, service: &'static str, counted: Reason, reason: Reason, record: &Record) {
        let mut inner = self.lock();
        let counts = |session: &&mut Session| !session.keep.no_stats;
        let Some(session) = inner.all.get_mut(&record.session).filter(counts) else { return };
        ServiceCounts::of(&mut session.counts, service).recount(counted, reason, record.tool_us);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn open(&mut self, id: &str) -> Option<&mut Session> {
        self.all.get_mut(id).filter(|session| session.report.ended_unix_ms == 0)
    }
}

impl Session {
    fn report(&self) -> SessionReport {
        let services = self.counts.iter().map(ServiceCounts::stats).collect();
        let lost = self.keep.journal.as_ref().map(|journal| journal.lost());
        let lines_lost = lost.unwrap_or(self.report.lines_lost);
        SessionReport { services, lines_lost, ..self.report.clone() }
    }

    fn end(&mut self, by: &str, now_unix_ms: u64) {
        if self.report.ended_unix_ms == 0 {
            self.report.ended_unix_ms = now_unix_ms.max(1);
            by.clone_into(&mut self.report.ended_by);
            if let Some(journal) = self.keep.journal.take() {
                self.report.lines_lost = journal.lost();
            }
        }
    }
}

fn beginning(mut command: Vec<String>) -> Vec<String> {
    let more = command.len() > WORDS_KEPT;
    command.truncate(WORDS_KEPT);
    for word in &mut command {
        shorten(word, WORD_KEPT);
    }
    command.extend(more.then(|| "…".to_owned()));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_command_the_beginning_is_kept() {
        let sessions = Sessions::default();
        let told = |command: Vec<String>| {
            let keep = Keep { command, ..Keep::default() };
            let id = sessions.start(Owner { pid: 1, start: 2 }, 1, keep).expect("room");
            sessions.report(&id).expect("known").command
        };
        assert_eq!(told(vec!["make".into(), "é".repeat(WORD_KEPT)]), ["make".into(), "é".repeat(WORD_KEPT)]);
        let long = told(vec!["é".repeat(WORD_KEPT + 1); WORDS_KEPT + 1]);
        assert_eq!((long.len(), long[WORDS_KEPT].as_str()), (WORDS_KEPT + 1, "…"));
        assert_eq!(long[0], format!("{}…", "é".repeat(WORD_KEPT)));
    }

    #[test]
    fn the_slowest_are_kept_in_order_and_an_ended_session_counts_no_more() {
        let sessions = Sessions::default();
        let id = sessions.start(Owner { pid: 1, start: 2 }, 5_000_000, Keep::default()).expect("room");
        let count = |tool_us| {
            let record = Record { session: id.clone(), tool_us, ..Record::default() };
            sessions
                .count(&id, |counts| ServiceCounts::of(counts, "compile").count(Reason::FirstSeen, 1, 0, 0));
            sessions.note(Reason::FirstSeen, &record);
        };
        (1..=20).for_each(count);
        sessions.end_orphans(|owner| owner.pid != 1, 9);
        count(100);
        let report = sessions.end(&id, 10).expect("known");
        assert_eq!((report.ended_by.as_str(), report.ended_unix_ms), ("owner", 9));
        assert_eq!(report.services[0].misses, 20);
        let slowest: Vec<u64> = report.slowest.iter().map(|record| record.tool_us).collect();
        assert_eq!(slowest, (11..=20).rev().collect::<Vec<_>>());
    }

    #[test]
    fn open_sessions_and_remembered_ones_are_bounded() {
        let sessions = Sessions::default();
        let owner = Owner { pid: 1, start: 2 };
        let first = sessions.start(owner, 1, Keep::default()).expect("room");
        sessions.end(&first, 1);
        for _ in 0..ENDED_KEPT {
            let id = sessions.start(owner, 1, Keep::default()).expect("room");
            sessions.end(&id, 1);
        }
        assert!(sessions.start(owner, 1, Keep::default()).is_some());
        assert!(sessions.report(&first).is_none(), "the oldest is forgotten");
        while sessions.start(owner, 1, Keep::default()).is_some() {}
        assert!(sessions.lock().all.len() <= MAX_OPEN + ENDED_KEPT);
    }
}
