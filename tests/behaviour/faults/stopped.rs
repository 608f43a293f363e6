//! A daemon that a signal has stopped.

use std::process::Output;

use larder_tests::{Sandbox, alive, same_as_alone, signal, wait_until};
use rustix::process::Signal;

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

fn stopped() -> (Sandbox, u32) {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    let daemon = sandbox.pid("larderd");
    stop(daemon);
    (sandbox, daemon)
}

/// Returns when all of it stands still.
fn stop(daemon: u32) {
    signal(daemon, Signal::STOP);
    let is_stopped = |stat: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(stat.path().join("stat")).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    };
    wait_until("it to stand still", || {
        let mut threads = std::fs::read_dir(format!("/proc/{daemon}/task")).ok()?.flatten();
        threads.all(is_stopped).then_some(())
    });
}

fn compile(sandbox: &Sandbox) -> Output {
    let output = sandbox.larder(ARGV).output().expect("larder starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// Connections to the daemon that wait for it: a client that asked has left one, and one that did not ask has not.
fn waiting(sandbox: &Sandbox) -> usize {
    let endpoint = std::fs::read_to_string(sandbox.runtime().join("larder/endpoint")).expect("remembered");
    let endpoint = endpoint.lines().nth(1).expect("a path").to_owned();
    let sockets = std::fs::read_to_string("/proc/net/unix").expect("readable");
    // A socket that waits to be accepted is not connected on the daemon's side: state 02 of that path.
    sockets
        .lines()
        .filter(|line| line.ends_with(&endpoint) && line.split_whitespace().nth(5) != Some("01"))
        .count()
}

#[test]
fn only_the_first_client_asks_a_stopped_daemon() {
    let (sandbox, daemon) = stopped();
    let first = compile(&sandbox);
    let said = String::from_utf8_lossy(&first.stderr).into_owned();
    assert!(said.lines().count() == 1 && said.contains(&format!("process {daemon} is stopped")), "{said}");
    let asked = waiting(&sandbox);
    for _ in 0..5 {
        assert!(compile(&sandbox).stderr.is_empty(), "it has been said");
    }
    assert_eq!(waiting(&sandbox), asked, "the others did not ask");
    assert!(alive(daemon), "whoever stopped it may let it go on");
    signal(daemon, Signal::CONT);
    wait_until("the daemon to answer again", || sandbox.status());
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    assert_eq!(sandbox.pid("larderd"), daemon);
}

#[test]
fn whichever_client_finds_it_stopped_tells_those_of_every_kind() {
    let kinds: [&[&str]; 3] = [
        &ARGV,
        &["run", "--input", "x.c", "--output", "made", "--", "cp", "x.c", "made"],
        &["fingerprint", "check", "--cache", "seen", "--root", ".", "--ext", "c"],
    ];
    for first in 0..kinds.len() {
        let (sandbox, _) = stopped();
        let call = |at: usize| sandbox.larder(kinds[at].iter().copied()).output().expect("larder starts");
        let said = String::from_utf8_lossy(&call(first).stderr).into_owned();
        assert!(said.lines().count() == 1 && said.contains("is stopped"), "{:?}: {said}", kinds[first]);
        let asked = waiting(&sandbox);
        for (at, kind) in kinds.iter().enumerate() {
            assert!(call(at).stderr.is_empty(), "{kind:?} after {:?}: it has been said", kinds[first]);
        }
        assert_eq!(waiting(&sandbox), asked, "after {:?} nobody asked", kinds[first]);
    }
}

#[test]
fn a_daemon_that_stays_stopped_is_replaced() {
    let (sandbox, daemon) = stopped();
    compile(&sandbox);
    wait_until("a client to end it", || {
        compile(&sandbox);
        (!alive(daemon)).then_some(())
    });
    same_as_alone(&sandbox, &ARGV);
    assert_ne!(sandbox.pid("larderd"), daemon);
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit", "{}", sandbox.log());
}

#[test]
fn a_person_stops_or_replaces_a_stopped_daemon_at_once() {
    let (sandbox, daemon) = stopped();
    let said = sandbox.run(&["stop"]);
    assert!(String::from_utf8_lossy(&said.stdout).contains(&format!("pid {daemon}")), "{said:?}");
    assert!(!alive(daemon));
    sandbox.start();
    let daemon = sandbox.pid("larderd");
    stop(daemon);
    sandbox.run(&["restart"]);
    assert_ne!(sandbox.pid("larderd"), daemon);
}
