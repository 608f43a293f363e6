//! The journal and the log of a session.

use std::fs;

use larder_tests::{GoAdapter, Sandbox, kill, wait_until};
use serde_json::Value;

fn start(sandbox: &Sandbox, args: &[&str]) -> String {
    let owner = std::process::id().to_string();
    let output = sandbox.run(&[&["session", "start", "--owner", &owner], args].concat());
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn compile(sandbox: &Sandbox, session: &str, args: &[&str]) {
    let mut call = sandbox.larder([&["gcc", "-c", "x.c"], args].concat());
    call.env("LARDER_SESSION", session).env("CPATH", "/a-secret");
    assert!(call.status().expect("larder starts").success());
}

fn lines(sandbox: &Sandbox) -> Vec<Value> {
    let text = fs::read_to_string(sandbox.work().join("j.jsonl")).expect("a journal");
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

#[test]
fn each_call_of_the_session_leaves_a_line_and_no_value_of_a_variable() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let id = start(&sandbox, &["--journal", "j.jsonl", "--log", "l.txt"]);
    compile(&sandbox, &id, &[]);
    compile(&sandbox, &id, &[]);
    compile(&sandbox, "another", &["-O3"]);
    compile(&sandbox, &id, &["-O3"]);
    compile(&sandbox, &id, &["-save-temps"]);
    sandbox.run(&["session", "end", &id]);
    compile(&sandbox, &id, &["-O2"]);
    let lines = lines(&sandbox);
    let ends: Vec<_> = lines.iter().map(|line| line["reason"].as_str().expect("a reason")).collect();
    assert_eq!(ends, ["first_seen", "direct_hit", "direct_hit", "option_uncacheable"], "{lines:#?}");
    for line in &lines {
        assert_eq!(
            (&line["v"], &line["session"], &line["tool"]),
            (&1.into(), &id.as_str().into(), &"gcc".into())
        );
        assert_eq!(line["source"], "x.c");
        assert!(line["us"]["lookup"].as_u64() > Some(0), "{line}");
    }
    assert!(lines[0]["us"]["run"].as_u64() > Some(0) && lines[0]["us"]["publish"].as_u64() > Some(0));
    assert_eq!(lines[1]["us"]["avoided"], lines[0]["us"]["run"]);
    assert_eq!(lines[1]["key"], lines[0]["key"]);
    assert_eq!(lines[3]["about"], "-save-temps");
    let log = fs::read_to_string(sandbox.work().join("l.txt")).expect("a log");
    assert_eq!(log.lines().count(), 4, "{log}");
    let journal = fs::read_to_string(sandbox.work().join("j.jsonl")).expect("a journal");
    assert!(!journal.contains("a-secret") && !log.contains("a-secret"), "{journal}{log}");
}

#[test]
fn a_miss_says_what_differs_from_the_nearest_earlier_action() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "#include \"x.h\"\nint x = X;\n");
    sandbox.write_settled("x.h", "#define X 1\n");
    let id = start(&sandbox, &["--journal", "j.jsonl"]);
    compile(&sandbox, &id, &[]);
    sandbox.write_settled("x.h", "#define X 2\n");
    compile(&sandbox, &id, &[]);
    compile(&sandbox, &id, &["-O3"]);
    sandbox.run(&["session", "end", &id]);
    let differences: Vec<_> = lines(&sandbox).iter().map(|line| line["difference"].clone()).collect();
    assert_eq!(differences, ["", "x.h", "with -O3"]);
}

#[test]
fn a_go_command_counts_for_its_session_and_each_get_leaves_a_line() {
    let sandbox = Sandbox::started();
    let id = start(&sandbox, &["--journal", "j.jsonl"]);
    let mut adapter = GoAdapter::start_in_session(&sandbox, &id);
    adapter.get_in_vain("a");
    adapter.put_well("a", b"body");
    adapter.get_well("a", b"body");
    adapter.close();
    let report: Value =
        serde_json::from_slice(&sandbox.run(&["session", "end", &id, "--json"]).stdout).expect("JSON");
    let go = &report["services"][0];
    assert_eq!(
        (&go["service"], &go["hits"], &go["misses"]),
        (&"go".into(), &1.into(), &1.into()),
        "{report}"
    );
    let lines = lines(&sandbox);
    let ends: Vec<_> = lines.iter().map(|line| line["reason"].as_str().expect("a reason")).collect();
    assert_eq!(ends, ["go_first_seen", "go_hit"], "{lines:#?}");
    assert_eq!(lines[0]["key"], lines[1]["key"]);
    assert_eq!(sandbox.stats()["records"][0]["session"], id.as_str());
}

#[test]
fn a_session_without_figures_still_has_a_journal() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let id = start(&sandbox, &["--no-stats", "--journal", "j.jsonl"]);
    compile(&sandbox, &id, &[]);
    let report: Value =
        serde_json::from_slice(&sandbox.run(&["session", "end", &id, "--json"]).stdout).expect("JSON");
    assert_eq!((&report["services"], &report["slowest"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    assert_eq!(lines(&sandbox).len(), 1);
}

#[test]
fn a_killed_daemon_leaves_whole_lines_and_the_next_session_goes_on_behind_them() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let id = start(&sandbox, &["--journal", "j.jsonl"]);
    compile(&sandbox, &id, &[]);
    wait_until("the first line", || (lines(&sandbox).len() == 1).then_some(()));
    kill(sandbox.pid("larderd"));
    assert_eq!(lines(&sandbox).len(), 1);
    // What a kill within a line would leave.
    let path = sandbox.work().join("j.jsonl");
    let mut torn = fs::read(&path).expect("a journal");
    torn.extend_from_slice(b"{\"v\":1,\"time\":17");
    fs::write(&path, &torn).expect("ours");
    let told = sandbox.run(&["journal", "summary", "j.jsonl", "--json"]);
    let summary: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!((&summary["all"]["requests"], told.stderr.as_slice()), (&1.into(), &b""[..]));
    sandbox.start();
    let id = start(&sandbox, &["--journal", "j.jsonl"]);
    compile(&sandbox, &id, &[]);
    sandbox.run(&["session", "end", &id]);
    assert_eq!(lines(&sandbox).len(), 2);
}

#[test]
fn what_is_no_journal_is_refused_and_left_as_it_is() {
    let sandbox = Sandbox::new();
    sandbox.write("letter.jsonl", "dear");
    fs::create_dir(sandbox.work().join("folder.jsonl")).expect("ours");
    for (args, named) in [
        (&["session", "start", "--journal", "j.json"][..], ".jsonl"),
        (&["build", "--journal", "j", "--", "touch", "ran"], ".jsonl"),
        (&["build", "--journal", "letter.jsonl", "--", "touch", "ran"], "letter.jsonl"),
        (&["build", "--journal", "folder.jsonl", "--", "touch", "ran"], "folder.jsonl"),
        (&["build", "--log", "/dev/null", "--", "touch", "ran"], "/dev/null"),
        (&["build", "--journal", "nowhere/j.jsonl", "--", "touch", "ran"], "nowhere/j.jsonl"),
        (&["journal", "summary", "nowhere.jsonl"], "nowhere.jsonl"),
    ] {
        let output = sandbox.larder(args).output().expect("larder starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && text.contains(named), "{args:?}: {text}");
    }
    assert_eq!(fs::read(sandbox.work().join("letter.jsonl")).expect("there"), b"dear");
    assert!(!sandbox.work().join("ran").exists() && !sandbox.work().join("j.json").exists());
    assert!(sandbox.pids("larderd").is_empty(), "nothing is started for it");
}

#[test]
fn a_journal_is_added_up_and_drawn_and_bad_lines_are_named() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let id = start(&sandbox, &["--journal", "j.jsonl"]);
    compile(&sandbox, &id, &[]);
    compile(&sandbox, &id, &[]);
    sandbox.run(&["session", "end", &id]);
    let path = sandbox.work().join("j.jsonl");
    let mut bytes = fs::read(&path).expect("a journal");
    bytes.extend_from_slice(b"nonsense\n");
    fs::write(&path, bytes).expect("ours");
    let told = sandbox.run(&["journal", "summary", "j.jsonl", "--json"]);
    let summary: Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(summary["all"]["requests"], 2);
    for (group, names) in [("outcomes", &["hit", "miss"][..]), ("tools", &["gcc"]), ("files", &["x.c"])] {
        let told: Vec<_> =
            summary[group].as_array().expect("rows").iter().map(|row| row["name"].clone()).collect();
        assert_eq!(told, names, "{group}");
    }
    assert!(String::from_utf8_lossy(&told.stderr).contains("line 3"), "{told:?}");
    let text = String::from_utf8(sandbox.run(&["journal", "summary", "j.jsonl"]).stdout).expect("text");
    assert!(text.contains("direct_hit") && text.contains("2 calls"), "{text}");
    sandbox.run(&["journal", "trace", "j.jsonl", "--output", "t.json"]);
    let trace: Value =
        serde_json::from_slice(&fs::read(sandbox.work().join("t.json")).expect("a trace")).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let calls: Vec<_> = events.iter().filter(|event| event["cat"] != "phase").collect();
    assert_eq!(calls.iter().map(|call| call["name"].clone()).collect::<Vec<_>>(), ["x.c", "x.c"]);
    for phase in events.iter().filter(|event| event["cat"] == "phase") {
        let within = |call: &&&Value| {
            let (begin, end) = (
                |event: &Value| event["ts"].as_u64(),
                |event: &Value| Some(event["ts"].as_u64()? + event["dur"].as_u64()?),
            );
            begin(call) <= begin(phase) && end(phase) <= end(call)
        };
        assert!(calls.iter().any(|call| within(&call)), "{phase} is part of no call");
    }
}
