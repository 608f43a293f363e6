//! How a daemon's life ends.

use larder_tests::{Sandbox, alive, same_as_alone, signal, wait_until};
use running_process::broker::manifest::enumerate_central;
use rustix::process::Signal;

/// Whether a manifest of the stock tools' kind still names a daemon.
fn is_named(sandbox: &Sandbox) -> bool {
    enumerate_central(&sandbox.manifests()).iter().any(|manifest| manifest.current_daemon.is_some())
}

#[test]
fn a_daemon_that_is_told_to_end_withdraws_what_it_published() {
    let sandbox = Sandbox::new();
    let status = sandbox.start();
    wait_until("the manifest to name the daemon", || is_named(&sandbox).then_some(()));
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::TERM);
    wait_until("the daemon to be gone", || (!alive(daemon)).then_some(()));
    assert!(!is_named(&sandbox), "no manifest names it");
    assert!(sandbox.status().is_none(), "no identity leads to it");
    let endpoint = status["endpoint"].as_str().expect("a path");
    assert!(!std::path::Path::new(endpoint).exists(), "its socket is gone");
}

#[test]
fn only_a_daemon_that_ends_in_an_orderly_way_says_that_its_store_need_not_be_looked_at() {
    let sandbox = Sandbox::new();
    sandbox.start();
    sandbox.write_settled("x.c", "int x;\n");
    let argv = ["gcc", "-c", "x.c"];
    same_as_alone(&sandbox, &argv);
    let note = sandbox.store().join("index/closed");
    for (how, noted) in [(Signal::TERM, true), (Signal::KILL, false)] {
        let daemon = sandbox.pid("larderd");
        assert!(!note.exists(), "it is good for one opening");
        signal(daemon, how);
        wait_until("the daemon to be gone", || (!alive(daemon)).then_some(()));
        assert_eq!(note.exists(), noted, "{how:?}");
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "direct_hit");
    }
}

#[test]
fn a_compile_that_runs_when_the_daemon_is_told_to_end_is_not_disturbed() {
    let sandbox = Sandbox::new();
    sandbox.start();
    sandbox.write_settled("x.c", "int x;\n");
    let fifo = sandbox.work().join("held.h");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("our own folder");
    // The compiler waits for the header until somebody writes it.
    sandbox.write_settled("held.c", "#include \"held.h\"\n");
    let mut running = sandbox.larder(["gcc", "-c", "held.c"]).spawn().expect("larder starts");
    let mut writer = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the compiler reads");
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::TERM);
    std::io::Write::write_all(&mut writer, b"int held;\n").expect("the compiler reads");
    drop(writer);
    assert!(running.wait().expect("it ends").success());
    assert!(sandbox.work().join("held.o").is_file());
    wait_until("the daemon to be gone", || (!alive(daemon)).then_some(()));
}

#[test]
fn an_idle_daemon_leaves_and_the_next_call_gets_another() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.root().join("g/larder")).expect("our own folder");
    std::fs::write(sandbox.root().join("g/larder/config.toml"), "idle_seconds = 1\n")
        .expect("our own folder");
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    let daemon = sandbox.pid("larderd");
    wait_until("the idle daemon to be gone", || (!alive(daemon)).then_some(()));
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}
