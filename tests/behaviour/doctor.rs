//! `larder doctor` tells what is not as it should be.

use larder_tests::{Sandbox, go_program, program};
use serde_json::Value;

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
