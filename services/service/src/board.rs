//! The board: every finished request is counted here, and every report is read from here.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_proto::v1::{Record, Stats};

use crate::counts::{Phases, ServiceCounts};
use crate::{Comparisons, Outcome, Reason, Sessions};

/// Version of the statistics' JSON form.
const SCHEMA_VERSION: u32 = 1;

/// How many of the latest records are kept.
const RECORDS_KEPT: usize = 1000;

/// A finished request, as a service describes it.
#[derive(Clone, Debug, Default)]
pub struct NewRecord {
    /// Unix time in milliseconds at which the request ended.
    pub at_unix_ms: u64,
    /// The tool's name as it was called.
    pub tool: String,
    /// The source, as the caller named it.
    pub source: String,
    /// The output, as the caller named it.
    pub output: String,
    /// What the reason is about: a file, an option, a variable's name. Never a variable's value.
    pub detail: String,
    /// The daemon's own time, microseconds.
    pub overhead_us: u64,
    /// The tool's time, microseconds: of this call on a miss, of the stored call on a hit.
    pub tool_us: u64,
    /// Bytes of outputs restored or stored.
    pub bytes: u64,
    /// Action key in hexadecimal, or empty.
    pub key: String,
    /// Working folder of the call.
    pub cwd: String,
    /// What is built, where the tool says so: a crate and its version.
    pub unit: String,
    /// Process id of the program that made the call; 0 when unknown.
    pub build: u32,
    /// The session it belongs to, or empty.
    pub session: String,
    /// Time for finding out whether the result is known, microseconds; a part of `overhead_us`.
    pub lookup_us: u64,
    /// Time spent checking what was known against the files, microseconds; a part of `lookup_us`.
    pub validate_us: u64,
    /// Time spent waiting for another client that compiled the same, microseconds.
    pub wait_us: u64,
    /// Time for storing the result, microseconds; a part of `overhead_us`.
    pub publish_us: u64,
}

/// Counts and latest records of all services. Shared by all of them.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
    sessions: Sessions,
    comparisons: Comparisons,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    /// All counts since the daemon started, which the counts by day are made of.
    services: Vec<ServiceCounts>,
    records: VecDeque<Record>,
    /// Since when what is shown is counted.
    since_unix_ms: u64,
    /// What was counted before that.
    before: Vec<ServiceCounts>,
    /// The first record after that.
    first_id: u64,
}

impl Board {
    /// An empty board for `services`, counting since `since_unix_ms`.
    #[must_use]
    pub fn new(since_unix_ms: u64, services: &[&'static str]) -> Self {
        let services = services.iter().map(|service| ServiceCounts::new(service)).collect();
        Self {
            inner: Mutex::new(Inner { next_id: 1, services, since_unix_ms, ..Inner::default() }),
            sessions: Sessions::default(),
            comparisons: Comparisons::default(),
        }
    }

    /// Counts one finished request and returns its record's id.
    pub fn record(&self, service: &'static str, reason: Reason, new: NewRecord) -> u64 {
        let (overhead_us, tool_us) = (new.overhead_us, new.tool_us);
        let phases = Phases {
            lookup_us: new.lookup_us,
            validate_us: new.validate_us,
            wait_us: new.wait_us,
            publish_us: new.publish_us,
        };
        let add = |counts: &mut Vec<ServiceCounts>| {
            let counts = ServiceCounts::of(counts, service);
            counts.count(reason, 1, overhead_us, tool_us);
            counts.phases.add(phases);
        };
        let (id, of_session) = self.keep(service, reason, new, add);
        if let Some(record) = of_session {
            self.sessions.count(&record.session, add);
            self.sessions.note(reason, &record);
            self.sessions.journal(&record);
        }
        id
    }

    /// Counts `requests` finished requests that leave no record of their own: where there are thousands a second, they
    /// would push out all others. They belong to `session`, or to none; the times are sums over them, as in [`NewRecord`].
    pub fn count(
        &self,
        session: &str,
        service: &'static str,
        reason: Reason,
        requests: u64,
        overhead_us: u64,
        tool_us: u64,
    ) {
        ServiceCounts::of(&mut self.lock().services, service).count(reason, requests, overhead_us, tool_us);
        if !session.is_empty() {
            self.sessions.count(session, |counts| {
                ServiceCounts::of(counts, service).count(reason, requests, overhead_us, tool_us);
            });
        }
    }

    /// Keeps a record of requests that have been counted and [journalled](Self::journal), and returns its id.
    pub fn note(&self, service: &'static str, reason: Reason, new: NewRecord) -> u64 {
        let (id, of_session) = self.keep(service, reason, new, |_| {});
        if let Some(record) = of_session {
            self.sessions.note(reason, &record);
        }
        id
    }

    /// Writes one request that leaves no record of its own to its session's journal.
    pub fn journal(&self, service: &'static str, reason: Reason, new: NewRecord) {
        self.sessions.journal(&record(0, service, reason, new));
    }

    /// Keeps the record, and under the same lock does `also` to the counts; its id, and a copy for its session, if it
    /// names one: a client waits for its hit.
    fn keep(
        &self,
        service: &'static str,
        reason: Reason,
        new: NewRecord,
        also: impl FnOnce(&mut Vec<ServiceCounts>),
    ) -> (u64, Option<Record>) {
        let mut inner = self.lock();
        also(&mut inner.services);
        let id = inner.next_id;
        inner.next_id += 1;
        let record = record(id, service, reason, new);
        let of_session = (!record.session.is_empty()).then(|| record.clone());
        if inner.records.len() == RECORDS_KEPT {
            inner.records.pop_back();
        }
        inner.records.push_front(record);
        (id, of_session)
    }

    /// Counts the hit with the record `id` under `reason` instead: the client could make no use of it. Nothing happens
    /// where that is none of the latest hits of `service`.
    pub fn take_back(&self, service: &'static str, id: u64, reason: Reason) {
        let mut inner = self.lock();
        let Inner { services, records, before, first_id, .. } = &mut *inner;
        let hit = |record: &&mut Record| {
            record.id == id && record.service == service && record.outcome == Outcome::Hit.id()
        };
        let Some(record) = records.iter_mut().find(hit) else { return };
        let Some(counted) = Reason::ALL.iter().find(|known| known.id() == record.reason) else { return };
        ServiceCounts::of(services, service).recount(*counted, reason, record.tool_us);
        if id < *first_id {
            // It is none of what is counted since then.
            ServiceCounts::of(before, service).recount(*counted, reason, record.tool_us);
        }
        self.sessions.recount(service, *counted, reason, record);
        record.outcome = reason.outcome().id().to_owned();
        record.reason = reason.id().to_owned();
        // What was to be restored and saved was not.
        (record.bytes, record.tool_us) = (0, 0);
    }

    /// The statistics of all services, with the latest `records` records.
    #[must_use]
    pub fn stats(&self, records: usize) -> Stats {
        self.lock().stats(records)
    }

    /// Counts what [`Self::stats`] tells from `now_unix_ms` on; what it told until then. Records and sessions stay.
    pub fn begin_anew(&self, now_unix_ms: u64, records: usize) -> Stats {
        let mut inner = self.lock();
        let told = inner.stats(records);
        inner.before = inner.services.clone();
        inner.first_id = inner.next_id;
        inner.since_unix_ms = now_unix_ms;
        told
    }

    /// The statistics since the daemon started, however often the counts were begun anew; without records.
    #[must_use]
    pub fn totals(&self) -> Stats {
        let inner = self.lock();
        Stats {
            schema_version: SCHEMA_VERSION,
            services: inner.services.iter().map(ServiceCounts::stats).collect(),
            ..Stats::default()
        }
    }

    /// The sessions that requests belong to.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// What the latest misses had that earlier calls had not.
    #[must_use]
    pub fn comparisons(&self) -> &Comparisons {
        &self.comparisons
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counts stay meaningful after a panic elsewhere; refusing to count would hide it.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn stats(&self, records: usize) -> Stats {
        let since = |counts: &ServiceCounts| {
            let before = self.before.iter().find(|before| before.service == counts.service);
            before.map_or_else(|| counts.stats(), |before| counts.since(before).stats())
        };
        Stats {
            schema_version: SCHEMA_VERSION,
            since_unix_ms: self.since_unix_ms,
            services: self.services.iter().map(since).collect(),
            records: self.records.iter().take(records).cloned().collect(),
        }
    }
}

fn record(id: u64, service: &'static str, reason: Reason, new: NewRecord) -> Record {
    Record {
        id,
        at_unix_ms: new.at_unix_ms,
        service: service.to_owned(),
        tool: new.tool,
        source: new.source,
        output: new.output,
        outcome: reason.outcome().id().to_owned(),
        reason: reason.id().to_owned(),
        detail: new.detail,
        overhead_us: new.overhead_us,
        tool_us: new.tool_us,
        bytes: new.bytes,
        key: new.key,
        cwd: new.cwd,
        unit: new.unit,
        build: new.build,
        session: new.session,
        lookup_us: new.lookup_us,
        validate_us: new.validate_us,
        wait_us: new.wait_us,
        publish_us: new.publish_us,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::v1::ServiceStats;

    #[test]
    fn each_request_is_counted_under_its_outcome_and_its_reason() {
        let board = Board::new(7, &["compile"]);
        board.record(
            "compile",
            Reason::DirectHit,
            NewRecord { tool_us: 5, overhead_us: 1, ..Default::default() },
        );
        board.record(
            "compile",
            Reason::FirstSeen,
            NewRecord { tool_us: 9, overhead_us: 2, ..Default::default() },
        );
        board.record("compile", Reason::FirstSeen, NewRecord::default());
        let stats = board.stats(2);
        let compile = &stats.services[0];
        assert_eq!((compile.hits, compile.misses, compile.errors), (1, 2, 0));
        assert_eq!((compile.avoided_us, compile.overhead_us), (5, 3));
        assert_eq!(compile.reasons[0].id, "first_seen");
        assert_eq!(stats.records.iter().map(|r| r.id).collect::<Vec<_>>(), [3, 2]);
    }

    #[test]
    fn requests_without_a_record_are_counted_and_a_record_of_several_counts_none() {
        let board = Board::new(0, &["go"]);
        board.count("", "go", Reason::GoHit, 1000, 20, 300);
        board.count("", "go", Reason::GoFirstSeen, 2, 1, 300);
        board.note("go", Reason::GoFirstSeen, NewRecord { overhead_us: 21, ..Default::default() });
        let stats = board.stats(10);
        let go = &stats.services[0];
        assert_eq!((go.hits, go.misses, go.overhead_us, go.avoided_us), (1000, 2, 21, 300));
        assert_eq!(stats.records.len(), 1);
    }

    #[test]
    fn a_hit_that_was_of_no_use_is_counted_as_what_it_was() {
        let board = Board::new(0, &["compile"]);
        let id = board.record(
            "compile",
            Reason::DirectHit,
            NewRecord { tool_us: 5, bytes: 9, ..Default::default() },
        );
        for _ in 0..2 {
            board.take_back("compile", id, Reason::RestoreFailed);
        }
        board.take_back("compile", id + 1, Reason::RestoreFailed);
        let stats = board.stats(1);
        let compile = &stats.services[0];
        assert_eq!((compile.hits, compile.errors, compile.avoided_us), (0, 1, 0));
        assert!(compile.reasons.iter().all(|reason| reason.tool_us == 0), "{:?}", compile.reasons);
        let record = &stats.records[0];
        assert_eq!(
            (record.outcome.as_str(), record.reason.as_str(), record.bytes),
            ("error", "restore_failed", 0)
        );
    }

    #[test]
    fn a_session_that_counts_nothing_counts_no_hit_that_is_taken_back_either() {
        let board = Board::new(0, &["compile"]);
        let keep = crate::Keep { no_stats: true, ..Default::default() };
        let session = board.sessions().start(crate::Owner { pid: 1, start: 2 }, 1, keep).expect("room");
        let new = NewRecord { session: session.clone(), ..Default::default() };
        let id = board.record("compile", Reason::DirectHit, new);
        board.take_back("compile", id, Reason::RestoreFailed);
        assert_eq!(board.sessions().report(&session).expect("known").services, []);
        assert_eq!(board.stats(1).services[0].errors, 1);
    }

    #[test]
    fn counts_begin_anew_and_the_totals_and_the_records_go_on() {
        let board = Board::new(7, &["compile"]);
        let new = || NewRecord { tool_us: 5, overhead_us: 3, lookup_us: 2, ..Default::default() };
        let early = board.record("compile", Reason::DirectHit, new());
        let told = board.begin_anew(9, 1);
        assert_eq!((told.since_unix_ms, told.services[0].hits, told.records.len()), (7, 1, 1));
        let stats = board.stats(9);
        assert_eq!((stats.since_unix_ms, stats.records.len()), (9, 1));
        assert_eq!(stats.services[0], ServiceStats { service: "compile".into(), ..Default::default() });
        board.record("compile", Reason::DirectHit, new());
        // Of the hits it is the one before that was of no use.
        board.take_back("compile", early, Reason::RestoreFailed);
        let compile = board.stats(0).services.remove(0);
        assert_eq!((compile.hits, compile.errors, compile.avoided_us), (1, 0, 5));
        assert_eq!((compile.overhead_us, compile.lookup_us), (3, 2));
        let total = board.totals().services.remove(0);
        assert_eq!((total.hits, total.errors, total.lookup_us), (1, 1, 4));
    }

    #[test]
    fn only_the_latest_records_are_kept() {
        let board = Board::new(0, &[]);
        for _ in 0..RECORDS_KEPT + 5 {
            board.record("compile", Reason::DirectHit, NewRecord::default());
        }
        let stats = board.stats(usize::MAX);
        assert_eq!(stats.records.len(), RECORDS_KEPT);
        assert_eq!(stats.services[0].hits, RECORDS_KEPT as u64 + 5);
    }
}
