//! The figures, as people read them: on the terminal, and in docs/performance.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::Context as _;

use super::record::{Against, Record, Row};
use crate::workspace;

/// What bounds the figures, and what was tried: no run tells that.
const NOTES: &str = include_str!("notes.md");

/// One line for each row. `before` are the ratios of the run before, in the same order.
pub(super) fn table(rows: &[Row], before: Option<&[Option<f64>]>) -> String {
    let mut text = String::from(
        "| what | figures (median, least) | ratio | goal | reached | before |\n|---|---|---|---|---|---|\n",
    );
    for (index, row) in rows.iter().enumerate() {
        let unit = &row.unit;
        let figures: Vec<String> = row
            .figures
            .iter()
            .map(|figure| {
                let median = shown(figure.median);
                if (figure.median - figure.least).abs() < f64::EPSILON {
                    format!("{} {median} {unit}", figure.who)
                } else {
                    format!("{} {median} ({}) {unit}", figure.who, shown(figure.least))
                }
            })
            .collect();
        let of = match row.against {
            Against::Alone => " of alone",
            Against::BestPeer => " of the best peer",
            Against::Limit => "",
        };
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), shown);
        let reached = match row.reached() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "–",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {}{of} | {reached} | {} |",
            row.title,
            figures.join(", "),
            number(row.ratio()),
            number(row.goal),
            number(before.and_then(|before| before.get(index).copied().flatten())),
        );
    }
    text
}

/// Writes docs/performance.md.
pub(super) fn write(record: &Record) -> anyhow::Result<()> {
    let (rows, before): (Vec<Row>, Vec<Option<f64>>) =
        record.latest().into_iter().map(|(row, before)| (row.clone(), before)).unzip();
    let mut text = String::from(
        "# Performance\n\nWritten by `cargo xtask bench --peers`; all runs are in `performance.json`. Contenders take turns, rounds that \
         warm up\ndo not count, every output is compared with the compiler's own, and larder's hits are counted. *Alone* is the tool \
         without\na cache, or with its own. Lower ratios are better.\n\n",
    );
    text.push_str(&table(&rows, Some(&before)));
    if let Some(run) = record.runs.last() {
        let _ = writeln!(text, "\nThe latest run was of {}, on:\n\n| | |\n|---|---|", run.date);
        for (name, value) in &run.machine {
            let _ = writeln!(text, "| {name} | {value} |");
        }
        // Peers take part in some runs only; theirs is the one that they had in the last.
        let versions: BTreeMap<_, _> = record.runs.iter().flat_map(|run| &run.versions).collect();
        for (name, version) in versions {
            let _ = writeln!(text, "| {name} | {version} |");
        }
    }
    text.push_str(NOTES);
    let path = workspace::root().join("docs/performance.md");
    fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// Three digits that matter.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Figure;
    use super::*;

    #[test]
    fn a_row_says_what_was_reached() {
        let figure = |who: &str, median| Figure { who: who.to_owned(), median, least: 1.0 };
        let row = Row {
            id: "x".to_owned(),
            title: "a hit".to_owned(),
            unit: "ms".to_owned(),
            against: Against::BestPeer,
            goal: Some(0.5),
            figures: vec![figure("larder", 2.0), figure("other", 3.0)],
        };
        let text = table(&[row], Some(&[Some(0.9)]));
        let line = text.lines().last().expect("a row");
        assert_eq!(
            line,
            "| a hit | larder 2.00 (1.00) ms, other 3.00 (1.00) ms | 0.67 | 0.50 of the best peer | **no** | 0.90 |"
        );
    }
}
