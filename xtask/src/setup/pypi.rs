//! Packages from PyPI, each in a Python environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::say::Progress;
use crate::{run, workspace};

/// One package, of a fixed version, and the folder below target/tools that it goes to.
pub(super) struct Package {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) folder: &'static str,
}

impl Package {
    /// Installs it unless this version is there and so is `made`, which `finish` makes of the environment's folder.
    pub(super) fn install(
        &self,
        progress: &Progress,
        made: &Path,
        finish: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let title = format!("{} {}", self.name, self.version);
        let folder = workspace::tools().join(self.folder);
        let stamp = workspace::tools().join(format!("{}.stamp", self.name));
        if made.exists() && fs::read_to_string(&stamp).is_ok_and(|found| found == title) {
            progress.line(&format!("{title}: there"));
            return Ok(());
        }
        progress.line(&format!("{title}: fetching"));
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        environment(&folder, &[&format!("{}=={}", self.name, self.version)]).with_context(|| {
            format!("failed to install {title}\nhint: PyPI is needed; type `cargo xtask setup` again")
        })?;
        finish(&folder)?;
        fs::write(stamp, &title).with_context(|| format!("failed to note that {title} is there"))?;
        progress.line(&format!("{title}: ready"));
        Ok(())
    }
}

/// Makes a Python environment in `folder` that has `packages`, without what they depend on.
pub(crate) fn environment(folder: &Path, packages: &[&str]) -> anyhow::Result<()> {
    run::output(Command::new("python3").args(["-m", "venv"]).arg(folder))
        .context("failed to make a Python environment\nhint: as root, apt-get install python3-venv")?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]).args(packages);
    run::output(&mut pip).map(drop)
}

/// The file `name` among the installed packages of the environment in `folder`.
pub(super) fn installed(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let lib = folder.join("lib");
    let versions = lib.read_dir().with_context(|| format!("failed to read {}", lib.display()))?;
    let mut found = versions.flatten().map(|entry| entry.path().join("site-packages").join(name));
    match found.find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => bail!("failed to find {name} below {}", lib.display()),
    }
}
