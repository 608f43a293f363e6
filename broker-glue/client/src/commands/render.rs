//! Reports, as a person reads them on a terminal.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use super::journal::summary::Told;
use larder_proto::v1::{
    Cleared, Day, Figure, Record, RustArtifacts, ServiceStats, SessionReport, Stats, Status,
};

pub(super) fn status(status: &Status) -> String {
    let mut lines = vec![
        ("daemon", format!("{} (pid {}, version {})", status.state, status.pid, status.version)),
        ("page", or_none(&status.page)),
        ("broker", format!("{} ({})", status.broker, or_none(&status.broker_page))),
        ("endpoint", status.endpoint.clone()),
        ("uptime", duration(status.uptime_ms * 1000)),
        ("memory", bytes(status.memory_bytes)),
        ("clients", status.connections.to_string()),
    ];
    if let Some(store) = &status.store {
        lines.push(("store", store.folder.clone()));
        lines.push((
            "",
            format!(
                "{} of {}, {} blobs, {} results",
                bytes(store.bytes),
                bytes(store.limit_bytes),
                store.blobs,
                store.actions
            ),
        ));
    }
    lines.extend(status.warnings.iter().map(|warning| ("warning", warning.clone())));
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<10}{value}");
    }
    text
}

/// The counts of a day or a service by outcome.
pub(super) fn outcomes(day: &Day) -> [(&'static str, String); 5] {
    [
        ("hits", day.hits.to_string()),
        ("misses", day.misses.to_string()),
        ("uncacheable", day.uncacheable.to_string()),
        ("errors", day.errors.to_string()),
        ("bypasses", day.bypasses.to_string()),
    ]
}

/// The services that did something, and with `verbose` all of them and all that is known of each.
pub(super) fn stats(stats: &Stats, verbose: bool) -> String {
    let mut text = format!("counted since {}\n", time(stats.since_unix_ms));
    let is_shown = |service: &&ServiceStats| {
        verbose || !service.reasons.is_empty() || service.figures.iter().any(|f| f.value > 0)
    };
    for service in stats.services.iter().filter(is_shown) {
        self::service(&mut text, service, verbose);
    }
    for record in &stats.records {
        let about = if record.detail.is_empty() { String::new() } else { format!(" ({})", record.detail) };
        let _ = writeln!(
            text,
            "{:>6} {:<12} {} {}: {}{about}",
            record.id,
            record.outcome,
            record.tool,
            what(record),
            record.reason
        );
    }
    text
}

fn service(text: &mut String, service: &ServiceStats, verbose: bool) {
    let rate = (service.hits * 100)
        .checked_div(service.hits + service.misses)
        .map_or_else(String::new, |percent| format!("  ({percent} % hits)"));
    let _ = writeln!(text, "{}{rate}", service.service);
    let counts = Day {
        hits: service.hits,
        misses: service.misses,
        uncacheable: service.uncacheable,
        errors: service.errors,
        bypasses: service.bypasses,
        ..Day::default()
    };
    let mut lines = Vec::from(outcomes(&counts));
    lines.push(("time avoided", duration(service.avoided_us)));
    lines.push(("own time", duration(service.overhead_us)));
    if verbose {
        lines.push(("  looking up", duration(service.lookup_us)));
        lines.push(("    checking", duration(service.validate_us)));
        lines.push(("  storing", duration(service.publish_us)));
        lines.push(("waiting", duration(service.wait_us)));
    }
    lines.extend(service.figures.iter().map(|figure| (figure.title.as_str(), figure_value(figure))));
    for (name, value) in lines {
        let _ = writeln!(text, "  {name:<14}{value:>10}");
    }
    if !service.reasons.is_empty() {
        let _ = writeln!(text, "  why:");
    }
    for reason in &service.reasons {
        let (count, outcome, sentence) = (reason.count, &reason.outcome, &reason.sentence);
        if verbose {
            let time = duration(reason.tool_us);
            let _ = writeln!(text, "  {count:>8}  {time:>10}  {outcome:<12} {}: {sentence}", reason.id);
        } else {
            let _ = writeln!(text, "  {count:>8}  {outcome:<12} {sentence}");
        }
    }
}

/// One call; `sentence` says its reason in words.
pub(super) fn record(record: &Record, sentence: &str) -> String {
    let tool_time = match record.outcome.as_str() {
        "hit" => format!("{} avoided", duration(record.tool_us)),
        _ if record.tool_us > 0 => duration(record.tool_us),
        _ => String::new(),
    };
    let lines = [
        ("outcome", record.outcome.clone()),
        ("because", sentence.to_owned()),
        ("about", record.detail.clone()),
        ("tool", record.tool.clone()),
        ("crate", record.unit.clone()),
        ("source", record.source.clone()),
        ("output", record.output.clone()),
        ("in", record.cwd.clone()),
        ("tool time", tool_time),
        ("larder", duration(record.overhead_us)),
        ("action", record.key.clone()),
    ];
    let mut text = String::new();
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{name:<10}{value}");
    }
    text
}

/// What was built: a crate where the tool says so, else the source.
fn what(record: &Record) -> &str {
    if record.unit.is_empty() { &record.source } else { &record.unit }
}

/// What of a build was no hit, one line each; `sentence` says a record's reason in words.
pub(super) fn missed<'a>(
    missed: &[&'a Record],
    hits: usize,
    sentence: impl Fn(&'a Record) -> &'a str,
) -> String {
    let mut text = format!("{hits} hits, {} other calls in the last build\n", missed.len());
    for record in missed {
        let what = what(record);
        let about = if record.detail.is_empty() { String::new() } else { format!(": {}", record.detail) };
        let _ = writeln!(text, "{:<12} {what}: {}{about}", record.outcome, sentence(record));
    }
    text
}

/// A session's figures: one line for each service, then the slowest calls that were no hits.
pub(super) fn session(report: &SessionReport) -> String {
    let mut text =
        format!("{:<10}{:>8}{:>8}{:>8}{:>8}  {}\n", "service", "hits", "rate", "misses", "other", "saved");
    for row in &report.services {
        let other = row.uncacheable + row.errors + row.bypasses;
        let rate = (row.hits * 100)
            .checked_div(row.hits + row.misses)
            .map_or_else(String::new, |rate| format!("{rate} %"));
        let _ = writeln!(
            text,
            "{:<10}{:>8}{rate:>8}{:>8}{other:>8}  {}",
            row.service,
            row.hits,
            row.misses,
            duration(row.avoided_us)
        );
    }
    if !report.slowest.is_empty() {
        text.push_str("slowest that were no hits:\n");
    }
    let reasons = || report.services.iter().flat_map(|service| &service.reasons);
    for record in &report.slowest {
        let about = if record.detail.is_empty() { String::new() } else { format!(": {}", record.detail) };
        let time = duration(record.tool_us);
        let because = reasons().find(|reason| reason.id == record.reason);
        let because = because.map_or(record.reason.as_str(), |reason| &reason.sentence);
        let _ = writeln!(text, "{time:>9}  {} {}: {because}{about}", record.tool, what(record));
    }
    if report.lines_lost > 0 {
        let _ = writeln!(text, "{} calls are missing in its journal or log", report.lines_lost);
    }
    if report.ended_by == "owner" {
        text.push_str("it ended with the process that it was started for\n");
    }
    text
}

/// A journal's sums, one table for each way to group them.
pub(super) fn summary(told: &Told) -> String {
    let mut text = String::new();
    for (title, rows) in
        [("outcome", &told.outcomes), ("tool", &told.tools), ("reason", &told.reasons), ("file", &told.files)]
    {
        let _ = writeln!(
            text,
            "{title:<32}{:>8}{:>8}{:>14}{:>14}{:>12}",
            "calls", "hits", "tool time", "saved", "bytes"
        );
        for row in rows {
            let name: String = row.name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
            let sums = &row.sums;
            let _ = writeln!(
                text,
                "{name:<32}{:>8}{:>8}{:>14}{:>14}{:>12}",
                sums.requests,
                sums.hits,
                duration(sums.run_us),
                duration(sums.avoided_us),
                bytes(sums.bytes)
            );
        }
        text.push('\n');
    }
    let _ =
        writeln!(text, "{} calls; larder's own time was {}", told.all.requests, duration(told.all.own_us));
    text
}

/// What was removed, or would be.
pub(super) fn cleared(cleared: &Cleared, dry_run: bool) -> String {
    let verb = if dry_run { "would remove" } else { "removed" };
    let mut text = format!(
        "{verb} {} results and manifests and {} blobs, {}\n",
        cleared.records,
        cleared.blobs,
        bytes(cleared.bytes)
    );
    if cleared.blobs_in_use > 0 {
        let _ = writeln!(text, "{} blobs are in use and stay", cleared.blobs_in_use);
    }
    if cleared.records_unowned > 0 {
        let _ = writeln!(
            text,
            "{} results and manifests stay: an earlier version did not note whose they are; `larder clear` takes them",
            cleared.records_unowned
        );
    }
    text
}

/// What is cached of Rust, one line each.
pub(super) fn artifacts(artifacts: &RustArtifacts, now_unix_ms: u64) -> String {
    let mut text = String::new();
    for artifact in &artifacts.artifacts {
        let age = duration(now_unix_ms.saturating_sub(artifact.created_unix_ms).saturating_mul(1000));
        let name = format!("{} {}", artifact.name, artifact.version);
        let _ = writeln!(
            text,
            "{:<36} {:<12} {:>9} {:>12}  {}",
            name.trim_end(),
            artifact.kind,
            bytes(artifact.bytes),
            age,
            artifact.outputs.join(" ")
        );
    }
    text
}

fn figure_value(figure: &Figure) -> String {
    match figure.unit.as_str() {
        "bytes" => bytes(figure.value),
        "us" => duration(figure.value),
        _ => figure.value.to_string(),
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

/// A time by UTC, to the second. What is beyond the year 9999 has no form, and is its end.
pub(super) fn time(unix_ms: u64) -> String {
    const LAST_SECOND: u64 = 253_402_300_799;
    let seconds = Duration::from_secs((unix_ms / 1000).min(LAST_SECOND));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + seconds).to_string()
}

/// The date by UTC, `day` days after 1970-01-01.
pub(super) fn date(day: u32) -> String {
    let mut date = time(u64::from(day) * 24 * 60 * 60 * 1000);
    date.truncate("2026-01-31".len());
    date
}

/// Bytes in binary units with three significant digits.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut whole = count;
    let mut rest = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    match (unit, whole) {
        (0, _) => format!("{whole} B"),
        (_, 100..) => format!("{whole} {}", UNITS[unit]),
        (_, 10..) => format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit]),
        _ => format!("{whole}.{:02} {}", rest * 100 / 1024, UNITS[unit]),
    }
}

/// Microseconds in the two largest units that say something.
pub(super) fn duration(us: u64) -> String {
    let seconds = us / 1_000_000;
    match seconds {
        0 if us < 10_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        0 => format!("{} ms", us / 1000),
        1..60 => format!("{seconds}.{} s", us % 1_000_000 / 100_000),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86400, seconds % 86400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_utc_and_none_is_too_late() {
        assert_eq!(time(1_764_028_800_999), "2025-11-25T00:00:00Z");
        assert_eq!((date(20_782).as_str(), date(u32::MAX).as_str()), ("2026-11-25", "9999-12-31"));
        assert_eq!(time(u64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn sizes_and_times_are_given_in_fitting_units() {
        for (count, text) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (10 << 30, "10.0 GiB"), (300 << 20, "300 MiB")]
        {
            assert_eq!(bytes(count), text);
        }
        for (us, text) in [
            (0, "0.0 ms"),
            (1_500, "1.5 ms"),
            (250_000, "250 ms"),
            (61_000_000, "1 min 1 s"),
            (90_000_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(us), text);
        }
    }
}
