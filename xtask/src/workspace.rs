//! The repository and what cargo says about it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::run;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Where `setup` puts what the tests need; the tests look there by themselves.
pub(crate) fn tools() -> PathBuf {
    root().join("target/tools")
}

/// `cargo metadata` of the workspace, without its dependencies' packages.
pub(crate) fn metadata() -> anyhow::Result<Value> {
    let output = run::output(&mut run::cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    serde_json::from_slice(&output.stdout).context("failed to read what cargo metadata says")
}

/// Larder's three programs. Whoever replaces them in this order never leaves a client beside an older daemon.
pub(crate) const PROGRAMS: [&str; 3] = ["larderd", "larder-broker", "larder"];

/// Builds the programs as they are released, and gives the folder they lie in.
///
/// The client is started for every call of a compiler: with its libraries in it and at a fixed address, the loader has
/// nothing to do for it.
pub(crate) fn build_release() -> anyhow::Result<PathBuf> {
    run::to_end(&mut run::cargo(&[
        "build",
        "--release",
        "--bins",
        "--package=larder-backend",
        "--package=larder-host",
    ]))?;
    run::to_end(&mut run::cargo(&[
        "rustc",
        "--release",
        "--bin=larder",
        "--package=larder-client",
        "--",
        "-Ctarget-feature=+crt-static",
        "-Crelocation-model=static",
    ]))?;
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(Path::new(target).join("release"))
}
