//! `larder stats` and `larder report`: how far back, how much, and counts that begin anew.

use larder_tests::{Sandbox, same_as_alone};
use serde_json::Value;

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

fn text(sandbox: &Sandbox, args: &[&str]) -> String {
    String::from_utf8(sandbox.run(args).stdout).expect("text")
}

fn json(sandbox: &Sandbox, args: &[&str]) -> Value {
    serde_json::from_str(&text(sandbox, args)).expect("JSON")
}

fn refused(sandbox: &Sandbox, args: &[&str]) -> String {
    let output = sandbox.larder(args.iter().copied()).output().expect("larder starts");
    assert!(!output.status.success(), "{args:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// A daemon that has had a miss and a hit.
fn used() -> Sandbox {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    same_as_alone(&sandbox, &ARGV);
    sandbox
}

#[test]
fn counts_begin_anew_for_all_who_look_and_the_days_and_records_stay() {
    let sandbox = used();
    let before = json(&sandbox, &["stats", "--json", "--zero-stats"]);
    assert_eq!((&before["services"][0]["hits"], &before["services"][0]["misses"]), (&1.into(), &1.into()));
    let after = sandbox.stats();
    assert!(after["since_unix_ms"].as_u64() > before["since_unix_ms"].as_u64());
    assert_eq!(
        (&after["services"][0]["hits"], &after["services"][0]["reasons"]),
        (&0.into(), &Value::Array(vec![]))
    );
    assert_eq!(after["records"].as_array().map(Vec::len), Some(2));
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.counts().hits, 1);
    assert_eq!(text(&sandbox, &["-z"]), "the counts begin anew\n");
    assert_eq!(sandbox.counts().hits, 0);
    sandbox.run(&["restart"]);
    let kept = json(&sandbox, &["stats", "--since", "1d", "--json"]);
    assert_eq!((&kept["total"]["hits"], &kept["total"]["misses"]), (&2.into(), &1.into()));
    let told = text(&sandbox, &["stats", "--since", "30m", "-v"]);
    assert!(told.starts_with("since 20") && told.contains("00:00 UTC"), "{told}");
    assert!(told.lines().any(|line| line.split_whitespace().eq(["hits", "2"])), "{told}");
}

#[test]
fn a_period_that_makes_no_sense_is_refused_with_what_does() {
    let sandbox = Sandbox::new();
    for wrong in ["yesterday", "0d", "1y", "100d"] {
        let said = refused(&sandbox, &["stats", "--since", wrong]);
        assert!(said.contains(wrong) && said.contains("hint: "), "{said}");
    }
    assert!(refused(&sandbox, &["stats", "--since", "1d"]).contains("larder start"));
    assert!(refused(&sandbox, &["stats", "-z"]).contains("larder start"));
}

#[test]
fn more_words_show_idle_services_what_reasons_cost_and_where_the_time_went() {
    let sandbox = used();
    let short = text(&sandbox, &["stats"]);
    assert!(short.starts_with("counted since 20") && !short.contains("fingerprint"), "{short}");
    let long = text(&sandbox, &["stats", "-v"]);
    for said in ["fingerprint", "direct_hit: ", "first_seen: ", "looking up", "storing", "waiting"] {
        assert!(long.contains(said), "{said}: {long}");
    }
    let compile = sandbox.service("compile");
    let phase = |name: &str| compile[name].as_u64().expect("a number");
    assert!(phase("lookup_us") > 0 && phase("publish_us") > 0, "{compile}");
    assert!(phase("lookup_us") + phase("publish_us") <= phase("overhead_us"), "{compile}");
}

#[test]
fn each_report_of_the_page_is_the_same_on_the_command_line() {
    let sandbox = used();
    let page = sandbox.status().expect("it runs")["page"].as_str().expect("an address").to_owned();
    let served = |path: &str| -> Value {
        let reply = larder_tests::http_get(&format!("{page}api/v1/{path}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        serde_json::from_str(&reply.body).expect("JSON")
    };
    let build = served("builds")["builds"][0]["id"].as_str().expect("an id").to_owned();
    let key = sandbox.stats()["records"][0]["key"].as_str().expect("a key")[..8].to_owned();
    for (path, args) in [
        ("overview", &["overview"][..]),
        ("misses?records=1", &["misses", "--records", "1"]),
        ("records/1", &["record", "1"]),
        ("builds", &["builds"]),
        (&format!("builds/{build}"), &["build", &build]),
        ("store", &["store"]),
        (&format!("store/{key}"), &["find", &key]),
        ("settings", &["settings"]),
    ] {
        let args = [&["report"], args].concat();
        assert_eq!(json(&sandbox, &[&args[..], &["--json"]].concat()), served(path), "{path}");
        assert!(text(&sandbox, &args).lines().count() > 1, "{path}");
    }
    // These change while they are looked at.
    for (path, what) in [("services", "services"), ("health", "health")] {
        let told = json(&sandbox, &["report", what, "--json"]);
        let names = |value: &Value| value.as_object().expect("fields").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&told), names(&served(path)), "{path}");
    }
    assert!(refused(&sandbox, &["report", "record"]).contains("hint: "));
    assert!(refused(&sandbox, &["report", "builds", "7"]).contains("hint: "));
}
