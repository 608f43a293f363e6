//! The daemon that answers, the broker, the three programs, and what those that have gone left behind.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, SystemTime};

use larder_tests::{Sandbox, alive, http_get, kill, program, signal, wait_until};
use rustix::process::Signal;
use serde_json::Value;

use super::{command, doctor, fix, found, is_mended};

/// Copies of the programs in a folder of their own.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
    for name in ["larder", "larderd", "larder-broker"] {
        fs::copy(program(name), folder.path().join(name)).expect("a copy");
    }
    folder
}

#[test]
fn a_daemon_of_another_build_is_replaced() {
    let folder = installed();
    let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
    sandbox.start();
    let old = sandbox.pid("larderd");
    doctor(&sandbox).is_otherwise_well(&[]);
    let (new, daemon) = (folder.path().join("new"), folder.path().join("larderd"));
    let bytes = [fs::read(&daemon).expect("a copy"), b"\n".to_vec()].concat();
    fs::copy(&daemon, &new).expect("a copy");
    fs::write(&new, bytes).expect("ours");
    fs::rename(new, daemon).expect("ours");
    doctor(&sandbox).is_otherwise_well(&[("larder", "identity", "note")]);
    is_mended(&sandbox, "larder", "identity");
    assert_ne!(sandbox.pid("larderd"), old);
}

#[test]
fn a_stopped_daemon_is_a_problem_and_is_replaced() {
    let sandbox = Sandbox::started();
    let old = sandbox.pid("larderd");
    signal(old, Signal::STOP);
    let found = wait_until("it to stand still", || {
        let found = doctor(&sandbox);
        (found.code == Some(1)).then_some(found)
    });
    assert_eq!(found.state("larder", "daemon"), "problem", "{:#?}", found.checks);
    is_mended(&sandbox, "larder", "daemon");
    assert!(!alive(old) && sandbox.pid("larderd") != old);
}

#[test]
fn what_killed_programs_leave_behind_is_removed() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    sandbox.run(&["gcc", "-c", "x.c"]);
    let endpoint = sandbox.endpoint();
    let (daemon, broker) = (sandbox.pid("larderd"), sandbox.pid("larder-broker"));
    kill(broker);
    kill(daemon);
    wait_until("both to be gone", || (!alive(daemon) && !alive(broker)).then_some(()));
    // The socket is old enough to be nobody's who is just starting.
    let old = SystemTime::now() - Duration::from_secs(3600);
    let time = old.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let time = rustix::fs::Timespec { tv_sec: time.as_secs() as i64, tv_nsec: 0 };
    let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(rustix::fs::CWD, &endpoint, &times, rustix::fs::AtFlags::empty()).expect("ours");
    let locks = sandbox.runtime().join("larder/runs");
    fs::create_dir(&locks).expect("ours");
    fs::write(locks.join("free"), "").expect("ours");
    let held = fs::File::create(locks.join("held")).expect("ours");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("nobody else's");
    doctor(&sandbox).is_otherwise_well(&[
        ("broker", "socket", "note"),
        ("larder", "identity", "note"),
        ("larder", "endpoint", "note"),
        ("larder", "leftovers", "note"),
    ]);
    let mended = fix(&sandbox);
    let done: Vec<String> = mended
        .checks
        .iter()
        .flat_map(|check| check["done"].as_array().expect("a list"))
        .map(|done| done.as_str().expect("text").to_owned())
        .collect();
    assert!(done.contains(&format!("removed {endpoint}")), "{done:?}");
    mended.is_otherwise_well(&[("broker", "socket", "note")]);
    assert!(!Path::new(&endpoint).exists() && !locks.join("free").exists());
    assert!(locks.join("held").exists(), "a run holds it");
    sandbox.run(&["gcc", "-c", "x.c"]);
    doctor(&sandbox).is_otherwise_well(&[("larder", "crashes", "note")]);
}

#[test]
fn larder_switched_off_is_told() {
    let sandbox = Sandbox::started();
    for (value, state) in [("1", "note"), ("maybe", "problem")] {
        let found = found(command(&sandbox, &[]).env("RUNNING_PROCESS_DISABLE", value));
        found.is_otherwise_well(&[("larder", "switch", state)]);
        assert!(!format!("{:?}", found.checks).contains("maybe"), "a value is not shown");
    }
}

#[test]
fn clients_that_would_reach_another_daemon_are_told_and_led_back() {
    let sandbox = Sandbox::started();
    let file = sandbox.runtime().join("larder/endpoint");
    let other = sandbox.root().join("other.sock");
    let _listener = UnixListener::bind(&other).expect("free");
    let version = fs::read_to_string(&file).expect("remembered").lines().next().map(str::to_owned);
    fs::write(&file, format!("{}\n{}\n", version.expect("a version"), other.display())).expect("ours");
    doctor(&sandbox).is_otherwise_well(&[("larder", "endpoint", "problem")]);
    is_mended(&sandbox, "larder", "endpoint");
}

#[test]
fn programs_of_another_version_and_programs_that_are_missing_are_problems() {
    let folder = installed();
    let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
    doctor(&sandbox).is_otherwise_well(&[("broker", "socket", "note")]);
    let broker = folder.path().join("larder-broker");
    fs::write(&broker, "#!/bin/sh\necho larder-broker 9.9.9\n").expect("ours");
    let found = doctor(&sandbox);
    found.is_otherwise_well(&[("broker", "socket", "note"), ("larder", "programs", "problem")]);
    let told = found.one("larder", "programs")["found"].as_str().expect("text").to_owned();
    assert!(told.contains("larder-broker 9.9.9"), "{told}");
    fs::remove_file(&broker).expect("ours");
    let found = doctor(&sandbox);
    found.is_otherwise_well(&[("broker", "socket", "note"), ("larder", "programs", "problem")]);
    assert!(found.one("larder", "programs")["hint"].as_str().expect("text").contains("cargo xtask install"));
}

#[test]
fn the_page_shows_what_the_doctor_finds() {
    let sandbox = Sandbox::new();
    let page = sandbox.start()["page"].as_str().expect("an address").to_owned();
    let compare = || {
        let health: Value =
            serde_json::from_str(&http_get(&format!("{page}api/v1/health")).body).expect("JSON");
        let shown = health["checks"].as_array().cloned().expect("a list");
        let found = doctor(&sandbox);
        let both: Vec<_> = shown
            .iter()
            .filter(|check| !found.all(text(check, "group"), text(check, "name")).is_empty())
            .map(|check| {
                let (group, name) = (text(check, "group"), text(check, "name"));
                assert_eq!(text(check, "state"), found.state(group, name), "{group} {name}");
                format!("{group} {name}")
            })
            .collect();
        (both, shown)
    };
    let (both, _) = compare();
    for check in
        ["larder cache", "larder definition", "larder rights", "disk space", "clock files", "broker socket"]
    {
        assert!(both.iter().any(|shown| shown == check), "{check}: {both:?}");
    }
    fs::write(sandbox.definitions().join("larder.servicedef.v2"), "no definition").expect("ours");
    let (_, shown) = compare();
    let definition = shown.iter().find(|check| text(check, "name") == "definition").expect("it is shown");
    assert_eq!(text(definition, "state"), "problem");
}

fn text<'a>(check: &'a Value, field: &str) -> &'a str {
    check[field].as_str().expect("text")
}
