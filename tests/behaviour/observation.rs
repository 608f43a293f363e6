//! What is left for whoever wants to know why something went wrong.

use std::os::unix::fs::MetadataExt as _;

use larder_tests::{Sandbox, kill, same_as_alone};
use serde_json::Value;

fn crashes(sandbox: &Sandbox) -> Value {
    let output = sandbox.larder(["doctor", "--json"]).output().expect("larder starts");
    let checks: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let crashes = checks.as_array().expect("a list").iter().find(|check| check["name"] == "crashes");
    crashes.cloned().expect("it is looked at")
}

#[test]
fn a_daemon_that_was_killed_is_told_of_and_one_that_was_stopped_is_not() {
    let sandbox = Sandbox::started();
    sandbox.run(&["restart"]);
    assert_eq!(crashes(&sandbox)["state"], "ok");
    let daemon = sandbox.pid("larderd");
    kill(daemon);
    sandbox.start();
    let told = crashes(&sandbox);
    assert_eq!(told["state"], "note", "{told}");
    assert!(told["found"].as_str().is_some_and(|found| found.contains(&format!("pid {daemon}"))), "{told}");
}

#[test]
fn a_bundle_has_logs_and_crashes_and_neither_sources_nor_values_of_variables() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int secret_in_the_source;\n");
    sandbox.run(&["stop"]);
    for _ in 0..2 {
        let output = sandbox
            .larder(["gcc", "-c", "x.c", "-DTOKEN=secret_in_an_argument"])
            .env("LARDER_LOG", "trace")
            .env("CPATH", "/secret/in/a/variable")
            .env("SECRET", "secret_in_a_variable")
            .output()
            .expect("larder starts");
        assert!(output.status.success(), "{output:?}");
    }
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    kill(sandbox.pid("larderd"));
    sandbox.start();
    let output = sandbox.run(&["doctor", "--bundle"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = sandbox.work().join(said.lines().next().expect("a path"));
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert_eq!(path.metadata().expect("there").mode() & 0o777, 0o600);
    for part in
        ["==== checks", "==== daemon", "==== crash ", "==== larderd.log", "==== broker.log", "launched"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("secret"), "{text}");
}
