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

/// Where cargo puts what it builds.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str().context("cargo metadata names no target folder")?;
    Ok(PathBuf::from(target))
}

/// Larder's three programs. Whoever replaces them in this order never leaves a client beside an older daemon.
pub(crate) const PROGRAMS: [&str; 3] = ["larderd", "larder-broker", "larder"];
