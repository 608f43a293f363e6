//! Real programs: one of some sixty crates in all the ways in which Cargo builds it, and a part of larder itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use larder_tests::{Cargo, Sandbox, fetched, succeed};
use serde_json::Value;

/// Reasons of those calls among the latest that were no hits; questions, and what build scripts try out in vain, do not
/// count.
fn missed(sandbox: &Sandbox, since: u64) -> Vec<String> {
    let stats = sandbox.stats();
    let records = stats["records"].as_array().cloned().unwrap_or_default();
    let counts = |record: &&Value| {
        record["id"].as_u64() > Some(since)
            && record["outcome"] != "hit"
            && record["outcome"] != "bypass"
            && !["source_from_stdin", "tool_failed"].iter().any(|reason| record["reason"] == *reason)
    };
    records
        .iter()
        .filter(counts)
        .map(|record| format!("{} {} {}", record["unit"], record["reason"], record["detail"]))
        .collect()
}

fn latest(sandbox: &Sandbox) -> u64 {
    sandbox.stats()["records"][0]["id"].as_u64().unwrap_or(0)
}

/// Builds cold and warm through larder, and demands that the second time nothing is compiled.
fn cold_and_warm(sandbox: &Sandbox, cargo: &Cargo<'_>, args: &[&str]) {
    succeed(&mut cargo.through_larder(args));
    cargo.clean();
    let since = latest(sandbox);
    succeed(&mut cargo.through_larder(args));
    assert_eq!(missed(sandbox, since), [""; 0], "{args:?}");
}

/// Without an allocator whose build runs configure and make, which takes longer than all the rest, each time.
const SHAPE: [&str; 4] = ["--locked", "--no-default-features", "--features", "completions"];

fn shaped<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &SHAPE].concat()
}

fn helps(target: &Path, profile: &str) -> String {
    let program = target.join(profile).join("fd");
    String::from_utf8(succeed(Command::new(program).arg("--help")).stdout).expect("text")
}

#[test]
fn a_program_of_many_crates_is_built_from_the_cache_in_every_way() {
    let sandbox = Sandbox::started();
    let target = sandbox.work().join("t");
    let source = copied(&sandbox, &fetched("fd-find"), "fd");
    let cargo = Cargo::new(&sandbox, &source, &target);
    succeed(&mut cargo.command(&shaped(&["build"])));
    let alone = cargo.made();
    let help = helps(&target, "debug");
    cargo.clean();
    cold_and_warm(&sandbox, &cargo, &shaped(&["build"]));
    assert!(cargo.made() == alone, "the restored build differs");
    assert_eq!(helps(&target, "debug"), help);
    for args in [&["check"][..], &["clippy"], &["test", "--no-run"]] {
        cargo.clean();
        cold_and_warm(&sandbox, &cargo, &shaped(args));
    }
    // In another place, too.
    let other = Cargo::new(&sandbox, &source, &sandbox.work().join("u"));
    succeed(&mut other.command(&shaped(&["build"])));
    let alone = other.made();
    other.clean();
    for args in [&["build"][..], &["check"], &["clippy"], &["test", "--no-run"]] {
        let since = latest(&sandbox);
        succeed(&mut other.through_larder(&shaped(args)));
        assert_eq!(missed(&sandbox, since), [""; 0], "{args:?}");
        assert!(args != ["build"] || other.made() == alone, "the build elsewhere differs");
        other.clean();
    }
}

#[test]
fn a_release_with_code_from_all_crates_at_once_is_built_from_the_cache() {
    let sandbox = Sandbox::started();
    let target = sandbox.work().join("t");
    let source = copied(&sandbox, &fetched("fd-find"), "fd");
    let cargo = Cargo::new(&sandbox, &source, &target);
    cold_and_warm(&sandbox, &cargo, &shaped(&["build", "--release"]));
    assert!(helps(&target, "release").contains("Usage: fd"));
}

#[test]
fn a_part_of_larder_itself_is_built_from_the_cache_and_passes_its_tests() {
    let sandbox = Sandbox::started();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace");
    let cargo = Cargo::new(&sandbox, root, &sandbox.work().join("t"));
    let args = ["test", "--locked", "-p", "larder-servicedef"];
    cold_and_warm(&sandbox, &cargo, &[&args[..], &["--no-run"]].concat());
    let tests = succeed(&mut cargo.through_larder(&args));
    assert!(String::from_utf8_lossy(&tests.stdout).contains("test result: ok"));
}

/// A copy of the workspace in `source`: Cargo writes beside its manifest.
fn copied(sandbox: &Sandbox, source: &Path, name: &str) -> PathBuf {
    let folder = sandbox.work().join(name);
    succeed(Command::new("cp").arg("-R").arg(source).arg(&folder));
    sandbox.settle();
    folder
}
