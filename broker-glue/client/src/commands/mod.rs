//! The commands that people type.

mod build;
mod clear;
mod dashboard;
mod doctor;
mod explain;
mod render;
mod restart;
mod rust;
mod session;
mod start;
mod stats;
mod status;
mod stop;

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One build cache for every compiler on this machine.
#[derive(Debug, Parser)]
#[command(name = "larder", version, about, after_help = EXAMPLES, help_template = TEMPLATE, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Anything else is taken for a tool, and called through the cache:
  larder gcc -c hello.c -o hello.o      make CC=\"larder gcc\"      larder build -- cargo build
  cmake -DCMAKE_C_COMPILER_LAUNCHER=larder …      ln -s $(command -v larder) ~/bin/gcc
RUNNING_PROCESS_DISABLE=1 runs every tool without larder; for Go: export GOCACHEPROG=\"larder go\".";

/// Short, so that the list of commands has a screen for itself.
const TEMPLATE: &str = "{about}\n\n{usage-heading} {usage}\n\n{subcommands}\n\n{after-help}";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start broker and daemon, where they are not running, and show where they are
    Start,
    /// Stop the daemon; return when it is gone
    Stop {
        /// Stop the broker as well
        #[arg(long)]
        broker: bool,
    },
    /// Stop the daemon and start it again
    Restart,
    /// Remove what is cached
    Clear {
        /// Only of this service, as `larder stats` names it
        #[arg(long)]
        service: Option<String>,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
    /// Show whether the daemon runs, where, and how it is
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the address of the daemon's page
    Dashboard {
        /// Open it in a browser
        #[arg(long)]
        open: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a build with its compilers called through larder: larder build -- cargo build
    Build {
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Show how the latest compile of an object or source ended, and why; without one, each miss of the last build
    Explain {
        /// An object or a source, as the compiler was told
        file: Option<std::path::PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Count the calls of one build by themselves
    Session {
        #[command(subcommand)]
        command: session::Command,
    },
    /// Check what surrounds larder, and say what to do
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Serve a go command, which runs this as its GOCACHEPROG
    #[command(hide = true)]
    Go {
        /// None: the go command gives none
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Look at what is cached of Rust
    Rust {
        #[command(subcommand)]
        command: rust::Command,
    },
    /// Show what came from the cache, what did not, and why
    Stats {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// How many of the latest requests to list, at most 1000
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
        records: u32,
    },
}

/// Whether `word` is one of larder's commands rather than a tool's name.
#[must_use]
pub fn is_command(word: &OsStr) -> bool {
    word.to_str().is_some_and(<Command as Subcommand>::has_subcommand)
}

/// Runs the command that this process was called with. Exit code 0: done; 1: it did not work, or no daemon runs;
/// 2: the command line is wrong.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which stream each belongs to.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = match cli.command {
        Command::Start => start::run(),
        Command::Stop { broker } => stop::run(broker),
        Command::Restart => restart::run(),
        Command::Clear { service, dry_run } => clear::run(service, dry_run),
        Command::Status { json } => status::run(json),
        Command::Dashboard { open, json } => dashboard::run(open, json),
        Command::Build { command } => build::run(&command),
        Command::Explain { file: Some(file), json } => explain::run(&file, json),
        Command::Explain { file: None, json } => explain::last_build(json),
        Command::Session { command } => session::run(&command),
        Command::Rust { command } => rust::run(&command),
        Command::Doctor { json } => doctor::run(json),
        Command::Go { args } if args.is_empty() => return crate::go::run(),
        Command::Go { .. } => Err(anyhow::anyhow!(
            "failed to use arguments: `larder go` is what the go command runs by itself\nhint: larder build -- go build"
        )),
        Command::Stats { json, records } => stats::run(json, records),
    };
    match done {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "larder: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A reader that has seen enough is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Says something beside a command's result.
fn say(sentence: &str) {
    let _ = writeln!(std::io::stderr(), "larder: {sentence}");
}

/// Writes a result to standard output.
fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_tools() {
        for word in [
            "start",
            "stop",
            "restart",
            "clear",
            "session",
            "status",
            "stats",
            "explain",
            "doctor",
            "go",
            "rust",
            "build",
            "dashboard",
        ] {
            assert!(is_command(OsStr::new(word)), "{word}");
        }
        for word in ["gcc", "cc", "/usr/bin/clang", "rustc", "starter", ""] {
            assert!(!is_command(OsStr::new(word)), "{word}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
