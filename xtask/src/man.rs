//! `cargo xtask man`

use std::path::{Path, PathBuf};

use crate::{run, say, workspace};

/// Writes the manual pages into `folder`.
pub(crate) fn run(folder: Option<PathBuf>) -> anyhow::Result<()> {
    let folder = folder.unwrap_or_else(|| workspace::root().join("target/man"));
    write(&folder)?;
    say::line(&format!("next: man {}", folder.join("larder.1").display()));
    Ok(())
}

/// The same without a word.
pub(crate) fn write(folder: &Path) -> anyhow::Result<()> {
    let mut command = run::cargo(&["run", "--quiet", "--package=larder-client", "--example=manual", "--"]);
    run::to_end(command.arg(folder))
}
