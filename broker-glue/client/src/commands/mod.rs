//! The commands that people type.

mod build;
mod clear;
mod completions;
mod config;
mod dashboard;
mod doctor;
mod examples;
mod explain;
mod fingerprint;
mod help;
mod init;
pub mod journal;
mod render;
mod report;
mod restart;
mod rust;
mod session;
mod since;
mod start;
mod stats;
mod status;
mod stop;
mod store;

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// One build cache for every compiler on this machine.
#[derive(Debug, Parser)]
#[command(name = "larder", version, about, help_template = help::template(), disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const RUN: &str = "\
Its standard input is empty. What it reads and is not told here does not count: other files, variables, libraries,
programs that it runs, its outputs as they were before, the clock, the network. What it writes and is not told here is
left as it is. A command that fails, or whose inputs change while it runs, is not kept: larder stats tells why.
Exit code: the command's; 2 where what is told here makes no sense; 126 and 127 as a shell has them.

Examples:
  larder run --input 'src/*.proto' --output gen.rs -- protoc-gen src gen.rs";

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
        /// Only of this service, as `larder stats` names it: compile, go or artifact
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
    Build(build::Build),
    /// Show how the latest compile of an object or source ended, and why; without one, each miss of the last build
    Explain {
        /// An object or a source, as the compiler was told
        file: Option<std::path::PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say whether files have changed since the work on them last succeeded
    Fingerprint {
        #[command(subcommand)]
        command: fingerprint::Command,
    },
    /// Count the calls of one build by themselves
    Session {
        #[command(subcommand)]
        command: session::Command,
    },
    /// Make Cargo, CMake and the go command of this user, or of a project, call larder
    Init(init::Options),
    /// Add up or draw the journal that a build or a session has left
    Journal {
        #[command(subcommand)]
        command: journal::Command,
    },
    /// Check what surrounds larder, and say what to do
    Doctor(doctor::Options),
    /// Serve a go command, which runs this as its GOCACHEPROG
    #[command(hide = true)]
    Go {
        /// None: the go command gives none
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<std::ffi::OsString>,
    },
    /// Cache any command that always makes the same of its inputs: larder run --input '*.md' --output book -- make-book
    #[command(after_help = RUN)]
    Run {
        /// Files, folders with all that is in them, and quoted globs (`**` crosses folders) that the command reads
        #[arg(long, value_name = "GLOB", num_args = 1..)]
        input: Vec<std::path::PathBuf>,
        /// Variables that it reads
        #[arg(long, value_name = "NAME", num_args = 1..)]
        env: Vec<std::ffi::OsString>,
        /// Files of the project that it writes
        #[arg(long, value_name = "PATH", num_args = 1..)]
        output: Vec<std::path::PathBuf>,
        /// Share results with other working trees: nothing that it writes shows where the tree lies
        #[arg(long)]
        portable: bool,
        /// The command and its arguments
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
    },
    /// Keep and get files under keys of your own: put, get, has
    Store {
        #[command(subcommand)]
        command: store::Command,
    },
    /// Look at what is cached of Rust
    Rust {
        #[command(subcommand)]
        command: rust::Command,
    },
    /// Show what came from the cache, what did not, and why
    Stats(stats::Options),
    /// Show a report of the daemon's page: overview, misses, builds, services, store and more
    Report(report::Options),
    /// Show settings and where they come from, or write one
    Config {
        #[command(subcommand)]
        command: config::Command,
    },
    /// Write what lets a shell complete larder's command line
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What other caches call some commands.
const ALIASES: &[(&str, &[&str])] = &[
    ("-s", &["stats"]),
    ("--show-stats", &["stats"]),
    ("-z", &["stats", "--zero-stats"]),
    ("--zero-stats", &["stats", "--zero-stats"]),
    ("--start-server", &["start"]),
    ("--stop-server", &["stop"]),
];

/// The command line with examples, for help, completions and manual pages.
#[must_use]
pub fn command() -> clap::Command {
    examples::with_examples(<Cli as clap::CommandFactory>::command(), "")
}

/// The arguments of this process, with larder's own words in the place of another cache's.
fn arguments() -> Vec<std::ffi::OsString> {
    let mut args: Vec<_> = std::env::args_os().collect();
    let own = |word: &OsStr| ALIASES.iter().find(|(known, _)| word == *known).map(|(_, own)| *own);
    if let Some(own) = args.get(1).and_then(|word| own(word)) {
        args.splice(1..2, own.iter().map(Into::into));
    }
    args
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
    let matches = command().try_get_matches_from(arguments());
    let cli = match matches.and_then(|matches| <Cli as clap::FromArgMatches>::from_arg_matches(&matches)) {
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
        Command::Build(build) => build::run(&build),
        Command::Explain { file: Some(file), json } => explain::run(&file, json),
        Command::Explain { file: None, json } => explain::last_build(json),
        Command::Fingerprint { command } => return fingerprint::run(&command),
        Command::Journal { command } => journal::run(&command),
        Command::Session { command } => session::run(&command),
        Command::Rust { command } => rust::run(&command),
        Command::Init(options) => init::run(&options),
        Command::Run { input, env, output, portable, command } => {
            return crate::run::run(
                crate::run::Options { inputs: input, env, outputs: output, portable },
                &command,
            );
        }
        Command::Store { command } => store::run(&command),
        Command::Doctor(options) => doctor::run(options),
        Command::Go { args } if args.is_empty() => return crate::go::run(),
        Command::Go { .. } => Err(anyhow::anyhow!(
            "failed to use arguments: `larder go` is what the go command runs by itself\nhint: larder build -- go build"
        )),
        Command::Stats(options) => stats::run(&options),
        Command::Report(options) => report::run(&options),
        Command::Config { command } => config::run(&command),
        Command::Completions { shell } => completions::run(shell),
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
            "init",
            "completions",
            "fingerprint",
            "run",
            "store",
            "journal",
            "dashboard",
            "report",
            "config",
        ] {
            assert!(is_command(OsStr::new(word)), "{word}");
        }
        for word in ["gcc", "cc", "/usr/bin/clang", "rustc", "starter", ""] {
            assert!(!is_command(OsStr::new(word)), "{word}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn each_command_has_an_example_and_a_line_in_the_help() {
        fn paths(command: &clap::Command, above: &str, found: &mut Vec<String>) {
            for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
                let path = format!("{above} {}", sub.get_name()).trim_start().to_owned();
                let example = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(example.contains(&format!("larder {path}")), "{path}: {example}");
                paths(sub, &path, found);
                found.push(path);
            }
        }
        let mut found = Vec::new();
        paths(&command(), "", &mut found);
        for name in found.iter().filter(|path| !path.contains(' ')) {
            assert!(help::names().contains(&name.as_str()), "{name} is not in the help");
        }
        for (path, _) in examples::EXAMPLES {
            assert!(found.iter().any(|known| known == path), "{path}");
        }
    }

    /// Commands that the documentation names, in text as in examples, are understood.
    #[test]
    fn the_documentation_names_only_commands_that_there_are() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let pages = std::fs::read_dir(root.join("docs")).expect("a folder").flatten().map(|page| page.path());
        let pages = pages.filter(|page| page.extension().is_some_and(|suffix| suffix == "md"));
        let mut seen = 0;
        for page in pages.chain([root.join("README.md")]) {
            let text = std::fs::read_to_string(&page).expect("a page");
            for quoted in text.split('`').skip(1).step_by(2).filter(|quoted| quoted.starts_with("larder ")) {
                let words: Vec<&str> = quoted.split_whitespace().filter(|word| *word != "…").collect();
                // A list of optional parts is a form, not a command line.
                if words.len() < 2 || quoted.contains(['[', '|', '\n']) || !is_command(OsStr::new(words[1])) {
                    continue;
                }
                seen += 1;
                if let Err(error) = command().try_get_matches_from(&words) {
                    use clap::error::ErrorKind::{
                        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand as Missing,
                    };
                    use clap::error::ErrorKind::{MissingRequiredArgument, MissingSubcommand};
                    let named = [DisplayHelp, Missing, MissingRequiredArgument, MissingSubcommand];
                    assert!(named.contains(&error.kind()), "{}: `{quoted}`: {error}", page.display());
                }
            }
        }
        assert!(seen > 10, "{seen} commands");
    }
}
