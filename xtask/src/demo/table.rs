//! The result, as people read it.

use std::fmt::Write as _;

use serde_json::Value;

use super::pass::Pass;
use crate::say;

/// One row per pass. The speed-up is against the first.
pub(super) fn of(passes: &[Pass]) -> String {
    let mut text = format!(
        "{:<16}{:>7}{:>7}{:>8}{:>13}{:>8}{:>10}{:>14}{:>10}\n",
        "pass", "files", "hits", "misses", "uncacheable", "errors", "bypasses", "time", "speed-up"
    );
    for pass in passes {
        let count = |of: fn(&crate::house::Counts) -> u64| {
            pass.counts.as_ref().map_or_else(|| "-".to_owned(), |counts| of(counts).to_string())
        };
        let speed =
            passes.first().map_or(1.0, |plain| plain.took.as_secs_f64() / pass.took.as_secs_f64().max(1e-9));
        let _ = writeln!(
            text,
            "{:<16}{:>7}{:>7}{:>8}{:>13}{:>8}{:>10}{:>14}{:>10}",
            pass.title,
            pass.files,
            count(|counts| counts.hits),
            count(|counts| counts.misses),
            count(|counts| counts.uncacheable),
            count(|counts| counts.errors),
            count(|counts| counts.bypasses),
            say::time(pass.took),
            format!("{speed:.2} x"),
        );
    }
    text
}

/// What the store holds.
pub(super) fn store(status: &Value) -> String {
    let count = |name: &str| status["store"][name].as_u64().unwrap_or(0);
    format!(
        "{} results, {} blobs, {:.1} MiB of {:.0} MiB",
        count("actions"),
        count("blobs"),
        mebibytes(count("bytes")),
        mebibytes(count("limit_bytes"))
    )
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit after the point")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::Counts;
    use std::time::Duration;

    #[test]
    fn each_pass_is_one_row_and_compared_with_the_first() {
        let pass =
            |title, seconds, counts| Pass { title, files: 9, took: Duration::from_secs(seconds), counts };
        let hits = Counts { hits: 9, ..Counts::default() };
        let text = of(&[pass("plain", 30, None), pass("filled", 10, Some(hits))]);
        let rows: Vec<Vec<&str>> =
            text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["plain", "9", "-", "-", "-", "-", "-", "30.0", "s", "1.00", "x"]);
        assert_eq!(rows[1], ["filled", "9", "9", "0", "0", "0", "0", "10.0", "s", "3.00", "x"]);
    }
}
