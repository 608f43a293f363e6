//! `cargo xtask <verb>`: what people do with this repository besides editing it. One file per verb.
//!
//! Owns: fetching what the tests need, the order of the checks, the demonstration, the measurements, the rules that `tidy` holds.
//! Must never: be needed to build or use larder.

mod bench;
mod chaos;
mod count;
mod demo;
mod fuzz;
mod house;
mod install;
mod man;
mod projects;
mod release;
mod run;
mod say;
mod setup;
mod sources;
mod test;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Work on larder's repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fetch what the tests need into target/tools; quick where it is there
    Setup,
    /// Build a real C project without larder, with an empty cache, and with a filled one
    Demo {
        /// Leave daemon and broker running, so that their pages can be looked at
        #[arg(long)]
        keep: bool,
    },
    /// Measure what larder costs, beside other caches; writes docs/performance.md
    Bench {
        /// Install other caches first; those that are there are always measured
        #[arg(long)]
        peers: bool,
        /// Measure this alone; may be given several times
        #[arg(long, value_enum)]
        only: Vec<bench::Group>,
        /// Print the figures as JSON
        #[arg(long)]
        json: bool,
    },
    /// Count the instructions of a hit on either side, and compare them with xtask/counts.toml
    Count {
        /// Keep the new figures as those to compare with
        #[arg(long)]
        write: bool,
    },
    /// Run every check and every test
    Test {
        /// Run this step alone
        #[arg(long, value_enum)]
        only: Option<test::Step>,
        /// Arguments for cargo nextest
        #[arg(last = true)]
        nextest: Vec<String>,
    },
    /// Run the fuzz targets: crashes are kept in target/fuzz/crashes, what was learnt in target/fuzz/corpus
    Fuzz {
        /// Run this target alone
        target: Option<String>,
        /// How long each target runs
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u32,
    },
    /// Kill, stop and damage everything of larder's at random while compilers run through it
    Chaos {
        /// For how long
        #[arg(long, value_name = "N", default_value_t = 10)]
        minutes: u64,
        /// From which all that happens follows
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// How often a daemon is killed and started after that
        #[arg(long, value_name = "N", default_value_t = 1000)]
        restarts: u64,
    },
    /// Serve many clients of every kind at once, and watch times and memory
    Soak {
        /// For how long
        #[arg(long, value_name = "N", default_value_t = 60)]
        minutes: u64,
        /// From which all that is asked for follows
        #[arg(long, value_name = "N", default_value_t = 1)]
        seed: u64,
        /// How many at once
        #[arg(long, value_name = "N", default_value_t = 64)]
        clients: u64,
    },
    /// Build the three programs and put them into DIR/bin
    Install {
        /// Default: the folder that cargo installs into
        #[arg(long, value_name = "DIR")]
        root: Option<PathBuf>,
    },
    /// Write the manual pages
    Man {
        /// Default: target/man
        folder: Option<PathBuf>,
    },
    /// Check imports between crates, file sizes, documentation and wording
    Tidy,
}

fn main() -> ExitCode {
    let done = match Cli::parse().verb {
        Verb::Setup => setup::run().map(drop),
        Verb::Demo { keep } => demo::run(keep),
        Verb::Bench { peers, only, json } => bench::run(peers, &only, json),
        Verb::Count { write } => count::run(write),
        Verb::Test { only, nextest } => test::run(only, &nextest),
        Verb::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Verb::Chaos { minutes, seed, restarts } => chaos::chaos(minutes, seed, restarts),
        Verb::Soak { minutes, seed, clients } => chaos::soak(minutes, seed, clients),
        Verb::Install { root } => install::run(root),
        Verb::Man { folder } => man::run(folder),
        Verb::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::error(&format!("xtask: {error}"));
            for cause in error.chain().skip(1) {
                say::error(&format!("  because: {cause}"));
            }
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        <super::Cli as clap::CommandFactory>::command().debug_assert();
    }
}
