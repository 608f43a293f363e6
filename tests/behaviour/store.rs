//! `larder store`: artifacts by hand.

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Output, Stdio};

use larder_tests::{Sandbox, signal};
use rustix::process::Signal;

fn store(sandbox: &Sandbox, args: &[&str]) -> Output {
    sandbox.larder(["store"].iter().chain(args)).output().expect("larder starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn outputs_streams_and_exit_code_come_back_and_a_key_keeps_what_it_stands_for() {
    let sandbox = Sandbox::new();
    for (name, text) in [("a", "one"), ("d/b", "two"), ("out", "said\n"), ("err", "told\n")] {
        sandbox.write(name, text);
    }
    fs::set_permissions(sandbox.work().join("d/b"), Permissions::from_mode(0o750)).expect("ours");
    let put = ["put", "k", "a", "d/b", "--stdout", "out", "--stderr", "err", "--exit-code", "7"];
    assert_eq!(store(&sandbox, &["has", "k"]).status.code(), Some(1));
    let stored = store(&sandbox, &put);
    assert!(stored.status.success() && said(&stored).starts_with("stored k"), "{}", said(&stored));
    let again = store(&sandbox, &put);
    assert!(again.status.success() && said(&again).contains("the same"), "{}", said(&again));
    assert_eq!(store(&sandbox, &["put", "k", "a"]).status.code(), Some(3), "another under the key");
    assert_eq!(store(&sandbox, &["has", "k"]).status.code(), Some(0));
    let got = store(&sandbox, &["get", "k", "--into", "new", "--replay"]);
    assert_eq!(
        (got.status.code(), got.stdout, got.stderr),
        (Some(7), b"said\n".to_vec(), b"told\n".to_vec())
    );
    assert_eq!(fs::read(sandbox.work().join("new/a")).expect("restored"), b"one");
    let b = sandbox.work().join("new/d/b");
    assert_eq!(fs::read(&b).expect("restored"), b"two");
    assert_eq!(b.metadata().expect("restored").permissions().mode() & 0o7777, 0o750);
    assert_eq!(store(&sandbox, &["get", "k"]).status.code(), Some(2), "two outputs are not printed");
    sandbox.run(&["restart"]);
    assert_eq!(store(&sandbox, &["has", "k"]).status.code(), Some(0), "a restart keeps it");
}

#[test]
fn standard_input_is_kept_and_printed_and_namespaces_are_apart() {
    let sandbox = Sandbox::new();
    let mut put = sandbox.larder(["store", "put", "k", "--stdin", "--namespace", "mine"]);
    let mut put = put.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("larder starts");
    put.stdin.take().expect("a pipe").write_all(b"\0piped").expect("larder reads");
    assert!(put.wait().expect("ours").success());
    assert_eq!(store(&sandbox, &["get", "k", "--namespace", "mine"]).stdout, b"\0piped");
    assert_eq!(store(&sandbox, &["get", "k"]).status.code(), Some(1));
}

#[test]
fn bad_input_is_named_and_ends_with_2() {
    let sandbox = Sandbox::started();
    sandbox.write("a", "one");
    let long = "k".repeat(513);
    for (args, named) in [
        (&["put", "k", "missing"][..], "missing"),
        (&["put", "k", "../w/a"], "../w/a"),
        (&["put", "k", "/etc/hostname"], "/etc/hostname"),
        (&["put", "k", "."], "."),
        (&["put", "k"], "FILES"),
        (&["put", &long, "a"], "512"),
        (&["put", "", "a"], "key"),
        (&["put", "k", "a", "--namespace", "a/b"], "a/b"),
        (&["put", "k", "a", "--namespace", "larder.run"], "larder.run"),
        (&["has", "a\nb"], "key"),
    ] {
        let output = store(&sandbox, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(named), "{args:?}: {}", said(&output));
    }
    assert_eq!(store(&sandbox, &["has", "k"]).status.code(), Some(1), "nothing was kept");
}

#[test]
fn where_an_output_cannot_be_written_what_was_there_stays() {
    let sandbox = Sandbox::started();
    for name in ["a", "b"] {
        sandbox.write(name, "new");
    }
    assert!(store(&sandbox, &["put", "k", "a", "b"]).status.success());
    sandbox.write("into/a", "old");
    fs::create_dir_all(sandbox.work().join("into/b")).expect("ours");
    let output = store(&sandbox, &["get", "k", "--into", "into"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(fs::read(sandbox.work().join("into/a")).expect("there"), b"old");
    assert_eq!(fs::read_dir(sandbox.work().join("into")).expect("ours").count(), 2, "nothing is left behind");
}

#[test]
fn a_daemon_that_does_not_answer_is_an_error_with_a_hint() {
    for args in [&["put", "k", "a"][..], &["get", "k"], &["has", "k"]] {
        let sandbox = Sandbox::started();
        sandbox.write("a", "one");
        let daemon = sandbox.pid("larderd");
        signal(daemon, Signal::STOP);
        let output = store(&sandbox, args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains("hint: "), "{args:?}: {}", said(&output));
        // It is known from now on, and who asks again gets another.
        let again = store(&sandbox, &["put", "k", "a"]);
        assert!(again.status.success(), "{args:?}: {}", said(&again));
        assert_ne!(sandbox.pid("larderd"), daemon);
    }
    let sandbox = Sandbox::new();
    let off = sandbox.larder(["store", "has", "k"]).env("RUNNING_PROCESS_DISABLE", "1").output();
    assert_eq!(off.expect("larder starts").status.code(), Some(2));
}
