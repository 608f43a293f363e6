//! Programs that cargo installs.

use std::fs;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::say::Progress;
use crate::{run, workspace};

/// One folder for all tools, so that what they share is built once.
pub(super) const BUILD_FOLDER: &str = "target/tools-build";

/// One package of crates.io whose programs are wanted.
pub(super) struct Tool {
    pub(super) package: &'static str,
    pub(super) version: &'static str,
    pub(super) programs: &'static [&'static str],
    /// More arguments for `cargo install`.
    pub(super) options: &'static [&'static str],
}

impl Tool {
    /// Installs the programs into target/tools unless this version of them is there.
    pub(super) fn install(&self, progress: &Progress) -> anyhow::Result<()> {
        let title = format!("{} {}", self.package, self.version);
        if self.is_there() {
            progress.line(&format!("{title}: there"));
            return Ok(());
        }
        progress.line(&format!("{title}: building"));
        if self.build(true).is_err() {
            // A registry that lags behind may lack a version that the package's own lock file names.
            progress.line(&format!(
                "{title}: not to be had as its lock file says; building with what the registry has"
            ));
            self.build(false).with_context(|| {
                format!(
                    "failed to install {title}\nhint: crates.io and a C compiler are needed; type `cargo xtask setup` again"
                )
            })?;
        }
        fs::write(self.stamp(), self.wanted())
            .with_context(|| format!("failed to note that {title} is there"))?;
        progress.line(&format!("{title}: ready"));
        Ok(())
    }

    fn build(&self, locked: bool) -> anyhow::Result<()> {
        let version = format!("--version={}", self.version);
        let mut command = run::cargo(&["install", self.package, &version, "--force"]);
        if locked {
            command.arg("--locked");
        }
        if !std::io::stderr().is_terminal() {
            command.arg("--quiet");
        }
        command
            .args(self.options)
            .arg("--root")
            .arg(workspace::tools())
            .env("CARGO_TARGET_DIR", workspace::root().join(BUILD_FOLDER))
            .env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback")
            // These programs are run a few times by tests: building them costs more than they ever do.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
        run::to_end(&mut command)
    }

    fn is_there(&self) -> bool {
        let bin = workspace::tools().join("bin");
        fs::read_to_string(self.stamp()).is_ok_and(|stamp| stamp == self.wanted())
            && self.programs.iter().all(|name| bin.join(name).is_file())
    }

    fn stamp(&self) -> PathBuf {
        workspace::tools().join(format!("{}.stamp", self.package))
    }

    /// What the stamp says when exactly what is asked for has been installed.
    fn wanted(&self) -> String {
        format!("{} {}\n{}\n", self.package, self.version, self.options.join(" "))
    }
}
