//! `larder build -- COMMAND…`: a build whose compilers are called through larder.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// What makes build systems call their tools through larder, each only where the caller has not set it: a variable,
/// and what stands behind the path of larder in it.
const WRAPPERS: &[(&str, &str)] = &[
    ("CC", " cc"),
    ("CXX", " c++"),
    ("CMAKE_C_COMPILER_LAUNCHER", ""),
    ("CMAKE_CXX_COMPILER_LAUNCHER", ""),
    ("GOCACHEPROG", " go"),
    ("RUSTC_WRAPPER", ""),
];

/// Cargo keeps results of its own between incremental compiles, which no cache can serve.
const INCREMENTAL: &str = "CARGO_INCREMENTAL";

pub(super) fn run(command: &[OsString]) -> anyhow::Result<ExitCode> {
    let Some((program, args)) = command.split_first() else {
        anyhow::bail!("no command is given\nhint: larder build -- cargo build");
    };
    let larder = std::env::current_exe()?;
    let mut child = Command::new(program);
    child.args(args);
    for (name, rest) in WRAPPERS.iter().filter(|(name, _)| std::env::var_os(name).is_none()) {
        let mut value = larder.clone().into_os_string();
        value.push(rest);
        child.env(name, value);
    }
    let is_cargo = Path::new(program).file_name().is_some_and(|name| name == "cargo");
    if std::env::var_os(INCREMENTAL).is_none() {
        child.env(INCREMENTAL, "0");
        if is_cargo {
            super::say("incremental compiles are off for this build (CARGO_INCREMENTAL=1 keeps them)");
        }
    }
    // The command's terminal, signals and exit code are its own.
    let error = child.exec();
    Err(anyhow::Error::new(error).context(format!("failed to run {}", program.display())))
}
