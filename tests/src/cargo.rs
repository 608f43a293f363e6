//! Cargo in a sandbox: with the caller's registry and toolchain, and nothing else of the caller's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::{Sandbox, program, rust_tool};

/// One workspace, and how Cargo is called in it.
pub struct Cargo<'a> {
    sandbox: &'a Sandbox,
    folder: PathBuf,
    target: PathBuf,
}

impl<'a> Cargo<'a> {
    /// Cargo for the workspace in `folder`, whose results go to `target`.
    #[must_use]
    pub fn new(sandbox: &'a Sandbox, folder: &Path, target: &Path) -> Self {
        Self { sandbox, folder: folder.to_owned(), target: target.to_owned() }
    }

    /// `cargo` with `args`, without larder.
    #[must_use]
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(rust_tool("cargo"));
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["CARGO", "NEXTEST", "RUSTC", "RUSTFLAGS", "RUSTDOC"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        let home = |name: &str, below: &str| {
            std::env::var_os(name).map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(below)))
        };
        command.envs(home("CARGO_HOME", ".cargo").map(|home| ("CARGO_HOME", home)));
        command.envs(home("RUSTUP_HOME", ".rustup").map(|home| ("RUSTUP_HOME", home)));
        command
            .args(args)
            .arg("--offline")
            .current_dir(&self.folder)
            .env("PWD", &self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_TERM_COLOR", "never");
        command
    }

    /// The same through larder.
    #[must_use]
    pub fn through_larder(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env("RUSTC_WRAPPER", program("larder"));
        command
    }

    /// Removes the results.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn clean(&self) {
        if self.target.exists() {
            std::fs::remove_dir_all(&self.target).expect("our own folder");
        }
    }

    /// Libraries and programs below the target folder, by path.
    ///
    /// # Panics
    /// When something cannot be read.
    #[must_use]
    pub fn made(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut made = BTreeMap::new();
        let mut folders = vec![self.target.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("readable").flatten() {
                let path = entry.path();
                let name = entry.file_name().to_string_lossy().into_owned();
                if path.is_dir() {
                    // What Cargo notes for itself has times in it.
                    if name != ".fingerprint" && name != "incremental" {
                        folders.push(path);
                    }
                    continue;
                }
                let compiled =
                    ["rlib", "rmeta", "so", "a"].iter().any(|suffix| name.ends_with(&format!(".{suffix}")));
                if compiled || !name.contains('.') && is_program(&path) {
                    made.insert(path.clone(), std::fs::read(&path).expect("readable"));
                }
            }
        }
        made
    }
}

fn is_program(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
}

/// Runs `command`, which must succeed.
///
/// # Panics
/// When it does not.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("it starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}
