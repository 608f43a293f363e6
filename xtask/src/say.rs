//! What a person reads while a verb runs.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Writes one line to standard output. A reader that has gone away is no reason to stop.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes one line to standard error.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Lines of one verb, each with the time since the verb began.
pub(crate) struct Progress(Instant);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn line(&self, text: &str) {
        line(&format!("[{:>7.1} s] {text}", self.0.elapsed().as_secs_f64()));
    }
}

/// A duration as people say it.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_given_in_fitting_units() {
        assert_eq!(time(Duration::from_millis(1_240)), "1.2 s");
        assert_eq!(time(Duration::from_secs(125)), "2 min 05 s");
    }
}
