//! `cargo xtask test`: every check, the quick ones first.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::ValueEnum;

use crate::setup::Missing;
use crate::{count, fuzz, run, say, setup, tidy, workspace};

/// One step of the test command. Build, clippy and nextest name the same packages, targets and profile, so that no
/// dependency is compiled twice for any two of them that can share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Fetch what the tests need
    Setup,
    /// Formatting
    Fmt,
    /// The rules of `cargo xtask tidy`
    Tidy,
    /// Licences, duplicate and foreign dependencies, advisories
    Deny,
    /// All programs and tests
    Build,
    /// Lints
    Clippy,
    /// The tests
    Nextest,
    /// Instructions of a hit
    Count,
    /// Each fuzz target, briefly
    Fuzz,
}

/// Longest time that fetching the advisories may take before they are skipped.
const ADVISORIES_LIMIT: Duration = Duration::from_secs(60);

/// How long each fuzz target runs, seconds.
const FUZZ_SECONDS: u32 = 5;

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn run(self, missing: &mut Missing, nextest: &[String]) -> anyhow::Result<()> {
        match self {
            Self::Setup => {
                *missing = setup::run()?;
                Ok(())
            }
            Self::Fmt => run::to_end(&mut run::cargo(&["fmt", "--all", "--", "--check", "-l"]))
                .context("the files above are not formatted\nhint: cargo fmt --all"),
            Self::Tidy => tidy::run(),
            Self::Deny => deny(),
            Self::Build => build(),
            Self::Clippy => run::to_end(&mut run::cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--quiet",
                "--",
                "-Dwarnings",
            ])),
            Self::Nextest => tests(missing, nextest),
            Self::Count if missing.counter => {
                say::line("skipped: the count of instructions, since valgrind is missing");
                Ok(())
            }
            Self::Count => count::run(false),
            Self::Fuzz if missing.fuzzer => {
                say::line("skipped: fuzz targets, since libFuzzer is missing");
                Ok(())
            }
            Self::Fuzz => fuzz::run(None, FUZZ_SECONDS),
        }
    }
}

pub(crate) fn run(only: Option<Step>, nextest: &[String]) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut missing = Missing {
        browser: setup::BROWSER.iter().any(|name| run::which(name).is_none()),
        fuzzer: !fuzz::is_there(),
        counter: run::which(count::VALGRIND).is_none(),
    };
    let mut summary = Vec::new();
    for step in Step::value_variants() {
        if only.is_some_and(|only| only != *step) {
            continue;
        }
        let name = step.name();
        say::line(&format!("== {name}"));
        let began = Instant::now();
        step.run(&mut missing, nextest).with_context(|| {
            let after = say::time(start.elapsed());
            format!("step {name} failed, after {after}\nagain: cargo xtask test --only {name}")
        })?;
        let took = say::time(began.elapsed());
        say::line(&format!("== {name}: passed in {took}\n"));
        summary.push((name, took));
    }
    for (name, took) in summary {
        say::line(&format!("{name:<10}{took:>14}"));
    }
    if missing.browser && only.is_none() {
        say::line("skipped: tests that need a browser, since chromium is missing");
    }
    say::line(&format!("{:<10}{:>14}", "passed", say::time(start.elapsed())));
    Ok(())
}

fn build() -> anyhow::Result<()> {
    run::to_end(&mut run::cargo(&["build", "--workspace", "--all-targets", "--quiet"]))
}

fn tests(missing: &Missing, args: &[String]) -> anyhow::Result<()> {
    // The behaviour tests start the programs by path, which no dependency makes cargo build.
    build()?;
    let mut command = run::cargo(&["nextest", "run", "--workspace"]);
    command.env("LARDER_TOOLS", workspace::tools().join("bin"));
    if missing.browser {
        command.args(["--filterset", "not test(browser)"]);
    }
    run::to_end(command.args(args))
}

fn deny() -> anyhow::Result<()> {
    let deny = |args: &[&str]| {
        let mut command = run::cargo(&["deny", "--log-level=warn"]);
        command.args(args);
        command
    };
    run::to_end(&mut deny(&["check", "--hide-inclusion-graph", "licenses", "bans", "sources"]))?;
    if within(&mut deny(&["fetch", "db"]), ADVISORIES_LIMIT) {
        run::to_end(&mut deny(&["check", "--disable-fetch", "advisories"]))
    } else {
        say::line("skipped: advisories, since their database cannot be fetched here");
        Ok(())
    }
}

/// Whether a command ends well within `limit`; it is ended when the limit has passed.
fn within(command: &mut Command, limit: Duration) -> bool {
    let silent = command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    let Ok(mut child) = silent.stderr(std::process::Stdio::null()).spawn() else { return false };
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(50)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_ended() {
        let mut quick = Command::new("true");
        assert!(within(&mut quick, Duration::from_secs(60)));
        let start = Instant::now();
        assert!(!within(Command::new("tail").args(["-f", "/dev/null"]), Duration::ZERO));
        assert!(start.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn every_step_can_be_named() {
        for step in Step::value_variants() {
            assert_eq!(Step::from_str(&step.name(), false), Ok(*step));
        }
    }
}
