//! Sessions: what belongs to one build.

use std::process::Stdio;

use larder_tests::{Sandbox, wait_until};
use serde_json::Value;

fn started(sandbox: &Sandbox, owner: u32) -> String {
    let output = sandbox.run(&["session", "start", "--owner", &owner.to_string()]);
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn figures(sandbox: &Sandbox, verb: &str, id: &str) -> Value {
    serde_json::from_slice(&sandbox.run(&["session", verb, id, "--json"]).stdout).expect("JSON")
}

#[test]
fn only_calls_of_the_session_count_and_stats_do_not_end_it() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let id = started(&sandbox, std::process::id());
    let compile = |session: Option<&str>| {
        let mut call = sandbox.larder(["gcc", "-c", "x.c"]);
        call.envs(session.map(|id| ("LARDER_SESSION", id)));
        assert!(call.status().expect("larder starts").success());
    };
    compile(Some(&id));
    compile(None);
    compile(Some("no-such-session"));
    assert_eq!(figures(&sandbox, "stats", &id)["ended_unix_ms"], 0);
    compile(Some(&id));
    let report = figures(&sandbox, "end", &id);
    let service = &report["services"][0];
    assert_eq!((&service["misses"], &service["hits"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(report["slowest"][0]["reason"], "first_seen");
    assert_eq!(report["ended_by"], "request");
    compile(Some(&id));
    assert_eq!(figures(&sandbox, "stats", &id)["services"], report["services"], "it has ended");
}

#[test]
fn a_session_ends_with_its_process() {
    let sandbox = Sandbox::started();
    let mut owner = sandbox.command("cat").stdin(Stdio::piped()).spawn().expect("there is a cat");
    let id = started(&sandbox, owner.id());
    assert_eq!(figures(&sandbox, "stats", &id)["ended_by"], "");
    owner.kill().expect("ours");
    owner.wait().expect("ours");
    wait_until("the session to end", || {
        (figures(&sandbox, "stats", &id)["ended_by"] == "owner").then_some(())
    });
}

#[test]
fn an_unknown_session_and_an_owner_that_does_not_run_are_named() {
    let sandbox = Sandbox::started();
    for args in [&["session", "end", "nope"][..], &["session", "start", "--owner", "4194305"]] {
        let output = sandbox.larder(args).output().expect("larder starts");
        assert_eq!(output.status.code(), Some(1));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("nope") || text.contains("4194305"), "{text}");
    }
}
