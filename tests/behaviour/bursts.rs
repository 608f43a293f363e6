//! Many clients at once, many starts in a row.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use larder_tests::{Sandbox, alive, kill, number, processes_of, program, same_as_alone, wait_until};

#[test]
fn sixty_four_clients_after_a_crash_are_served_by_one_daemon() {
    let sandbox = Sandbox::started();
    for n in 0..64 {
        sandbox.write(&format!("f{n}.c"), format!("int f{n};\n"));
    }
    sandbox.settle();
    // Socket, identity and remembered endpoint of the dead one are all still there.
    kill(sandbox.pid("larderd"));
    let clients: Vec<_> = (0..64)
        .map(|n| {
            let mut command = sandbox.larder(["gcc", "-c", &format!("f{n}.c")]);
            command.stderr(Stdio::piped()).spawn().expect("larder starts")
        })
        .collect();
    for client in clients {
        let output = client.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{said}\n{}", sandbox.log());
    }
    sandbox.pid("larderd");
    let counts = sandbox.counts();
    assert_eq!((counts.misses + counts.bypasses, counts.errors), (64, 0), "{}", sandbox.log());
    // One start for the first daemon, and one for all that came after it.
    let log = std::fs::read_to_string(sandbox.root().join("s/larder/broker.log")).expect("a log");
    assert_eq!(log.lines().filter(|line| line.contains(" launched ")).count(), 2, "{log}");
}

#[test]
fn a_daemon_that_dies_at_each_start_is_started_a_few_times_and_builds_go_on() {
    let folder = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
    for name in ["larder", "larder-broker"] {
        std::fs::copy(program(name), folder.path().join(name)).expect("a copy");
    }
    let starts = folder.path().join("starts");
    let script = format!("#!/bin/sh\necho >> {}\nexit 1\n", starts.display());
    let daemon = folder.path().join("larderd");
    std::fs::write(&daemon, script).expect("ours");
    std::fs::set_permissions(&daemon, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
    sandbox.write_settled("x.c", "int x;\n");
    let mut said = 0;
    for _ in 0..40 {
        let output = sandbox.larder(["gcc", "-c", "x.c"]).output().expect("larder starts");
        assert!(output.status.success(), "{output:?}");
        said += String::from_utf8_lossy(&output.stderr).lines().count();
    }
    assert_eq!(said, 1, "one line says why");
    let starts = std::fs::read_to_string(starts).expect("it was started").lines().count();
    assert!(starts <= 5, "started {starts} times for 40 calls\n{}", sandbox.log());
}

#[test]
fn a_daemon_that_crashes_again_and_again_is_left_alone_for_a_while() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let mut said = Vec::new();
    for _ in 0..20 {
        for daemon in sandbox.pids("larderd") {
            larder_tests::signal(daemon, rustix::process::Signal::ABORT);
            wait_until("it to be waited for", || {
                (!std::path::Path::new(&format!("/proc/{daemon}")).exists()).then_some(())
            });
        }
        let output = sandbox.larder(["gcc", "-c", "x.c"]).output().expect("larder starts");
        assert!(output.status.success(), "{output:?}");
        said.extend(String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned));
    }
    assert!(said.len() == 1 && said[0].contains("crashed"), "one line says why: {said:?}");
    let log = std::fs::read_to_string(sandbox.root().join("s/larder/broker.log")).expect("a log");
    let starts = log.lines().filter(|line| line.contains(" launched ")).count();
    assert!(starts <= 6, "started {starts} times\n{log}");
}

/// What a broker holds after its daemons have died.
fn held(sandbox: &Sandbox, broker: u32) -> (usize, usize, usize) {
    let descriptors = std::fs::read_dir(format!("/proc/{broker}/fd")).expect("it runs").count();
    let zombies = processes_of(&sandbox.runtime());
    let zombies = zombies.iter().filter(|(pid, name)| name == "larderd" && !alive(*pid)).count();
    let sockets = std::fs::read_dir(sandbox.runtime().join("running-process/broker")).expect("ours").count();
    (descriptors, zombies, sockets)
}

/// Long form: `LARDER_RESTARTS=1000`.
#[test]
fn restart_after_restart_leaves_no_descriptor_no_zombie_and_no_socket() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    let broker = sandbox.pid("larder-broker");
    let restart = || {
        kill(sandbox.pid("larderd"));
        let output = sandbox.larder(["gcc", "-c", "x.c"]).output().expect("larder starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}\n{}", sandbox.log());
        wait_until("the next daemon", || (sandbox.pids("larderd").len() == 1).then_some(()));
    };
    restart();
    let before = held(&sandbox, broker);
    for _ in 0..number("LARDER_RESTARTS").unwrap_or(12) {
        restart();
    }
    wait_until("the broker to hold no more than before", || {
        let now = held(&sandbox, broker);
        (now.0 <= before.0 && now.1 == 0 && now.2 <= before.2).then_some(())
    });
    assert_eq!(sandbox.pid("larder-broker"), broker);
}
