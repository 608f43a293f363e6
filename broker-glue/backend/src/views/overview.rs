//! How it goes, in short.

use larder_proto::v1::{Day, Overview, Stats};

use super::causes;
use crate::reports::SCHEMA_VERSION;

/// How many causes are shown.
const COSTLIEST: usize = 3;

pub(crate) fn overview(stats: &Stats, days: Vec<Day>, today: Day, paused: bool) -> Overview {
    let mut costliest = causes(stats);
    costliest.retain(|cause| cause.tool_us > 0);
    costliest.truncate(COSTLIEST);
    Overview {
        schema_version: SCHEMA_VERSION,
        verdict: verdict(&today, paused),
        today: Some(today),
        days,
        costliest,
        paused,
    }
}

fn verdict(today: &Day, paused: bool) -> String {
    if paused {
        return "Caching is paused: every tool runs by itself".to_owned();
    }
    let asked = today.hits + today.misses;
    if asked == 0 {
        return match today.uncacheable + today.errors {
            0 => "Nothing has been built through larder today".to_owned(),
            ran => format!("None of today's {} could be cached", counted(ran, "build step", "build steps")),
        };
    }
    // Rounded down: a hundred says that nothing missed.
    let percent = today.hits * 100 / asked;
    let of = counted(asked, "build step", "build steps");
    let net = i128::from(today.avoided_us) - i128::from(today.overhead_us);
    let time = match u64::try_from(net) {
        Ok(us) if us >= 1000 => format!("{} saved today", span(us)),
        Ok(_) => "no time saved yet today".to_owned(),
        Err(_) => format!("{} spent on filling it today", span(u64::try_from(-net).unwrap_or(u64::MAX))),
    };
    format!("{percent} % of {of} came from the cache; {time}")
}

fn counted(count: u64, one: &str, many: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {}", if count == 1 { one } else { many })
}

/// A time in the one unit that says most.
fn span(us: u64) -> String {
    let seconds = us / 1_000_000;
    let counted = |count, one| counted(count, one, &format!("{one}s"));
    match seconds {
        0 => format!("{} ms", us / 1000),
        1..120 => counted(seconds, "second"),
        120..7200 => counted(seconds / 60, "minute"),
        _ => counted(seconds / 3600, "hour"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_counts_and_rounds_down() {
        let day = |hits, misses, avoided_us, overhead_us| Day {
            hits,
            misses,
            avoided_us,
            overhead_us,
            ..Day::default()
        };
        let minute = 60_000_000;
        for (day, expected) in [
            (Day::default(), "Nothing has been built through larder today"),
            (
                day(1132, 72, 20 * minute, 2 * minute),
                "94 % of 1,204 build steps came from the cache; 18 minutes saved today",
            ),
            (
                day(0, 1, 0, 2_000_000),
                "0 % of 1 build step came from the cache; 2 seconds spent on filling it today",
            ),
            (day(999, 1, 5_000, 0), "99 % of 1,000 build steps came from the cache; 5 ms saved today"),
            (Day { uncacheable: 2, ..Day::default() }, "None of today's 2 build steps could be cached"),
        ] {
            assert_eq!(verdict(&day, false), expected);
        }
    }
}
