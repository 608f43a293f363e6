//! What was measured, now and in earlier runs: docs/performance.json.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

use crate::workspace;

/// The form of the file. One of another version is not touched.
const VERSION: u32 = 1;

/// Runs that are kept; the oldest go first.
const KEPT: usize = 40;

/// Which figure of others larder's is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Against {
    /// The tool without any cache, or with its own.
    Alone,
    /// The quickest other cache.
    BestPeer,
    /// Nothing: larder's figure itself is held against the limit.
    Limit,
}

/// One contender's figures of one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Figure {
    pub(super) who: String,
    pub(super) median: f64,
    pub(super) least: f64,
}

/// One thing that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    /// Names it in all runs.
    pub(super) id: String,
    pub(super) title: String,
    /// `ms`, `us`, …
    pub(super) unit: String,
    pub(super) against: Against,
    /// Most that the ratio, or under [`Against::Limit`] the figure, should be; `None` where it is only told.
    pub(super) goal: Option<f64>,
    pub(super) figures: Vec<Figure>,
}

/// What the caller of a tool has without a cache.
pub(super) const ALONE: &str = "alone";
/// This project.
pub(super) const LARDER: &str = "larder";

impl Row {
    /// Larder's figure against the one it is compared with.
    pub(super) fn ratio(&self) -> Option<f64> {
        let of = |who: &str| self.figures.iter().find(|figure| figure.who == who).map(|figure| figure.median);
        let larder = of(LARDER)?;
        match self.against {
            Against::Limit => Some(larder),
            Against::Alone => of(ALONE).map(|alone| larder / alone),
            Against::BestPeer => {
                let peers = self.figures.iter().filter(|figure| figure.who != ALONE && figure.who != LARDER);
                peers.map(|figure| figure.median).min_by(f64::total_cmp).map(|best| larder / best)
            }
        }
    }

    /// Whether the goal is reached; `None` where there is none, or nothing to compare with.
    pub(super) fn reached(&self) -> Option<bool> {
        Some(self.ratio()? <= self.goal?)
    }
}

/// All rows of one call of `cargo xtask bench`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) date: String,
    pub(super) machine: Vec<(String, String)>,
    pub(super) versions: BTreeMap<String, String>,
    pub(super) rows: Vec<Row>,
}

/// Every run, oldest first.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    version: u32,
    pub(super) runs: Vec<Run>,
}

impl Record {
    pub(super) fn read() -> anyhow::Result<Self> {
        let path = path();
        let Ok(text) = fs::read_to_string(&path) else {
            return Ok(Self { version: VERSION, runs: Vec::new() });
        };
        let record: Self =
            serde_json::from_str(&text).with_context(|| format!("failed to read {}", path.display()))?;
        if record.version != VERSION {
            bail!("{} is of version {}, and {VERSION} can be read", path.display(), record.version);
        }
        Ok(record)
    }

    pub(super) fn add(&mut self, run: Run) {
        self.runs.push(run);
        let extra = self.runs.len().saturating_sub(KEPT);
        self.runs.drain(..extra);
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        let path = path();
        fs::create_dir_all(workspace::root().join("docs"))?;
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    /// The latest figures of every row, in the order of first appearance, each with the ratio of the run before.
    pub(super) fn latest(&self) -> Vec<(&Row, Option<f64>)> {
        let mut ids: Vec<&str> = Vec::new();
        for row in self.runs.iter().flat_map(|run| &run.rows) {
            if !ids.contains(&row.id.as_str()) {
                ids.push(&row.id);
            }
        }
        ids.into_iter()
            .filter_map(|id| {
                let mut known = self.runs.iter().rev().flat_map(|run| &run.rows).filter(|row| row.id == id);
                let latest = known.next()?;
                Some((latest, known.next().and_then(Row::ratio)))
            })
            .collect()
    }
}

fn path() -> PathBuf {
    workspace::root().join("docs/performance.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(against: Against, figures: &[(&str, f64)]) -> Row {
        let figures = figures
            .iter()
            .map(|(who, median)| Figure { who: (*who).to_owned(), median: *median, least: *median })
            .collect();
        let (id, title, unit) = ("x".to_owned(), "x".to_owned(), "ms".to_owned());
        Row { id, title, unit, against, goal: Some(0.5), figures }
    }

    #[test]
    fn a_ratio_is_taken_against_the_quickest_peer_or_the_tool_alone() {
        let figures = [(ALONE, 100.0), (LARDER, 2.0), ("slow", 8.0), ("quick", 5.0)];
        assert_eq!(row(Against::BestPeer, &figures).ratio(), Some(0.4));
        assert_eq!(row(Against::BestPeer, &figures).reached(), Some(true));
        assert_eq!(row(Against::Alone, &figures).ratio(), Some(0.02));
        assert_eq!(row(Against::Limit, &figures).reached(), Some(false));
        assert_eq!(row(Against::BestPeer, &figures[..2]).reached(), None, "there is no peer");
    }

    #[test]
    fn each_row_is_the_latest_beside_the_one_before() {
        let run = |median| Run {
            date: String::new(),
            machine: Vec::new(),
            versions: BTreeMap::new(),
            rows: vec![row(Against::Limit, &[(LARDER, median)])],
        };
        let record = Record { version: VERSION, runs: vec![run(3.0), run(2.0), run(1.0)] };
        let latest = record.latest();
        assert_eq!((latest.len(), latest[0].0.ratio(), latest[0].1), (1, Some(1.0), Some(2.0)));
    }
}
