//! A journal added up.

use std::collections::HashMap;

use larder_glue::journal::Line;
use serde::Serialize;

/// Version of the summary's JSON form.
const SCHEMA_VERSION: u32 = 1;

/// Most different files, tools or reasons that are told apart; what comes beyond is counted under [`REST`].
const MOST_ROWS: usize = 100_000;

/// Most files that are told.
const FILES_TOLD: usize = 20;

const REST: &str = "(others)";

/// Sums in the making.
#[derive(Debug, Default)]
pub struct Summary {
    outcomes: HashMap<String, Sums>,
    tools: HashMap<String, Sums>,
    reasons: HashMap<String, Sums>,
    files: HashMap<String, Sums>,
    all: Sums,
}

/// What a journal adds up to.
#[derive(Debug, Serialize)]
pub struct Told {
    /// Version of this form.
    pub schema_version: u32,
    /// Everything.
    pub all: Sums,
    /// By outcome.
    pub outcomes: Vec<Row>,
    /// By tool.
    pub tools: Vec<Row>,
    /// By reason.
    pub reasons: Vec<Row>,
    /// By source or crate, those on which tools ran longest first; at most 20.
    pub files: Vec<Row>,
}

/// One row.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What it is about.
    pub name: String,
    /// Its sums.
    #[serde(flatten)]
    pub sums: Sums,
}

/// Sums over requests.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Sums {
    /// How many.
    pub requests: u64,
    /// How many of them were hits.
    pub hits: u64,
    /// Bytes restored or stored.
    pub bytes: u64,
    /// Time of tools, microseconds.
    pub run_us: u64,
    /// Time that tools did not take, microseconds.
    pub avoided_us: u64,
    /// Time of the daemon, microseconds.
    pub own_us: u64,
}

impl Summary {
    /// Adds a request.
    pub fn add(&mut self, line: &Line) {
        let file = if line.unit.is_empty() { &line.source } else { &line.unit };
        self.all.add(line);
        row(&mut self.outcomes, &line.outcome).add(line);
        row(&mut self.tools, &line.tool).add(line);
        row(&mut self.reasons, &line.reason).add(line);
        if !file.is_empty() {
            row(&mut self.files, file).add(line);
        }
    }

    /// The sums, most first.
    #[must_use]
    pub fn told(self) -> Told {
        let mut files = rows(self.files, |sums| sums.run_us);
        files.truncate(FILES_TOLD);
        Told {
            schema_version: SCHEMA_VERSION,
            all: self.all,
            outcomes: rows(self.outcomes, |sums| sums.requests),
            tools: rows(self.tools, |sums| sums.requests),
            reasons: rows(self.reasons, |sums| sums.requests),
            files,
        }
    }
}

fn row<'a>(rows: &'a mut HashMap<String, Sums>, name: &str) -> &'a mut Sums {
    let name = if rows.len() >= MOST_ROWS && !rows.contains_key(name) { REST } else { name };
    rows.entry(name.to_owned()).or_default()
}

fn rows(rows: HashMap<String, Sums>, by: fn(&Sums) -> u64) -> Vec<Row> {
    let mut rows: Vec<_> = rows.into_iter().map(|(name, sums)| Row { name, sums }).collect();
    rows.sort_by(|a, b| by(&b.sums).cmp(&by(&a.sums)).then_with(|| a.name.cmp(&b.name)));
    rows
}

impl Sums {
    fn add(&mut self, line: &Line) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.requests, 1);
        add(&mut self.hits, u64::from(line.outcome == "hit"));
        add(&mut self.bytes, line.bytes);
        add(&mut self.run_us, line.us.run);
        add(&mut self.avoided_us, line.us.avoided);
        add(&mut self.own_us, line.us.lookup.saturating_add(line.us.publish));
    }
}
