//! `larder clear`: everything, or what is of one service, and nothing that is in use.

use std::process::Output;

use larder_proto::v1::{ClearRequest, ControlReply, ControlRequest, control_reply, control_request};
use larder_proto::{PROTOCOL_VERSION, lane};
use larder_tests::{GoAdapter, Sandbox, connect, same_as_alone};
use prost::Message as _;

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

fn clear(sandbox: &Sandbox, args: &[&str]) -> Output {
    sandbox.larder(["clear"].iter().chain(args)).output().expect("larder starts")
}

fn said(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = clear(sandbox, args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn what_is_cleared_is_made_anew_and_a_dry_run_clears_nothing() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    let told = said(&sandbox, &["--dry-run"]);
    assert!(told.starts_with("would remove 2 results and manifests"), "{told}");
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    let told = said(&sandbox, &[]);
    assert!(told.starts_with("removed 2 results and manifests"), "{told}");
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.stats()["records"][0]["outcome"], "miss");
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}

/// A sandbox in which each service that keeps results has one; the object is kept under a key as well.
fn filled() -> Sandbox {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    sandbox.run(&["store", "put", "k", "x.o"]);
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_in_vain("action");
    adapter.put_well("action", b"archive");
    adapter.close();
    sandbox
}

/// Whether the result of each service is there: compile, go, artifact.
fn there(sandbox: &Sandbox) -> [bool; 3] {
    let has = sandbox.larder(["store", "get", "k", "--into", "got"]).output().expect("larder starts");
    let mut adapter = GoAdapter::start(sandbox);
    let go = adapter.get("action")["Miss"] != true;
    adapter.close();
    same_as_alone(sandbox, &ARGV);
    let records = sandbox.stats()["records"].as_array().cloned().unwrap_or_default();
    let compile = records.iter().find(|record| record["service"] == "compile").expect("it was asked");
    [compile["outcome"] == "hit", go, has.status.success()]
}

#[test]
fn of_one_service_everything_goes_and_the_others_hit_as_before() {
    for (at, (service, told)) in [
        // The object is also kept under a key, and stays for that.
        ("compile", "removed 2 results and manifests and 0 blobs"),
        // What a go command was handed stays for a while after its end.
        ("go", "removed 1 results and manifests and 0 blobs"),
        ("artifact", "removed 1 results and manifests and 0 blobs"),
    ]
    .into_iter()
    .enumerate()
    {
        let sandbox = filled();
        let cleared = said(&sandbox, &["--service", service]);
        assert!(cleared.starts_with(told), "{service}: {cleared}");
        let mut expected = [true; 3];
        expected[at] = false;
        assert_eq!(there(&sandbox), expected, "{service}");
    }
}

#[test]
fn blobs_that_only_the_service_held_go_with_it() {
    let sandbox = filled();
    assert!(said(&sandbox, &["--service", "artifact"]).contains(" 0 blobs"), "the compile holds it too");
    assert!(said(&sandbox, &["--service", "compile"]).contains(" 1 blobs"), "nobody else does");
}

#[test]
fn a_dry_run_for_one_service_tells_what_would_go_and_changes_nothing() {
    let sandbox = filled();
    let store = || sandbox.status().expect("it runs")["store"].clone();
    // Results of go commands are written a little later, at the latest before anything is counted.
    said(&sandbox, &["--dry-run"]);
    let before = store();
    let told = said(&sandbox, &["--dry-run", "--service", "compile"]);
    assert!(told.starts_with("would remove 2 results and manifests and 0 blobs"), "{told}");
    assert_eq!(store(), before);
    assert_eq!(there(&sandbox), [true; 3]);
    let cleared = said(&sandbox, &["--service", "compile"]);
    assert_eq!(cleared, told.replace("would remove", "removed"));
}

#[test]
fn a_service_that_is_unknown_or_keeps_nothing_is_refused_with_the_names_of_those_that_do() {
    let sandbox = filled();
    for service in ["nobody", "Compile", "fingerprint", "all", " go"] {
        let refused = clear(&sandbox, &["--service", service]);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains(&format!("{service:?}")), "{service}: {error}");
        assert!(error.contains("hint: these do: compile, go, artifact"), "{service}: {error}");
    }
    let nobody = ClearRequest { service: "nobody".to_owned(), dry_run: false };
    let request = ControlRequest {
        protocol: PROTOCOL_VERSION,
        client_version: "0.0.1".to_owned(),
        request: Some(control_request::Request::Clear(nobody)),
    };
    let reply =
        connect(&sandbox.endpoint()).request(lane::CONTROL, request.encode_to_vec()).expect("a reply");
    let reply = ControlReply::decode(reply.as_slice()).expect("a message").reply;
    assert!(
        matches!(reply, Some(control_reply::Reply::Failure(failure)) if failure.id == "request_malformed")
    );
    assert_eq!(there(&sandbox), [true; 3]);
}

#[test]
fn a_go_command_that_runs_keeps_what_it_was_handed_and_goes_on() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    let mut handed = Vec::new();
    for number in 0..30 {
        let (name, body) = (format!("{number}"), vec![number; 1000]);
        adapter.get_in_vain(&name);
        handed.push((adapter.put_well(&name, &body), body));
        let args: &[&str] = if number % 2 == 0 { &["--service", "go"] } else { &[] };
        said(&sandbox, args);
    }
    for (path, body) in &handed {
        assert!(&std::fs::read(path).expect("it stays") == body, "{}", path.display());
    }
    adapter.put_well("0", b"again");
    adapter.get_well("0", b"again");
    adapter.close();
    // Nor is the next one told of what went.
    let mut next = GoAdapter::start(&sandbox);
    next.get_well("0", b"again");
    (1..30).for_each(|number| next.get_in_vain(&number.to_string()));
    next.close();
}

#[test]
fn a_build_of_go_is_right_while_its_results_are_cleared_over_and_over() {
    let sandbox = Sandbox::started();
    sandbox.write("go.mod", "module example.com/m\n\ngo 1.27\n");
    sandbox.write(
        "main.go",
        "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"made\") }\n",
    );
    for _ in 0..2 {
        let mut build = sandbox.go(&["build", "-o", "made", "."]).spawn().expect("go starts");
        let status = loop {
            said(&sandbox, &["--service", "go"]);
            if let Some(status) = build.try_wait().expect("ours") {
                break status;
            }
        };
        assert!(status.success(), "{}", sandbox.log());
        let made = sandbox.command(sandbox.work().join("made")).output().expect("a program");
        assert_eq!(made.stdout, b"made");
    }
}
