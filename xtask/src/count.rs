//! `cargo xtask count`: how many instructions a hit takes on either side, held against figures that are in the repository.
//!
//! Times differ from one machine and moment to the next; instructions hardly do. They are counted by callgrind, of two
//! programs of larder-bench that serve a call as often as they are told to.

mod callgrind;
mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::{run, say, workspace};
use callgrind::Counts;
use figures::Figures;

/// What counts.
pub(crate) const VALGRIND: &str = "valgrind";

/// Hits until everything is as it stays, and those that are counted on top of them. What differs by chance, such as places
/// in hash tables, evens out over so many.
const WARM_UP: u64 = 20;
const HITS: u64 = 200;

/// Both programs, by side.
const SIDES: [(&str, &str); 2] = [("daemon", "hits-of-daemon"), ("client", "hits-of-client")];

/// Counts, and fails where a figure has risen too far; with `write` the new figures are the ones to hold from now on.
pub(crate) fn run(write: bool) -> anyhow::Result<()> {
    let valgrind = run::which(VALGRIND)
        .context("failed to find valgrind\nhint: cargo xtask setup, or as root, apt-get install valgrind")?;
    let programs = build()?;
    let mut now = Figures::of(toolchain()?);
    for (side, program) in SIDES {
        let count = |hits| {
            count(&valgrind, &programs.join(program), hits)
                .with_context(|| format!("failed to count what the {side} does"))
        };
        let (few, many) = (count(WARM_UP)?, count(WARM_UP + HITS)?);
        now.put(side, many.since(few).each_of(HITS));
    }
    if write {
        now.write()?;
        say::line(&now.table(None));
        return Ok(());
    }
    let held = Figures::read()?;
    say::line(&now.table(Some(&held)));
    if held.toolchain != now.toolchain {
        say::line(&format!("not held against each other: {} and {}", held.toolchain, now.toolchain));
        return Ok(());
    }
    let (risen, fallen) = now.against(&held);
    for sentence in fallen {
        say::line(&format!("{sentence}; hint: keep it so with cargo xtask count --write"));
    }
    if !risen.is_empty() {
        bail!(
            "{}\nhint: where that is worth it, cargo xtask count --write, and say in the commit what for",
            risen.join("\n")
        );
    }
    Ok(())
}

/// Builds both programs, and gives the folder they lie in.
fn build() -> anyhow::Result<PathBuf> {
    const PROFILE: &str = "count";
    let mut command =
        run::cargo(&["build", "--quiet", "--package=larder-bench", "--bins", "--features=counted"]);
    // Flags of somebody's own would make other programs; this goes before all places where they can be.
    command.args(["--profile", PROFILE]).env("CARGO_ENCODED_RUSTFLAGS", "");
    run::to_end(&mut command)?;
    Ok(workspace::target()?.join(PROFILE))
}

/// What makes other instructions of the same text.
fn toolchain() -> anyhow::Result<String> {
    let output = run::output(Command::new("rustc").arg("-vV").current_dir(workspace::root()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let host = said.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
    Ok(format!("{}, {host}", said.lines().next().unwrap_or_default()))
}

/// What `program` does to serve so many hits, all of its start included.
fn count(valgrind: &Path, program: &Path, hits: u64) -> anyhow::Result<Counts> {
    // Neither names nor variables are somebody's own: both are among what is worked on.
    let folder = tempfile::Builder::new().prefix("larder-").rand_bytes(4).tempdir_in("/tmp")?;
    let root = folder.path();
    let (own, found) = (root.join("hits"), root.join("found"));
    fs::copy(program, &own).with_context(|| format!("failed to copy {}", program.display()))?;
    let mut command = Command::new(valgrind);
    command
        .args(["--tool=callgrind", "--collect-systime=yes"])
        .arg(format!("--callgrind-out-file={}", found.display()))
        .arg(&own)
        .arg(hits.to_string())
        .env_clear()
        .envs([("PATH", &*root.join("bin")), ("HOME", root), ("LC_ALL", Path::new("C"))])
        .current_dir(root);
    run::output(&mut command)?;
    let text = fs::read_to_string(&found).with_context(|| format!("failed to read {}", found.display()))?;
    callgrind::read(&text, &own.to_string_lossy())
}
