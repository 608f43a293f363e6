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

#[test]
fn logs_are_json_on_request_and_whatever_shows_them_reads_both_forms() {
    let sandbox = Sandbox::started();
    sandbox.run(&["stop", "--broker"]);
    sandbox.run(&["config", "set", "log_format", "json"]);
    let folder = sandbox.root().join("s/larder");
    let lines = |name: &str| std::fs::read_to_string(folder.join(name)).expect("there").lines().count();
    let text = [lines("larderd.log"), lines("broker.log")];
    let mut start = sandbox.larder(["start"]);
    // The broker reads no settings file.
    start.env("LARDER_LOG_FORMAT", "json").env("SECRET", "secret_in_a_variable");
    assert!(start.status().expect("larder starts").success());
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    for (name, text) in ["larderd.log", "broker.log"].into_iter().zip(text) {
        let log = std::fs::read_to_string(folder.join(name)).expect("there");
        assert!(log.lines().take(text).all(|line| !line.starts_with('{')), "{name}: {log}");
        let json: Vec<Value> =
            log.lines().skip(text).map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert!(
            json.iter().any(|line| line["level"] == "INFO" && line["fields"]["pid"].is_number()),
            "{name}: {log}"
        );
        for line in &json {
            assert!(line["timestamp"].is_string() && line["fields"]["message"].is_string(), "{name}: {line}");
        }
        assert!(!log.contains("secret_in"), "{name}: {log}");
    }
    // The file is enough for the daemon.
    let listed: Value =
        serde_json::from_slice(&sandbox.run(&["config", "list", "--json"]).stdout).expect("JSON");
    assert!(listed.to_string().contains(r#""name":"log_format","origin":"file""#), "{listed}");
    let before = lines("larderd.log");
    sandbox.run(&["restart"]);
    let log = std::fs::read_to_string(folder.join("larderd.log")).expect("there");
    assert!(log.lines().skip(before).all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    let page = sandbox.status().expect("it runs")["page"].as_str().expect("an address").to_owned();
    let health = larder_tests::http_get(&format!("{page}api/v1/health"));
    let health: Value = serde_json::from_str(&health.body).expect("JSON");
    let shown: Vec<_> = health["log"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    assert!(shown.iter().all(|line| !line.starts_with('{')), "{shown:?}");
    assert!(
        shown.iter().filter(|line| line.contains("Z  INFO launched ") && line.contains(" pid=")).count() == 3,
        "{shown:?}"
    );
    let said = String::from_utf8_lossy(&sandbox.run(&["doctor", "--bundle"]).stdout).into_owned();
    let bundle =
        std::fs::read_to_string(sandbox.work().join(said.lines().next().expect("a path"))).expect("there");
    assert!(
        bundle.contains("  INFO launched pid=") && bundle.contains(r#""message":"launched""#),
        "{bundle}"
    );
}
