//! Starting other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail};

use crate::workspace;

/// `cargo`, in the workspace's root, with the tools of `cargo xtask setup` on the path, and without the variables with
/// which `cargo run` describes the xtask package to this very process.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let leaks = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
        if name.to_str().is_some_and(leaks) {
            command.env_remove(name);
        }
    }
    command.args(args).current_dir(workspace::root()).env("PATH", path_with_tools());
    command
}

fn path_with_tools() -> std::ffi::OsString {
    let own = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(workspace::tools().join("bin")).chain(std::env::split_paths(&own));
    std::env::join_paths(folders).unwrap_or(own)
}

/// Runs to the end with this process's own streams.
pub(crate) fn to_end(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("failed to start {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs to the end and gives what it wrote; its standard error is part of the error.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Output> {
    let output = command.output().with_context(|| format!("failed to start {}", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}\n{}", shown(command), output.status, said.trim_end());
    }
    Ok(output)
}

/// The command as it could be typed.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_else(|| command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The program `name` on the search path.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    })
}
