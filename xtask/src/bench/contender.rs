//! A cache that stands before a compiler: larder, or a peer.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::limit;
use super::record::LARDER;
use crate::house::House;

/// The folder of the house in which peers keep what is theirs.
pub(super) const PLACE: &str = "p";

/// How long starting and ending what runs in the background may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One cache, and how it is used as its manual says.
pub(super) struct Contender {
    pub(super) name: &'static str,
    pub(super) version: String,
    /// What stands before the compiler.
    pub(super) program: PathBuf,
    /// Variables and the files or folders of the house that they name.
    pub(super) places: &'static [(&'static str, &'static str)],
    pub(super) variables: &'static [(&'static str, &'static str)],
    /// Starts and ends what runs in the background.
    pub(super) start: &'static [&'static str],
    pub(super) stop: &'static [&'static str],
    /// It is known to keep the results of Rust's compilers.
    pub(super) rust: bool,
    /// It is known to keep those of C's.
    pub(super) c: bool,
}

impl Contender {
    pub(super) fn larder(programs: &Path) -> Self {
        Self {
            name: LARDER,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: programs.join("larder"),
            places: &[],
            variables: &[],
            start: &[],
            stop: &[],
            rust: true,
            c: true,
        }
    }

    /// Gives `command`, which is of `house`, this cache's variables.
    pub(super) fn prepare(&self, house: &House, command: &mut Command) {
        for (name, place) in self.places {
            command.env(name, house.root().join(place));
        }
        command.envs(self.variables.iter().copied());
    }

    /// A call of `tool` through the cache.
    pub(super) fn call(&self, house: &House, tool: &str) -> Command {
        let mut command = house.command(&self.program);
        self.prepare(house, &mut command);
        command.arg(tool);
        command
    }

    /// Starts what must run before a call is quick; ends it when dropped.
    pub(super) fn start<'a>(&'a self, house: &'a House) -> anyhow::Result<Running<'a>> {
        let running = Running { contender: self, house };
        if !self.start.is_empty() {
            // Its streams are not ours to wait for: what stays in the background may keep them.
            let mut command = house.command(&self.program);
            self.prepare(house, &mut command);
            let null = std::process::Stdio::null;
            command.args(self.start).stdin(null()).stdout(null()).stderr(null());
            limit::time(&mut command, PATIENCE).with_context(|| format!("failed to start {}", self.name))?;
        }
        Ok(running)
    }

    pub(super) fn as_wrapper(&self) -> OsString {
        self.program.clone().into_os_string()
    }
}

/// A peer's background process.
pub(super) struct Running<'a> {
    contender: &'a Contender,
    house: &'a House,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.contender.stop.is_empty() {
            let mut command = self.house.command(&self.contender.program);
            self.contender.prepare(self.house, &mut command);
            let _ = limit::output(command.args(self.contender.stop), PATIENCE);
        }
    }
}
