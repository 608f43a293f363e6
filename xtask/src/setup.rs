//! `cargo xtask setup`: what the tests need and a Rust toolchain does not bring.

mod axe;
mod cargo_tool;
mod debian;
mod go;
mod prometheus;
pub(crate) mod pypi;

use crate::say::Progress;
use crate::{projects, run, workspace};
use cargo_tool::Tool;
pub(crate) use debian::BROWSER;

/// The version of running-process that the workspace is built on, so that its stock programs speak to ours. Its default
/// features only add what other systems and terminals need.
const RUNNING_PROCESS: Tool = Tool {
    package: "running-process",
    version: "4.10.21",
    programs: &["running-process-broker-v1", "running-process-broker-v2", "running-process-cleanup"],
    options: &[
        "--no-default-features",
        "--features=daemon",
        "--bin=running-process-broker-v1",
        "--bin=running-process-broker-v2",
        "--bin=running-process-cleanup",
    ],
};

const DENY: Tool = Tool {
    package: "cargo-deny",
    version: "0.20.2",
    programs: &["cargo-deny"],
    options: &["--no-default-features"],
};

const NEXTEST: Tool = Tool {
    package: "cargo-nextest",
    version: "0.9.143",
    programs: &["cargo-nextest"],
    options: &["--no-default-features"],
};

/// What could not be had.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// No browser: the tests that look at the page in one cannot run.
    pub(crate) browser: bool,
    /// No libFuzzer: the fuzz targets cannot run.
    pub(crate) fuzzer: bool,
    /// No valgrind: instructions cannot be counted.
    pub(crate) counter: bool,
}

pub(crate) fn run() -> anyhow::Result<Missing> {
    let progress = Progress::new();
    let missing = debian::install(&progress)?;
    if run::cargo(&["nextest", "--version"]).output().is_ok_and(|output| output.status.success()) {
        progress.line("cargo-nextest: there");
    } else {
        NEXTEST.install(&progress)?;
    }
    progress.line("projects that the tests build: fetching");
    projects::fetch_for_tests()?;
    go::install(&progress)?;
    axe::install(&progress)?;
    prometheus::install(&progress)?;
    RUNNING_PROCESS.install(&progress)?;
    DENY.install(&progress)?;
    // What the builds left is large, and of no use once every tool is there.
    let leftovers = workspace::root().join(cargo_tool::BUILD_FOLDER);
    if leftovers.exists() {
        std::fs::remove_dir_all(&leftovers)?;
    }
    progress.line("everything is there");
    Ok(missing)
}
