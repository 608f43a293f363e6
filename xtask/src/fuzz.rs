//! `cargo xtask fuzz`: the targets of `tests/fuzz`, built with coverage and run by libFuzzer.

mod libfuzzer;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context as _, bail};

use crate::say::Progress;
use crate::{run, workspace};

pub(crate) use libfuzzer::is_there;

const PACKAGE: &str = "larder-fuzz";

/// How many targets run at a time.
const AT_A_TIME: usize = 2;

/// Longest time for one input, seconds; most memory, MiB.
const LIMITS: [&str; 2] = ["-timeout=10", "-rss_limit_mb=1024"];

/// Runs `only` this target, or all, each for so many seconds.
pub(crate) fn run(only: Option<&str>, seconds: u32) -> anyhow::Result<()> {
    let mut targets = targets()?;
    if let Some(only) = only {
        if !targets.iter().any(|target| target == only) {
            bail!("failed to find the fuzz target {only}\nhint: there are {}", targets.join(", "));
        }
        targets.retain(|target| target == only);
    }
    let progress = Progress::new();
    progress.line("building, with coverage");
    let programs = libfuzzer::build(PACKAGE, &folder().join("build"))?;
    let waiting = Mutex::new(targets.iter());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some(target) = waiting.lock().ok().and_then(|mut targets| targets.next()) else {
                        return;
                    };
                    match fuzz(&programs, target, seconds) {
                        Ok(figures) => progress.line(&format!("{target:<12}{figures}")),
                        Err(error) => {
                            progress.line(&format!("{target:<12}{error:#}"));
                            failures.lock().iter_mut().for_each(|failures| failures.push(target.as_str()));
                        }
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !failures.is_empty() {
        bail!("what must hold does not, in {}", failures.join(", "));
    }
    Ok(())
}

/// Names of the package's programs.
fn targets() -> anyhow::Result<Vec<String>> {
    let metadata = workspace::metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages
        .filter(|package| package["name"] == PACKAGE)
        .flat_map(|package| package["targets"].as_array().into_iter().flatten())
        .filter(|target| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
        })
        .filter_map(|target| target["name"].as_str().map(str::to_owned));
    Ok(targets.collect())
}

/// Where everything lies that fuzzing makes.
fn folder() -> PathBuf {
    workspace::root().join("target/fuzz")
}

/// Runs one target to its end, and gives its figures.
fn fuzz(programs: &Path, target: &str, seconds: u32) -> anyhow::Result<String> {
    let [corpus, crashes] = ["corpus", "crashes"].map(|name| folder().join(name).join(target));
    for folder in [&corpus, &crashes] {
        fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    }
    let mut command = Command::new(programs.join(target));
    command
        .args(LIMITS)
        .args([&format!("-max_total_time={seconds}"), "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        // New finds go to the first folder. What failed once is tried again.
        .args([&corpus, &workspace::root().join("tests/fuzz/seeds").join(target), &crashes]);
    let output = command.output().with_context(|| format!("failed to start {}", run::shown(&command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        return Ok(figures(&said));
    }
    let log = crashes.with_extension("log");
    fs::write(&log, &output.stderr).with_context(|| format!("failed to write {}", log.display()))?;
    let short = |path: &str| path.replace(&format!("{}/", workspace::root().display()), "");
    let again = match failed_on(&said) {
        Some(file) => {
            let file = short(file);
            format!("on {file}\nagain: cargo run -p {PACKAGE} --bin {target} -- {file}")
        }
        None => format!("with {}", output.status),
    };
    bail!("failed {again}\nlog: {}\n{}", short(&log.display().to_string()), why(&said))
}

/// The file that libFuzzer says it kept the failing input in, or read it from.
fn failed_on(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.split_once("Test unit written to ")).map(|(_, file)| file.trim())
}

/// What the panic said, or libFuzzer.
fn why(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    let found =
        lines.iter().position(|line| line.contains("panicked at") || line.contains("ERROR: libFuzzer"));
    lines[found.unwrap_or(lines.len().saturating_sub(4))..]
        .iter()
        .take(4)
        .map(|line| format!("  {line}\n"))
        .collect()
}

/// Inputs tried, places reached, and inputs worth keeping.
fn figures(said: &str) -> String {
    let mut words = said.lines().rfind(|line| line.contains(" cov: ")).unwrap_or_default().split_whitespace();
    let mut after = |name: &str| words.find(|word| *word == name).and_then(|_| words.next()).unwrap_or("?");
    let (places, kept) = (after("cov:"), after("corp:"));
    let tried = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    format!("{:>10} inputs, {places:>5} places reached, {kept} inputs kept", tried.unwrap_or("?").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "#8\tINITED cov: 9 ft: 9 corp: 1/1b exec/s: 0 rss: 30Mb
#4096\tDONE   cov: 412 ft: 900 corp: 87/3Kb lim: 128 exec/s: 2048 rss: 40Mb
stat::number_of_executed_units: 4096
";

    const FAILED: &str = "INFO: Seed: 1
thread '<unnamed>' panicked at tests/fuzz/src/depfile.rs:13:9:
no name
==7== ERROR: libFuzzer: deadly signal
artifact_prefix='/r/crashes/'; Test unit written to /r/crashes/crash-0a
";

    #[test]
    fn figures_are_those_of_the_end() {
        assert_eq!(figures(SAID), "      4096 inputs,   412 places reached, 87/3Kb inputs kept");
        assert!(figures("").contains('?'));
    }

    #[test]
    fn a_failure_names_its_input_and_its_reason() {
        assert_eq!(failed_on(FAILED), Some("/r/crashes/crash-0a"));
        assert_eq!(failed_on(SAID), None);
        assert!(why(FAILED).starts_with("  thread '<unnamed>' panicked"));
        assert!(why("one line").contains("one line"));
    }

    #[test]
    fn the_targets_are_the_programs_of_the_package() {
        assert!(targets().expect("cargo knows").contains(&"depfile".to_owned()));
    }
}
