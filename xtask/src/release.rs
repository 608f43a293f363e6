//! Larder's programs as they are released.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::{run, say, workspace};

/// Builds the programs, and gives the folder they lie in.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    let target = workspace::target()?;
    run::to_end(&mut run::cargo(&[
        "build",
        "--release",
        "--bins",
        "--package=larder-backend",
        "--package=larder-host",
    ]))?;
    let client = build_client(&target)?;
    // A folder of their own: what cargo has in its own is for cargo to replace.
    let programs = target.join("programs");
    fs::create_dir_all(&programs)?;
    for name in workspace::PROGRAMS {
        let built = if name == "larder" { client.clone() } else { target.join("release").join(name) };
        let beside = programs.join(format!(".{name}"));
        fs::copy(&built, &beside).with_context(|| format!("failed to copy {}", built.display()))?;
        fs::rename(&beside, programs.join(name))?;
    }
    Ok(programs)
}

/// The client is started for every call of a compiler: with its libraries in it and at a fixed address, the loader has
/// nothing to do for it. Musl in glibc's place spares it the questions that glibc puts to the processor at each start, some
/// fifty; on a virtual machine, where each goes to the host, they take longer than all else that the client does.
fn build_client(target: &Path) -> anyhow::Result<PathBuf> {
    let musl = musl();
    let mut command = run::cargo(&["rustc", "--release", "--bin=larder", "--package=larder-client"]);
    if let Some(musl) = &musl {
        command.args(["--target", musl]);
    }
    command.args(["--", "-Ctarget-feature=+crt-static", "-Crelocation-model=static"]);
    run::to_end(&mut command)?;
    let folder = musl.map_or_else(|| target.to_owned(), |musl| target.join(musl));
    Ok(folder.join("release/larder"))
}

/// Rust's name of this machine with musl, if its libraries are there or can be had.
fn musl() -> Option<String> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let name = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    if has_libraries(&name) {
        return Some(name);
    }
    if run::which("rustup").is_some() {
        say::line(&format!("fetching Rust's libraries for {name}"));
        let _ = run::output(Command::new("rustup").args(["target", "add", &name]));
    }
    if has_libraries(&name) {
        return Some(name);
    }
    say::line(&format!("the client gets glibc, and starts more slowly\nhint: rustup target add {name}"));
    None
}

fn has_libraries(target: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = run::output(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    said.ok()
        .and_then(|said| String::from_utf8(said.stdout).ok())
        .is_some_and(|folder| Path::new(folder.trim()).is_dir())
}
