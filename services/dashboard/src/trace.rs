//! A build as trace events, the JSON form that chrome://tracing and Perfetto read.

use larder_proto::v1::{BuildActions, Record};
use serde_json::{Value, json};

/// One complete event a call; calls that ran at once lie on rows of their own. Times are microseconds since the start.
pub(crate) fn of(build: &BuildActions) -> Value {
    let began = build.records.iter().map(begin).min().unwrap_or_default();
    let mut records: Vec<&Record> = build.records.iter().collect();
    records.sort_by_key(|record| begin(record));
    let mut rows: Vec<u64> = Vec::new();
    let mut events = vec![json!({
        "ph": "M", "pid": 1, "name": "process_name",
        "args": { "name": build.build.as_ref().map(|build| build.id.clone()).unwrap_or_default() },
    })];
    for record in records {
        let (start, end) = (begin(record), record.at_unix_ms.saturating_mul(1000));
        let free = rows.iter().position(|busy| *busy <= start);
        let row = free.unwrap_or_else(|| {
            rows.push(0);
            rows.len() - 1
        });
        rows[row] = end;
        let name = if record.unit.is_empty() { &record.source } else { &record.unit };
        events.push(json!({
            "ph": "X", "pid": 1, "tid": row + 1, "cat": record.outcome,
            "name": if name.is_empty() { &record.tool } else { name },
            "ts": start - began, "dur": end - start,
            "args": {
                "service": record.service, "tool": record.tool, "outcome": record.outcome,
                "reason": record.reason, "detail": record.detail,
                "overhead_us": record.overhead_us, "tool_us": record.tool_us,
            },
        }));
    }
    json!({ "displayTimeUnit": "ms", "traceEvents": events })
}

/// When a call began, Unix time in microseconds: a hit's tool did not run.
fn begin(record: &Record) -> u64 {
    let tool_us = if record.outcome == "hit" { 0 } else { record.tool_us };
    record.at_unix_ms.saturating_mul(1000).saturating_sub(record.overhead_us.saturating_add(tool_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_ran_at_once_get_rows_of_their_own() {
        let record =
            |at_unix_ms, tool_us| Record { at_unix_ms, tool_us, outcome: "miss".into(), ..Record::default() };
        let records = vec![record(10, 10_000), record(12, 10_000), record(30, 5_000)];
        let trace = of(&BuildActions { records, ..BuildActions::default() });
        let events = trace["traceEvents"].as_array().expect("events");
        let rows: Vec<_> = events[1..].iter().map(|event| event["tid"].as_u64()).collect();
        assert_eq!(rows, [Some(1), Some(2), Some(1)]);
        assert_eq!(
            (&events[1]["ts"], &events[2]["ts"], &events[3]["dur"]),
            (&0.into(), &2000.into(), &5000.into())
        );
    }
}
