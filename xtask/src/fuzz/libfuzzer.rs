//! libFuzzer's runtime, which comes with Clang, and programs that are built for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::{run, workspace};

/// The entry without a `main` of its own, and what lets it see the operands of comparisons.
const PARTS: [&str; 2] = ["fuzzer_no_main", "fuzzer_interceptors"];

/// Counts each branch taken, and shows what is compared.
const COVERAGE: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Whether programs can be built for it here.
pub(crate) fn is_there() -> bool {
    runtime().is_some()
}

/// The runtime's libraries.
fn runtime() -> Option<Vec<PathBuf>> {
    let output = run::output(Command::new("clang").arg("--print-runtime-dir")).ok()?;
    let folder = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    PARTS.iter().map(|part| library(&folder, part)).collect()
}

/// Some Clangs have a folder per system, others put the machine into the name.
fn library(folder: &Path, part: &str) -> Option<PathBuf> {
    let names = [format!("-{}", std::env::consts::ARCH), String::new()];
    names
        .map(|machine| folder.join(format!("libclang_rt.{part}{machine}.a")))
        .into_iter()
        .find(|file| file.is_file())
}

/// Builds the programs of `package` below `folder`, and gives the folder they lie in.
pub(super) fn build(package: &str, folder: &Path) -> anyhow::Result<PathBuf> {
    let libraries = runtime().context("failed to find libFuzzer's runtime\nhint: cargo xtask setup")?;
    let libraries = libraries.iter().map(|library| format!("-Clink-arg={}", library.display()));
    let flags = COVERAGE.map(str::to_owned).into_iter().chain(libraries);
    let flags: Vec<_> = flags.chain(["-Clink-arg=-lstdc++".to_owned()]).collect();
    let host = host()?;
    // With a target named, flags reach no build script.
    let mut command = run::cargo(&["build", "--quiet", "--bins", "--features=libfuzzer", "--profile=fuzz"]);
    command.args([format!("--package={package}"), format!("--target={host}")]);
    command.env("CARGO_TARGET_DIR", folder).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    run::to_end(&mut command)?;
    Ok(folder.join(host).join("fuzz"))
}

/// The system that cargo builds for when it is told none.
fn host() -> anyhow::Result<String> {
    let output = run::output(run::cargo(&["-vV"]).current_dir(workspace::root()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("cargo does not say which system it runs on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_found_with_and_without_the_machine_in_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(library(folder.path(), "x"), None);
        for machine in ["", &format!("-{}", std::env::consts::ARCH)] {
            let file = folder.path().join(format!("libclang_rt.x{machine}.a"));
            std::fs::write(&file, "").expect("our folder");
            assert_eq!(library(folder.path(), "x"), Some(file));
        }
    }

    #[test]
    fn cargo_says_where_it_runs() {
        assert!(host().expect("it does").starts_with(std::env::consts::ARCH));
    }
}
