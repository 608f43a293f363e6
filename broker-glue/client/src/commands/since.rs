//! `larder stats --since PERIOD`: whole days by UTC, which are the smallest unit that outlives the daemon.

use std::fmt::Write as _;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use larder_proto::DAYS_KEPT;
use larder_proto::v1::{Day, Overview};
use serde::Serialize;

use super::render;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How far to look back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period(Duration);

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix(['m', 'h', 'd', 'w']);
        let is_plain = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        let period = humantime::parse_duration(text).ok().filter(|period| is_plain && !period.is_zero());
        let period = period.ok_or("it is no period\nhint: 30m, 12h, 1d, 7d or 2w")?;
        if period > DAY * DAYS_KEPT {
            return Err(format!("{DAYS_KEPT} days are kept\nhint: --since {DAYS_KEPT}d"));
        }
        Ok(Self(period))
    }
}

/// What was counted on the days that a period reaches into.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Sum {
    /// Version of the JSON form.
    schema_version: u32,
    /// Start of the first of these days, Unix time in milliseconds; the last one is today.
    since_unix_ms: u64,
    /// Sums over the days; "day" is the first one.
    total: Day,
    /// Those of them that have counts, earliest first.
    days: Vec<Day>,
}

pub(super) fn sum(overview: &Overview, period: Period) -> Sum {
    let now = UNIX_EPOCH.elapsed().unwrap_or_default();
    days(overview, now.saturating_sub(period.0))
}

fn days(overview: &Overview, since: Duration) -> Sum {
    let first = u32::try_from(since.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX);
    let days: Vec<Day> = overview.days.iter().filter(|day| day.day >= first).copied().collect();
    let mut total = Day { day: first, ..Day::default() };
    for day in &days {
        for (sum, counted) in [
            (&mut total.hits, day.hits),
            (&mut total.misses, day.misses),
            (&mut total.uncacheable, day.uncacheable),
            (&mut total.errors, day.errors),
            (&mut total.bypasses, day.bypasses),
            (&mut total.avoided_us, day.avoided_us),
            (&mut total.tool_us, day.tool_us),
            (&mut total.overhead_us, day.overhead_us),
        ] {
            *sum = sum.saturating_add(counted);
        }
    }
    Sum { schema_version: 1, since_unix_ms: u64::from(first) * DAY.as_secs() * 1000, total, days }
}

pub(super) fn text(sum: &Sum, json: bool, verbose: bool) -> anyhow::Result<String> {
    if json {
        return Ok(serde_json::to_string_pretty(sum)? + "\n");
    }
    let mut text = format!("since {}, 00:00 UTC: whole days, all services\n", render::date(sum.total.day));
    let (day, mut lines) = (&sum.total, Vec::from(render::outcomes(&sum.total)));
    lines.extend([
        ("time avoided", render::duration(day.avoided_us)),
        ("tools' time", render::duration(day.tool_us)),
        ("own time", render::duration(day.overhead_us)),
    ]);
    for (name, value) in lines {
        let _ = writeln!(text, "  {name:<14}{value:>10}");
    }
    if verbose {
        let names = ["day", "hits", "misses", "uncacheable", "errors", "bypasses", "avoided"];
        let [day, counts @ ..] = names;
        let _ = writeln!(text, "{day:<12}{}", counts.map(|name| format!("{name:>12}")).concat());
        for day in &sum.days {
            let counts = render::outcomes(day).map(|(_, count)| format!("{count:>12}")).concat();
            let _ = writeln!(
                text,
                "{:<12}{counts}{:>12}",
                render::date(day.day),
                render::duration(day.avoided_us)
            );
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_whole_numbers_of_one_unit_within_what_is_kept() {
        for (text, seconds) in [("30m", 1800), ("12h", 43_200), ("1d", 86_400), ("2w", 1_209_600)] {
            assert_eq!(text.parse(), Ok(Period(Duration::from_secs(seconds))), "{text}");
        }
        for wrong in ["", "1", "d", "0d", "-1d", "1.5h", "1s", "2M", "1h30m", "91d", "99999999999999999999w"]
        {
            let error = Period::from_str(wrong).expect_err(wrong);
            assert!(error.contains("hint: "), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_period_is_the_days_that_it_reaches_into() {
        let day = |day, hits| Day { day, hits, avoided_us: hits, ..Day::default() };
        let overview = Overview { days: vec![day(5, 1), day(6, 2), day(8, 4)], ..Overview::default() };
        let of = |since: Duration| {
            let sum = days(&overview, since);
            (sum.total.hits, sum.total.avoided_us, sum.days.len(), sum.since_unix_ms / 86_400_000)
        };
        assert_eq!(of(DAY * 6 + Duration::from_secs(1)), (6, 6, 2, 6));
        assert_eq!(of(DAY * 7), (4, 4, 1, 7));
        assert_eq!(of(Duration::ZERO), (7, 7, 3, 0));
    }
}
