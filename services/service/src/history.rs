//! Counts by day, which outlive the daemon.

use std::collections::BTreeMap;

use larder_proto::DAYS_KEPT;
use larder_proto::v1::{Day, ServiceStats, Stats};

const FIELDS: usize = 8;
const ROW_BYTES: usize = 4 + FIELDS * 8;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Counts of the latest days, and what the running daemon has added so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    days: BTreeMap<u32, [u64; FIELDS]>,
    /// Totals of the daemon's counts that are in `days` already.
    absorbed: [u64; FIELDS],
}

/// Bytes that are no history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
    /// Of a version that this daemon does not know.
    #[error("the statistics by day are of another version")]
    Version,
    /// Not of the form that the version has.
    #[error("the statistics by day are damaged")]
    Damaged,
}

impl History {
    /// Version of the stored form.
    pub const VERSION: u8 = 1;

    /// Reads the stored form, little-endian: version; for each day, rising, its number since 1970-01-01 and its eight
    /// sums in the order of [`Day`].
    ///
    /// # Errors
    /// For any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, HistoryError> {
        let (version, rows) = bytes.split_first().ok_or(HistoryError::Damaged)?;
        if *version != Self::VERSION {
            return Err(HistoryError::Version);
        }
        if rows.len() % ROW_BYTES != 0 || rows.len() / ROW_BYTES > DAYS_KEPT as usize {
            return Err(HistoryError::Damaged);
        }
        let mut days = BTreeMap::new();
        for row in rows.chunks_exact(ROW_BYTES) {
            let (day, sums) = row.split_at(4);
            let day = u32::from_le_bytes(day.try_into().map_err(|_| HistoryError::Damaged)?);
            if days.last_key_value().is_some_and(|(last, _)| *last >= day) {
                return Err(HistoryError::Damaged);
            }
            let mut values = [0; FIELDS];
            for (value, bytes) in values.iter_mut().zip(sums.chunks_exact(8)) {
                *value = u64::from_le_bytes(bytes.try_into().map_err(|_| HistoryError::Damaged)?);
            }
            days.insert(day, values);
        }
        Ok(Self { days, absorbed: [0; FIELDS] })
    }

    /// What [`Self::decode`] reads.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.days.len() * ROW_BYTES);
        bytes.push(Self::VERSION);
        for (day, values) in &self.days {
            bytes.extend(day.to_le_bytes());
            values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        }
        bytes
    }

    /// Adds what `stats` has beyond what it had at the last call, to the day of `now_unix_ms`; whether that was
    /// anything.
    pub fn absorb(&mut self, stats: &Stats, now_unix_ms: u64) -> bool {
        let totals = totals(stats);
        if totals == self.absorbed {
            return false;
        }
        let today = day_of(now_unix_ms);
        let day = self.days.entry(today).or_default();
        for ((sum, now), then) in day.iter_mut().zip(totals).zip(self.absorbed) {
            *sum = sum.saturating_add(now.saturating_sub(then));
        }
        self.absorbed = totals;
        // A clock that was once ahead must not push out the days that are.
        while self.days.len() > DAYS_KEPT as usize {
            self.days.pop_first();
        }
        self.days.retain(|day, _| day.saturating_add(DAYS_KEPT) > today);
        true
    }

    /// All days that are kept, earliest first.
    #[must_use]
    pub fn days(&self) -> Vec<Day> {
        self.days.iter().map(|(day, sums)| row(*day, *sums)).collect()
    }

    /// The day of `now_unix_ms`, which may have no counts.
    #[must_use]
    pub fn day(&self, now_unix_ms: u64) -> Day {
        let day = day_of(now_unix_ms);
        row(day, self.days.get(&day).copied().unwrap_or_default())
    }
}

fn day_of(unix_ms: u64) -> u32 {
    u32::try_from(unix_ms / DAY_MS).unwrap_or(u32::MAX)
}

fn row(day: u32, sums: [u64; FIELDS]) -> Day {
    let [hits, misses, uncacheable, errors, bypasses, avoided_us, tool_us, overhead_us] = sums;
    Day { day, hits, misses, uncacheable, errors, bypasses, avoided_us, tool_us, overhead_us }
}

fn totals(stats: &Stats) -> [u64; FIELDS] {
    let sum = |field: fn(&ServiceStats) -> u64| stats.services.iter().map(field).fold(0, u64::saturating_add);
    let ran = |service: &ServiceStats| {
        service.reasons.iter().filter(|reason| reason.outcome != "hit").map(|reason| reason.tool_us).sum()
    };
    [
        sum(|service| service.hits),
        sum(|service| service.misses),
        sum(|service| service.uncacheable),
        sum(|service| service.errors),
        sum(|service| service.bypasses),
        sum(|service| service.avoided_us),
        sum(ran),
        sum(|service| service.overhead_us),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stats(hits: u64) -> Stats {
        Stats { services: vec![ServiceStats { hits, ..ServiceStats::default() }], ..Stats::default() }
    }

    #[test]
    fn a_day_gets_what_was_counted_since_the_last_look_and_is_kept_for_ninety() {
        let mut history = History::default();
        assert!(history.absorb(&stats(3), 5));
        assert!(!history.absorb(&stats(3), DAY_MS));
        assert!(history.absorb(&stats(5), DAY_MS));
        let hits: Vec<u64> = history.days().iter().map(|day| day.hits).collect();
        assert_eq!(hits, [3, 2]);
        assert!(history.absorb(&stats(6), 91 * DAY_MS));
        assert_eq!(history.days().len(), 1, "older than 90 days");
        assert_eq!((history.day(91 * DAY_MS).hits, history.day(3).hits), (1, 0));
    }

    #[test]
    fn the_next_daemon_goes_on_where_the_last_one_ended() {
        let mut history = History::default();
        history.absorb(&stats(3), 5);
        let mut read = History::decode(&history.encode()).expect("just written");
        assert_eq!(read.days(), history.days());
        read.absorb(&stats(2), 6);
        assert_eq!(read.day(6).hits, 5);
    }

    #[test]
    fn the_stored_form_is_the_golden_one() {
        let mut history = History::default();
        history.days.insert(20_782, [1, 2, 3, 4, 5, 6, 7, 8]);
        history.days.insert(20_783, [u64::MAX; FIELDS]);
        let golden = include_bytes!("../tests/golden/history.v1");
        assert_eq!(history.encode(), golden);
        assert_eq!(History::decode(golden), Ok(history));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(history) = History::decode(&bytes) {
                prop_assert_eq!(history.encode(), bytes);
            }
        }
    }
}
