//! axe-core, which tells whether everybody can use a page; from npm's registry.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::say::Progress;
use crate::{run, workspace};

const NAME: &str = "axe-core";
const VERSION: &str = "4.10.3";
const ARCHIVE: &str = "https://registry.npmjs.org/axe-core/-/axe-core-4.10.3.tgz";
const SHA256: &str = "0f2b4d7dcdf7d1219df8d1959ad68e565f51d14c3f0d88bb71cd59abeb956292";

/// Puts it into target/tools/sources unless this version of it is there.
pub(super) fn install(progress: &Progress) -> anyhow::Result<()> {
    let title = format!("{NAME} {VERSION}");
    let folder = workspace::tools().join("sources").join(NAME);
    let stamp = workspace::tools().join(format!("{NAME}.stamp"));
    if folder.join("axe.min.js").is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == title) {
        progress.line(&format!("{title}: there"));
        return Ok(());
    }
    progress.line(&format!("{title}: fetching"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let archive = workspace::tools().join(format!("{NAME}.tgz"));
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--location", "--output"]).arg(&archive).arg(ARCHIVE);
    run::output(&mut curl).with_context(|| {
        format!(
            "failed to fetch {title}\nhint: curl and {ARCHIVE} are needed; type `cargo xtask setup` again"
        )
    })?;
    let sum = run::output(Command::new("sha256sum").arg(&archive))?;
    if !sum.stdout.starts_with(SHA256.as_bytes()) {
        bail!("failed to use {ARCHIVE}: its SHA-256 is not {SHA256}");
    }
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(&archive).arg("-C").arg(&folder).args(["--strip-components=1", "package/axe.min.js"]);
    run::output(&mut tar)?;
    fs::remove_file(archive)?;
    fs::write(stamp, &title).with_context(|| format!("failed to note that {title} is there"))?;
    progress.line(&format!("{title}: ready"));
    Ok(())
}
