//! The commands that people type.

use larder_tests::Sandbox;

#[test]
fn help_fits_a_screen_and_shows_examples() {
    let sandbox = Sandbox::new();
    let output = sandbox.run(&["--help"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.contains("larder gcc -c"), "{text}");
}

#[test]
fn without_a_daemon_status_says_so_and_what_to_type() {
    let sandbox = Sandbox::new();
    let output = sandbox.larder(["status"]).output().expect("larder starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("larder start"));
    let output = sandbox.larder(["status", "--json"]).output().expect("larder starts");
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(status["running"], false);
    let output = sandbox.larder(["stats"]).output().expect("larder starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(sandbox.pids("larderd").is_empty(), "asking starts nothing");
}

#[test]
fn status_names_process_version_endpoint_and_page() {
    let sandbox = Sandbox::new();
    let status = sandbox.start();
    assert_eq!(status["pid"], sandbox.pid("larderd"));
    assert_eq!(status["version"], larder_proto::LARDER_VERSION);
    assert_eq!(status["state"], "ready");
    assert!(status["page"].as_str().is_some_and(|page| page.starts_with("http://127.0.0.1:")), "{status}");
    assert!(status["endpoint"].as_str().is_some_and(|path| path.starts_with('/')), "{status}");
    assert_eq!(status["warnings"], serde_json::json!([]), "{status}");
}

#[test]
fn stop_returns_when_the_daemon_is_gone() {
    let sandbox = Sandbox::new();
    sandbox.start();
    let pid = sandbox.pid("larderd");
    sandbox.run(&["stop"]);
    assert!(!larder_tests::alive(pid));
}

#[test]
fn a_tool_that_does_not_exist_is_named() {
    let sandbox = Sandbox::new();
    let output = sandbox.larder(["no-such-compiler", "-c", "x.c"]).output().expect("larder starts");
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no-such-compiler"));
}

#[test]
fn everything_that_is_kept_lies_in_the_sandbox() {
    let sandbox = Sandbox::new();
    let status = sandbox.start();
    for (what, path) in [("store", &status["store"]["folder"]), ("endpoint", &status["endpoint"])] {
        let path = path.as_str().expect("a path");
        assert!(path.starts_with(sandbox.root().to_str().expect("plain")), "{what}: {path}");
    }
    let home = std::fs::read_dir(sandbox.root().join("h")).expect("ours").count();
    assert_eq!(home, 0, "nothing goes to the home folder when the XDG folders are given");
}
