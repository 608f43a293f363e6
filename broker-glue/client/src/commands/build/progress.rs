//! The progress of a build, on the last line of a terminal.
//!
//! The build writes to the same terminal, and nothing may come between what it writes. The last line is therefore taken
//! out of what scrolls (DECSTBM, which every terminal of today knows), and the cursor put back after each change: the
//! build's bytes stay where and what they are.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use larder_proto::v1::SessionReport;
use rustix::termios::tcgetwinsize;

use super::super::render;

/// Fewer lines than this are left to the build.
const LEAST_ROWS: u16 = 5;

/// The line, for as long as it is there.
pub(super) struct Progress {
    /// Of the terminal, when the last line was reserved.
    rows: u16,
}

impl Progress {
    /// Reserves the line; `None` where standard error is no terminal, or none that can do so.
    pub(super) fn begin() -> Option<Self> {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        if dumb || !io::stderr().is_terminal() {
            return None;
        }
        let (rows, _) = size()?;
        let progress = Self { rows };
        // Room below the cursor first: the region's change takes the cursor to its top, and DECRC back.
        write(&format!("\n\x1b[A{}", region(rows)));
        Some(progress)
    }

    /// Shows how far the session has come.
    pub(super) fn show(&mut self, report: &SessionReport) {
        let Some((rows, columns)) = size() else { return };
        let mut bytes = String::new();
        if rows != self.rows {
            self.rows = rows;
            bytes.push_str(&region(rows));
        }
        let line = line(report, usize::from(columns));
        let _ = write!(bytes, "\x1b7\x1b[{rows};1H\x1b[2K\x1b[7m{line}\x1b[0m\x1b8");
        write(&bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        // The whole terminal scrolls again, and the line is empty.
        write(&format!("\x1b7\x1b[r\x1b[{};1H\x1b[2K\x1b8", self.rows));
    }
}

/// What takes the last of `rows` lines out of what scrolls.
fn region(rows: u16) -> String {
    format!("\x1b7\x1b[1;{}r\x1b8", rows - 1)
}

fn size() -> Option<(u16, u16)> {
    let size = tcgetwinsize(io::stderr()).ok()?;
    (size.ws_row >= LEAST_ROWS && size.ws_col > 0).then_some((size.ws_row, size.ws_col))
}

/// In one piece, so that what the build writes comes before or after it.
fn write(bytes: &str) {
    let _ = io::stderr().write_all(bytes.as_bytes());
}

/// Hits, misses, rate, time saved and the current file, in at most `columns` characters.
fn line(report: &SessionReport, columns: usize) -> String {
    let sum = |of: fn(&larder_proto::v1::ServiceStats) -> u64| report.services.iter().map(of).sum::<u64>();
    let (hits, misses) = (sum(|row| row.hits), sum(|row| row.misses));
    let rate =
        (hits * 100).checked_div(hits + misses).map_or_else(String::new, |rate| format!(" ({rate} %)"));
    let saved = render::duration(sum(|row| row.avoided_us));
    let text = format!(" larder: {hits} hits{rate}, {misses} misses, {saved} saved  {}", report.latest);
    text.chars().map(|char| if char.is_control() { '?' } else { char }).take(columns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::v1::ServiceStats;

    #[test]
    fn the_line_says_how_far_it_is_and_stays_one_line() {
        let services = vec![
            ServiceStats { hits: 3, misses: 1, avoided_us: 2_000_000, ..ServiceStats::default() },
            ServiceStats { hits: 3, misses: 1, ..ServiceStats::default() },
        ];
        let report = SessionReport { services, latest: "a\n\x1bb.c".into(), ..SessionReport::default() };
        let text = line(&report, 200);
        assert_eq!(
            text,
            format!(" larder: 6 hits (75 %), 2 misses, {} saved  a??b.c", render::duration(2_000_000))
        );
        assert_eq!(line(&report, 7), " larder");
        assert!(!line(&SessionReport::default(), 200).contains('%'));
    }
}
