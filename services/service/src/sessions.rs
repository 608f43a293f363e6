//! Sessions: the requests of one build, counted by themselves.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_proto::v1::{Record, SessionReport};

use crate::board::ServiceCounts;
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
}

impl Sessions {
    /// Opens a session; its id, or `None` where too many are open.
    pub fn start(&self, owner: Owner, now_unix_ns: u64) -> Option<String> {
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
            ..SessionReport::default()
        };
        let session = Session { owner, number: inner.begun, counts: Vec::new(), report };
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

    /// Ends a session, unless it has ended; its figures, or `None` where it is not known.
    pub fn end(&self, id: &str, now_unix_ms: u64) -> Option<SessionReport> {
        let mut inner = self.lock();
        let session = inner.all.get_mut(id)?;
        session.end("request", now_unix_ms);
        Some(session.report())
    }

    /// Ends the sessions whose owner is gone.
    pub fn end_orphans(&self, is_alive: impl Fn(Owner) -> bool, now_unix_ms: u64) {
        for session in self.lock().all.values_mut() {
            if session.report.ended_unix_ms == 0 && !is_alive(session.owner) {
                session.end("owner", now_unix_ms);
            }
        }
    }

    /// Counts a finished request for the session it names, if that is open.
    pub(crate) fn count(&self, service: &'static str, reason: Reason, record: &Record) {
        let mut inner = self.lock();
        let Some(session) = inner.all.get_mut(&record.session) else { return };
        if session.report.ended_unix_ms != 0 {
            return;
        }
        let counts = ServiceCounts::of(&mut session.counts, service);
        counts.count(reason, 1, record.overhead_us, record.tool_us);
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

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn report(&self) -> SessionReport {
        let services = self.counts.iter().map(ServiceCounts::stats).collect();
        SessionReport { services, ..self.report.clone() }
    }

    fn end(&mut self, by: &str, now_unix_ms: u64) {
        if self.report.ended_unix_ms == 0 {
            self.report.ended_unix_ms = now_unix_ms.max(1);
            by.clone_into(&mut self.report.ended_by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_are_kept_in_order_and_an_ended_session_counts_no_more() {
        let sessions = Sessions::default();
        let id = sessions.start(Owner { pid: 1, start: 2 }, 5_000_000).expect("room");
        let count = |tool_us| {
            let record = Record { session: id.clone(), tool_us, ..Record::default() };
            sessions.count("compile", Reason::FirstSeen, &record);
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
        let first = sessions.start(owner, 1).expect("room");
        sessions.end(&first, 1);
        for _ in 0..ENDED_KEPT {
            let id = sessions.start(owner, 1).expect("room");
            sessions.end(&id, 1);
        }
        assert!(sessions.start(owner, 1).is_some());
        assert!(sessions.report(&first).is_none(), "the oldest is forgotten");
        while sessions.start(owner, 1).is_some() {}
        assert!(sessions.lock().all.len() <= MAX_OPEN + ENDED_KEPT);
    }
}
