//! A journal as a trace: what ran when, and beside what else.

use larder_glue::journal::Line;
use serde::Serialize;

/// Most requests that a trace shows.
const MOST: usize = 1_000_000;

/// Most rows of it.
const MOST_ROWS: usize = 1024;

/// A trace in the making.
#[derive(Debug, Default)]
pub struct Trace(Vec<Line>);

/// In the form that Chrome's tracing has described.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    /// Each request, with its phases within it.
    pub trace_events: Vec<Event>,
    /// For readers that show one unit.
    pub display_time_unit: &'static str,
}

/// One stretch of time.
#[derive(Debug, Serialize)]
pub struct Event {
    /// What is written on it.
    pub name: String,
    /// Its outcome, or "phase".
    pub cat: String,
    /// "X": it has a beginning and a length.
    pub ph: &'static str,
    /// When it began, microseconds.
    pub ts: u64,
    /// How long it took, microseconds.
    pub dur: u64,
    /// The program that made the call.
    pub pid: u32,
    /// The row.
    pub tid: usize,
    /// What else is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Args>,
}

/// What else is known of a request.
#[derive(Debug, Serialize)]
pub struct Args {
    tool: String,
    reason: String,
    difference: String,
    about: String,
    output: String,
    key: String,
    bytes: u64,
    avoided_us: u64,
}

impl Trace {
    /// Adds a request.
    pub fn add(&mut self, line: &Line) {
        if self.0.len() < MOST {
            self.0.push(line.clone());
        }
    }

    /// The trace. Requests that overlap in time lie on different rows.
    #[must_use]
    pub fn told(self) -> Told {
        let begin = |line: &Line| line.time.saturating_mul(1000).saturating_sub(line.us.total());
        let mut lines = self.0;
        lines.sort_by_key(begin);
        let mut events = Vec::new();
        // When each row is free again.
        let mut rows: Vec<u64> = Vec::new();
        for line in lines {
            let (ts, dur) = (begin(&line), line.us.total());
            let tid = match rows.iter().position(|free| *free <= ts) {
                Some(row) => row,
                None if rows.len() < MOST_ROWS => {
                    rows.push(0);
                    rows.len() - 1
                }
                None => MOST_ROWS - 1,
            };
            rows[tid] = rows[tid].max(ts.saturating_add(dur));
            let event = |name: &str, cat: &str, ts, dur, args| Event {
                name: name.to_owned(),
                cat: cat.to_owned(),
                ph: "X",
                ts,
                dur,
                pid: line.build,
                tid,
                args,
            };
            let what = [&line.unit, &line.source, &line.key, &line.tool];
            let name = what.into_iter().find(|name| !name.is_empty()).map_or("", String::as_str);
            let args = Args {
                tool: line.tool.clone(),
                reason: line.reason.clone(),
                difference: line.difference.clone(),
                about: line.about.clone(),
                output: line.output.clone(),
                key: line.key.clone(),
                bytes: line.bytes,
                avoided_us: line.us.avoided,
            };
            events.push(event(name, &line.outcome, ts, dur, Some(args)));
            let mut at = ts;
            for (phase, us) in [
                ("wait", line.us.wait),
                ("lookup", line.us.lookup),
                ("run", line.us.run),
                ("publish", line.us.publish),
            ] {
                if us > 0 {
                    events.push(event(phase, "phase", at, us, None));
                    at = at.saturating_add(us);
                }
            }
        }
        Told { trace_events: events, display_time_unit: "ms" }
    }
}
