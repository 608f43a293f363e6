//! A journal's reader, and what is made of its lines.

use larder_client::commands::journal::summary::Summary;
use larder_client::commands::journal::trace::Trace;
use larder_glue::journal::{Found, LINE_LIMIT, Reader};

/// Each line is told once, as a request or by its number; what was read is written and read as the same; sums and trace
/// take whatever was read.
pub fn check(bytes: &[u8]) {
    let whole = bytes.iter().filter(|byte| **byte == b'\n').count();
    let (mut told, mut summary, mut trace) = (0, Summary::default(), Trace::default());
    for found in all(bytes) {
        told += 1;
        match found {
            Found::Line(line) => {
                let written = line.written();
                if written.len() <= LINE_LIMIT {
                    let again = all(&written);
                    assert!(matches!(&again[..], [Found::Line(same)] if *same == line), "{again:?}");
                }
                summary.add(&line);
                trace.add(&line);
            }
            Found::Bad(number, _) => assert_eq!(number, told, "another line"),
        }
    }
    assert_eq!(told, whole as u64, "a line is missing, or one without an end was told");
    assert!(summary.told().all.requests <= told);
    let events = trace.told().trace_events;
    assert!(events.len() as u64 <= told * 5);
}

fn all(bytes: &[u8]) -> Vec<Found> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(|| reader.next_line().expect("memory does not fail")).collect()
}
