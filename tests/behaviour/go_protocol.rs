//! What the go command asks, line by line, by hand.

use std::collections::HashMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use larder_tests::{GoAdapter, Sandbox, action, signal, wait_until};
use rustix::process::Signal;
use serde_json::{Value, json};

const BODY: &[u8] = b"what the compiler made";

#[test]
fn what_was_put_is_found_by_the_next_go_command() {
    let sandbox = Sandbox::new();
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_in_vain("a");
    let path = adapter.put_well("a", BODY);
    assert_eq!(adapter.get_well("a", BODY), path);
    adapter.close();
    let mut adapter = GoAdapter::start(&sandbox);
    assert_eq!(adapter.get_well("a", BODY), path);
    adapter.get_in_vain("b");
    adapter.close();
    let mode = path.metadata().expect("still there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o444, "nobody may write it");
    assert!(path.starts_with(sandbox.gocache()), "or `go build -o x.a` would move it: {}", path.display());
}

#[test]
fn the_first_message_comes_before_anybody_is_asked() {
    let sandbox = Sandbox::started();
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::STOP);
    let adapter = GoAdapter::start(&sandbox);
    signal(daemon, Signal::CONT);
    adapter.close();
}

#[test]
fn many_requests_in_flight_are_each_answered_once() {
    const MANY: usize = 400;
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    let mut wanted: HashMap<i64, Option<String>> = HashMap::new();
    for number in 0..MANY {
        let name = number.to_string();
        wanted.insert(adapter.send_get(&name), None);
        wanted.insert(adapter.send_put(&name, name.as_bytes()), Some(name));
    }
    for _ in 0..2 * MANY {
        let answer = adapter.answer();
        let id = answer["ID"].as_i64().expect("a number");
        match wanted.remove(&id).expect("asked, and not answered before") {
            None => assert_eq!(answer, json!({"ID": id, "Miss": true})),
            Some(body) => {
                let path = answer["DiskPath"].as_str().expect("a path");
                assert_eq!(std::fs::read_to_string(path).expect("a file"), body);
            }
        }
    }
    adapter.close();
}

#[test]
fn an_id_of_64_bits_is_echoed_exactly() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    for id in ["9223372036854775807", "-9223372036854775808", "18446744073709551615", "9007199254740993"] {
        adapter.write(format!("{{\"ID\":{id},\"Command\":\"get\",\"ActionID\":\"{}\"}}\n\n", action("a")));
        assert_eq!(adapter.answer()["ID"].to_string(), id);
    }
    adapter.close();
}

#[test]
fn a_file_that_is_put_again_is_left_alone() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    let path = adapter.put_well("a", BODY);
    adapter.close();
    // Once the daemon has proven it, which it does when the go command has gone.
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_well("a", BODY);
    let inode = || path.metadata().expect("still there").ino();
    let held = std::fs::File::open(&path).expect("still there");
    let before = inode();
    adapter.put_well("a", BODY);
    adapter.put_well("b", BODY);
    assert_eq!(std::io::read_to_string(&held).expect("readable").as_bytes(), BODY);
    wait_until("the blob to be proven", || {
        adapter.get_well("a", BODY);
        let now = inode();
        adapter.put_well("a", BODY);
        (inode() == now).then_some(())
    });
    assert_eq!(before, held.metadata().expect("open").ino());
    adapter.close();
}

#[test]
fn the_newest_output_of_an_action_wins_also_for_another_go_command() {
    let sandbox = Sandbox::started();
    let (mut one, mut other) = (GoAdapter::start(&sandbox), GoAdapter::start(&sandbox));
    one.put_well("a", b"one");
    other.get_well("a", b"one");
    other.put_well("a", b"two");
    one.get_well("a", b"two");
    one.put_well("a", b"one");
    other.get_well("a", b"one");
    one.close();
    other.close();
}

#[test]
fn the_time_is_that_of_the_latest_put() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    let time = |answer: Value| answer["Time"].as_str().expect("a time").to_owned();
    adapter.put_well("a", BODY);
    let first = time(adapter.get("a"));
    assert_eq!(time(adapter.get("a")), first, "asking does not renew it");
    let later = wait_until("the clock to move on", || {
        adapter.put_well("a", BODY);
        Some(time(adapter.get("a"))).filter(|later| *later != first)
    });
    assert!(later > first && later.len() == first.len() && later.ends_with('Z'), "{first} {later}");
    adapter.close();
}

#[test]
fn an_empty_body_has_no_line() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.put_well("a", b"");
    adapter.get_well("a", b"");
    adapter.close();
}

#[test]
fn a_body_that_is_not_what_was_announced_is_refused_and_not_kept() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    // Another content, one too short, one too long, none, and an empty one of another name.
    for (announced, sent) in [
        (&b"abcdef"[..], "\"YWJjZGVn\"\n"),
        (b"abcdef", "\"YWJj\"\n"),
        (b"abcdef", "\"YWJjZGVmZw==\"\n"),
        (b"abcdef", "\"\"\n"),
    ] {
        adapter.announce_put("a", announced);
        adapter.write(sent);
        let answer = adapter.answer();
        assert!(answer["Err"].as_str().is_some_and(|error| error.contains("body")), "{answer}");
        assert!(answer["DiskPath"].is_null(), "{answer}");
    }
    let empty = json!({"Command": "put", "ActionID": action("a"), "OutputID": action("x"), "BodySize": 0});
    adapter.send(empty);
    assert!(adapter.answer()["Err"].is_string());
    adapter.get_in_vain("a");
    adapter.put_well("a", b"abcdef");
    adapter.close();
}

#[test]
fn what_is_unknown_gets_a_polite_answer() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    let refused = |answer: Value| answer["Err"].as_str().expect("an error").to_owned();
    adapter.send(json!({"Command": "trim"}));
    assert!(refused(adapter.answer()).contains("trim"));
    adapter.send(json!({"Command": "get", "ActionID": "AAAA"}));
    assert!(refused(adapter.answer()).contains("ActionID"));
    // What follows the refused is understood, a body that follows them included.
    adapter.send(json!({"Command": "put", "ActionID": action("a"), "OutputID": "AAAA", "BodySize": 3}));
    adapter.write("\"YWJj\"\n");
    assert!(refused(adapter.answer()).contains("OutputID"));
    let get = json!({"Command": "get", "ActionID": action("a"), "Future": {"deep": [1, null, "}"]}});
    let id = adapter.send(get);
    assert_eq!(adapter.answer(), json!({"ID": id, "Miss": true}));
    adapter.close();
}

#[test]
fn an_object_id_serves_for_an_output_id() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    let abc = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
    adapter.send(json!({"Command": "put", "ActionID": action("a"), "ObjectID": abc, "BodySize": 3}));
    adapter.write("\"YWJj\"\n");
    assert!(adapter.answer()["DiskPath"].is_string());
    adapter.get_well("a", b"abc");
    adapter.close();
}

#[test]
fn garbage_ends_it_with_an_error_and_nothing_is_half_kept() {
    let sandbox = Sandbox::started();
    for garbage in [
        "GET / HTTP/1.1\n\n".to_owned(),
        "{\"ID\":1\n".to_owned(),
        "{\"Command\":\"get\"}\n".to_owned(),
        "x".repeat(1 << 20),
        format!("{{\"ID\":1,\"Command\":\"close\",\"X\":{}", "[".repeat(100_000)),
    ] {
        let mut adapter = GoAdapter::start(&sandbox);
        adapter.write(garbage);
        let end = adapter.end();
        assert_eq!(end.status.code(), Some(1), "{end:?}");
        assert!(end.stderr.starts_with("larder: failed to read"), "{end:?}");
        assert_eq!((end.stdout.as_str(), end.stderr.lines().count()), ("", 1), "{end:?}");
    }
    for body in ["\"YWJjZ", "\"YW!j\"\n", "YWJj\n", "\"YQ==YWJj\"\n", "{\"ID\":2,\"Command\":\"close\"}\n"] {
        let mut adapter = GoAdapter::start(&sandbox);
        adapter.announce_put("a", b"abcdef");
        adapter.write(body);
        let end = adapter.end();
        assert_eq!((end.status.code(), end.stdout.as_str()), (Some(1), ""), "{body} {end:?}");
    }
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_in_vain("a");
    adapter.close();
    assert_eq!(sandbox.status().expect("it runs")["store"]["blobs"], 0);
    wait_until("what was begun to be removed", || {
        let left = sandbox.store().join("tmp").read_dir().expect("ours").count();
        (left == 0).then_some(())
    });
}

#[test]
fn the_end_of_input_means_the_same_as_close() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.put_well("a", BODY);
    let id = adapter.send_get("a");
    let end = adapter.end();
    assert!(end.status.success() && end.stderr.is_empty(), "{end:?}");
    let answer: Value = serde_json::from_str(&end.stdout).expect("what was asked is answered");
    assert_eq!(answer["ID"], id);
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_well("a", BODY);
    adapter.close();
}

#[test]
fn an_interrupted_build_still_gets_its_answers() {
    let sandbox = Sandbox::started();
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.announce_put("a", BODY);
    for interrupt in [Signal::INT, Signal::QUIT, Signal::HUP, Signal::INT] {
        signal(adapter.pid(), interrupt);
    }
    adapter.write("\"d2hhdCB0aGUgY29tcGlsZXIgbWFkZQ==\"\n");
    let path = adapter.answer()["DiskPath"].as_str().expect("a path").to_owned();
    assert_eq!(std::fs::read(path).expect("a file"), BODY);
    adapter.close();
}

#[test]
fn a_daemon_that_it_starts_holds_none_of_its_streams() {
    let sandbox = Sandbox::new();
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_in_vain("a");
    let daemon = sandbox.pid("larderd");
    // It reads both streams to their ends, while the daemon lives on.
    adapter.close();
    assert_eq!(sandbox.pid("larderd"), daemon);
}

#[test]
fn answers_that_came_ahead_are_counted_and_tell_of_later_puts() {
    const MANY: u32 = 300;
    let sandbox = Sandbox::started();
    let body = |number: u32| number.to_string().into_bytes();
    let mut adapter = GoAdapter::start(&sandbox);
    for number in 0..MANY {
        adapter.get_in_vain(&number.to_string());
        adapter.put_well(&number.to_string(), &body(number));
    }
    adapter.close();
    let go = || sandbox.service("go");
    let before = go();
    for _ in 0..2 {
        let mut adapter = GoAdapter::start(&sandbox);
        for number in 0..MANY {
            adapter.get_well(&number.to_string(), &body(number));
        }
        // What was told ahead of time does not stand in the way of a put of its own.
        adapter.put_well("7", b"other");
        adapter.get_well("7", b"other");
        adapter.put_well("7", &body(7));
        adapter.close();
    }
    let count = |stats: &Value, name: &str| stats[name].as_u64().expect("a count");
    assert_eq!(count(&before, "misses"), u64::from(MANY));
    assert_eq!(count(&go(), "hits"), 2 * u64::from(MANY + 1));
    assert_eq!(count(&go(), "misses"), u64::from(MANY));
    let puts = go()["figures"].as_array().expect("figures").iter().find(|row| row["id"] == "puts").cloned();
    assert_eq!(puts.expect("puts are counted")["value"], MANY + 4);
    let record = sandbox.stats()["records"][0].clone();
    assert_eq!(
        (record["service"].as_str(), record["reason"].as_str()),
        (Some("go"), Some("go_hit")),
        "{record}"
    );
}
