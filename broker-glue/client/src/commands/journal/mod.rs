//! `larder journal summary|trace`: what a session's journal says.

pub(super) mod open;
pub mod summary;
pub mod trace;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use larder_glue::journal::{Found, Line, Reader};

use summary::Summary;
use trace::Trace;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add up a journal by outcome, tool, reason and file
    Summary {
        /// What `--journal` named
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a journal as a trace for chrome://tracing or ui.perfetto.dev
    Trace {
        /// What `--journal` named
        file: PathBuf,
        /// Where to write it [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Most lines that a bad line's number is told of; the rest are only counted.
const BAD_TOLD: u64 = 3;

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Summary { file, json } => {
            let mut summary = Summary::default();
            read(file, |line| summary.add(line))?;
            let text = if *json {
                serde_json::to_string_pretty(&summary.told())? + "\n"
            } else {
                super::render::summary(&summary.told())
            };
            super::print(&text)?;
        }
        Command::Trace { file, output } => {
            let mut trace = Trace::default();
            read(file, |line| trace.add(line))?;
            let text = serde_json::to_string(&trace.told())? + "\n";
            match output {
                Some(path) => std::fs::write(path, text)
                    .with_context(|| format!("failed to write {}", path.display()))?,
                None => super::print(&text)?,
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Hands each line of the journal to `take`, and says what is none.
fn read(path: &Path, mut take: impl FnMut(&Line)) -> anyhow::Result<()> {
    let failed = || format!("failed to read {}", path.display());
    let mut reader = Reader::new(BufReader::new(File::open(path).with_context(failed)?));
    let (mut lines, mut bad) = (0_u64, 0_u64);
    while let Some(found) = reader.next_line().with_context(failed)? {
        match found {
            Found::Line(line) => {
                lines += 1;
                take(&line);
            }
            Found::Bad(number, why) => {
                bad += 1;
                if bad <= BAD_TOLD {
                    super::say(&format!("line {number} of {} is left out: {why}", path.display()));
                }
            }
        }
    }
    if bad > BAD_TOLD {
        super::say(&format!("{} more lines are left out", bad - BAD_TOLD));
    }
    if lines == 0 && bad > 0 {
        anyhow::bail!(
            "failed to find a journal in {}\nhint: larder build --journal build.jsonl -- make",
            path.display()
        );
    }
    Ok(())
}
