//! The board: every finished request is counted here, and every report is read from here.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_proto::v1::{ReasonCount, Record, ServiceStats, Stats};

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
    since_unix_ms: u64,
    inner: Mutex<Inner>,
    sessions: Sessions,
    comparisons: Comparisons,
}

#[derive(Debug, Default)]
struct Inner {
    next_id: u64,
    services: Vec<ServiceCounts>,
    records: VecDeque<Record>,
}

#[derive(Debug)]
pub(crate) struct ServiceCounts {
    service: &'static str,
    /// One count for each row of the reason table.
    counts: Vec<u64>,
    /// The tool's time, for each row too.
    tool_us: Vec<u64>,
    avoided_us: u64,
    overhead_us: u64,
}

impl Board {
    /// An empty board for `services`, counting since `since_unix_ms`.
    #[must_use]
    pub fn new(since_unix_ms: u64, services: &[&'static str]) -> Self {
        let services = services.iter().map(|service| ServiceCounts::new(service)).collect();
        Self {
            since_unix_ms,
            inner: Mutex::new(Inner { next_id: 1, services, records: VecDeque::new() }),
            sessions: Sessions::default(),
            comparisons: Comparisons::default(),
        }
    }

    /// Counts one finished request and returns its record's id.
    pub fn record(&self, service: &'static str, reason: Reason, new: NewRecord) -> u64 {
        let (overhead_us, tool_us) = (new.overhead_us, new.tool_us);
        let add = |counts: &mut Vec<ServiceCounts>| {
            ServiceCounts::of(counts, service).count(reason, 1, overhead_us, tool_us);
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
        let Inner { services, records, .. } = &mut *inner;
        let hit = |record: &&mut Record| {
            record.id == id && record.service == service && record.outcome == Outcome::Hit.id()
        };
        let Some(record) = records.iter_mut().find(hit) else { return };
        let Some(counted) = Reason::ALL.iter().find(|known| known.id() == record.reason) else { return };
        ServiceCounts::of(services, service).recount(*counted, reason, record.tool_us);
        self.sessions.recount(service, *counted, reason, record);
        record.outcome = reason.outcome().id().to_owned();
        record.reason = reason.id().to_owned();
        // What was to be restored and saved was not.
        (record.bytes, record.tool_us) = (0, 0);
    }

    /// The statistics of all services, with the latest `records` records.
    #[must_use]
    pub fn stats(&self, records: usize) -> Stats {
        let inner = self.lock();
        Stats {
            schema_version: SCHEMA_VERSION,
            since_unix_ms: self.since_unix_ms,
            services: inner.services.iter().map(ServiceCounts::stats).collect(),
            records: inner.records.iter().take(records).cloned().collect(),
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

impl ServiceCounts {
    /// Those of `service` among `all`, where they are added if need be.
    pub(crate) fn of<'a>(all: &'a mut Vec<Self>, service: &'static str) -> &'a mut Self {
        let position = all.iter().position(|known| known.service == service).unwrap_or_else(|| {
            all.push(Self::new(service));
            all.len() - 1
        });
        &mut all[position]
    }

    pub(crate) fn count(&mut self, reason: Reason, requests: u64, overhead_us: u64, tool_us: u64) {
        self.counts[reason as usize] += requests;
        self.tool_us[reason as usize] += tool_us;
        self.overhead_us += overhead_us;
        if reason.outcome() == Outcome::Hit {
            self.avoided_us += tool_us;
        }
    }

    /// Moves one hit that `tool_us` were counted for to `reason`.
    pub(crate) fn recount(&mut self, counted: Reason, reason: Reason, tool_us: u64) {
        let count = &mut self.counts[counted as usize];
        *count = count.saturating_sub(1);
        let time = &mut self.tool_us[counted as usize];
        *time = time.saturating_sub(tool_us);
        self.counts[reason as usize] += 1;
        self.avoided_us = self.avoided_us.saturating_sub(tool_us);
    }

    fn new(service: &'static str) -> Self {
        let zeros = vec![0; Reason::ALL.len()];
        Self { service, counts: zeros.clone(), tool_us: zeros, avoided_us: 0, overhead_us: 0 }
    }

    pub(crate) fn stats(&self) -> ServiceStats {
        let sum = |outcome: Outcome| {
            Reason::ALL.iter().filter(|r| r.outcome() == outcome).map(|r| self.counts[*r as usize]).sum()
        };
        let mut reasons: Vec<_> = Reason::ALL
            .iter()
            .filter(|reason| self.counts[**reason as usize] > 0)
            .map(|reason| ReasonCount {
                id: reason.id().to_owned(),
                outcome: reason.outcome().id().to_owned(),
                sentence: reason.sentence().to_owned(),
                count: self.counts[*reason as usize],
                tool_us: self.tool_us[*reason as usize],
            })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        ServiceStats {
            service: self.service.to_owned(),
            hits: sum(Outcome::Hit),
            misses: sum(Outcome::Miss),
            uncacheable: sum(Outcome::Uncacheable),
            errors: sum(Outcome::Error),
            bypasses: sum(Outcome::Bypass),
            reasons,
            avoided_us: self.avoided_us,
            overhead_us: self.overhead_us,
            figures: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
