//! `larder doctor` tells what is not as it should be, and mends what is larder's own.

mod daemon;
mod folders;
mod machine;
mod wrappers;

use std::path::PathBuf;
use std::process::Command;

use larder_tests::{Sandbox, go_program, program};
use serde_json::Value;

/// Variables of the caller's that checks look at.
const CALLERS: [&str; 12] = [
    "AR",
    "CARGO_BUILD_RUSTC_WRAPPER",
    "CARGO_HOME",
    "CCACHE_PREFIX",
    "CMAKE_CXX_COMPILER_LAUNCHER",
    "CMAKE_C_COMPILER_LAUNCHER",
    "CXX",
    "GOCACHEPROG",
    "GOFLAGS",
    "HOSTCC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
];

/// What one `larder doctor` found.
struct Found {
    checks: Vec<Value>,
    code: Option<i32>,
}

impl Found {
    /// The checks of `group` and `name`.
    fn all(&self, group: &str, name: &str) -> Vec<&Value> {
        self.checks.iter().filter(|check| check["group"] == group && check["name"] == name).collect()
    }

    /// The first of them.
    fn one(&self, group: &str, name: &str) -> &Value {
        self.all(group, name).first().unwrap_or_else(|| panic!("no {group} {name}: {:#?}", self.checks))
    }

    fn state(&self, group: &str, name: &str) -> &str {
        self.one(group, name)["state"].as_str().expect("text")
    }

    /// Demands that exactly `wanted` are not as they should be, of all that is not said to be of the caller's.
    fn is_otherwise_well(&self, wanted: &[(&str, &str, &str)]) {
        let bad = self.checks.iter().filter(|check| check["state"] != "ok");
        let bad =
            bad.filter(|check| !["tools", "go", "wrap"].contains(&check["group"].as_str().expect("text")));
        let bad: Vec<_> =
            bad.map(|check| ["group", "name", "state"].map(|field| check[field].clone())).collect();
        let wanted: Vec<_> = wanted.iter().map(|(group, name, state)| [*group, *name, *state]).collect();
        assert_eq!(bad, wanted, "{:#?}", self.checks);
        let problem = wanted.iter().any(|wanted| wanted[2] == "problem");
        assert_eq!(self.code, Some(i32::from(problem)), "{:#?}", self.checks);
    }
}

/// The folder that is all of PATH in [`doctor`].
fn tools(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.root().join("p");
    std::fs::create_dir_all(&folder).expect("our own folder");
    folder
}

fn command(sandbox: &Sandbox, args: &[&str]) -> Command {
    let mut command = sandbox.larder(["doctor", "--json"].iter().chain(args));
    for name in CALLERS {
        command.env_remove(name);
    }
    command.env("PATH", tools(sandbox));
    command
}

fn found(command: &mut Command) -> Found {
    let output = command.output().expect("larder starts");
    let checks = serde_json::from_slice(&output.stdout);
    let checks =
        checks.unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    Found { checks, code: output.status.code() }
}

/// Looks, where no tool is in PATH but those that a test has put there.
fn doctor(sandbox: &Sandbox) -> Found {
    found(&mut command(sandbox, &[]))
}

/// Looks, mends, and looks again: the latter is what is told.
fn fix(sandbox: &Sandbox) -> Found {
    found(&mut command(sandbox, &["--fix"]))
}

/// Demands that `fix` mends what is wrong with `group` and `name`, says so once, and finds all well then and later.
fn is_mended(sandbox: &Sandbox, group: &str, name: &str) {
    let mended = fix(sandbox);
    let done =
        mended.all(group, name).into_iter().flat_map(|check| check["done"].as_array().expect("a list"));
    assert!(done.count() > 0, "{:#?}", mended.checks);
    for found in [mended, doctor(sandbox)] {
        assert!(found.all(group, name).iter().all(|check| check["state"] == "ok"), "{:#?}", found.checks);
        assert_eq!(found.code, Some(0), "{:#?}", found.checks);
    }
}

/// The checks of `group` and `name`, with go in PATH and `GOCACHEPROG` as given.
fn check(sandbox: &Sandbox, group: &str, name: &str, vars: &[(&str, &str)]) -> (Value, Option<i32>) {
    let go = go_program();
    let path = std::env::join_paths([go.parent().expect("a folder")]).expect("a path");
    let mut command = sandbox.larder(["doctor", "--json"]);
    command.env("PATH", path).env("GOENV", "off").env("GOCACHE", sandbox.gocache()).env("GOCACHEPROG", "");
    command.envs(vars.iter().copied());
    let output = command.output().expect("larder starts");
    let checks: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let wanted = |check: &&Value| check["group"] == group && check["name"] == name;
    (
        checks.as_array().expect("a list").iter().find(wanted).cloned().unwrap_or_default(),
        output.status.code(),
    )
}

#[test]
fn the_go_command_is_asked_for_what_it_uses() {
    let sandbox = Sandbox::new();
    let ours = format!("{} go", program("larder").display());
    let (variable, code) = check(&sandbox, "go", "variable", &[("GOCACHEPROG", &ours)]);
    assert_eq!((variable["state"].as_str(), code), (Some("ok"), Some(0)), "{variable}");
    let (variable, code) = check(&sandbox, "go", "variable", &[]);
    assert_eq!((variable["state"].as_str(), code), (Some("note"), Some(0)), "{variable}");
    assert!(variable["hint"].as_str().is_some_and(|hint| hint.contains("larder go")), "{variable}");
    let (version, _) = check(&sandbox, "go", "version", &[]);
    assert_eq!((&version["state"], &version["found"]), (&"ok".into(), &"go1.27.3".into()));
    let (paths, _) = check(&sandbox, "go", "paths", &[]);
    assert_eq!(paths["state"], "ok", "{paths}");
    assert!(sandbox.pids("larderd").is_empty(), "looking starts nothing");
}

#[test]
fn a_helper_that_is_gone_is_a_problem() {
    let sandbox = Sandbox::new();
    let (variable, code) = check(&sandbox, "go", "variable", &[("GOCACHEPROG", "/no/such/larder go")]);
    assert_eq!((variable["state"].as_str(), code), (Some("problem"), Some(1)), "{variable}");
}

#[test]
fn a_folder_too_long_for_sockets_is_a_problem() {
    let sandbox = Sandbox::new();
    let long = sandbox.root().join("x".repeat(90));
    std::fs::create_dir(&long).expect("ours");
    let long = long.to_str().expect("plain").to_owned();
    let (socket, code) = check(&sandbox, "larder", "socket", &[("XDG_RUNTIME_DIR", &long)]);
    assert_eq!((socket["state"].as_str(), code), (Some("problem"), Some(1)), "{socket}");
    assert!(socket["hint"].as_str().is_some_and(|hint| hint.contains("XDG_RUNTIME_DIR")), "{socket}");
}

#[test]
fn without_go_there_is_a_note_and_no_problem() {
    let sandbox = Sandbox::started();
    let output = sandbox.larder(["doctor"]).env("PATH", sandbox.root()).output().expect("larder starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let daemon = format!("pid {}", sandbox.pid("larderd"));
    assert!(text.lines().any(|line| line.starts_with("larder") && line.contains(&daemon)), "{text}");
    assert!(text.lines().any(|line| line.starts_with("go") && line.contains("note")), "{text}");
}
