//! A daemon that may have no more descriptors, or no more memory.

use std::process::Stdio;

use larder_tests::{Sandbox, same_as_alone, wait_until};

const CLIENTS: usize = 24;

/// Sets a limit of the daemon's, which nothing it does undoes.
fn limit(sandbox: &Sandbox, option: &str) {
    let mut prlimit = sandbox.command("prlimit");
    prlimit.args(["--pid", &sandbox.pid("larderd").to_string(), option]);
    assert!(prlimit.status().expect("prlimit is part of every Linux").success());
}

fn sources(sandbox: &Sandbox) {
    for n in 0..CLIENTS {
        sandbox.write(&format!("f{n}.c"), format!("char f{n}[200000] = {{ 1, {n} }};\n"));
        let mut gcc = sandbox.command("gcc");
        gcc.args(["-c", &format!("f{n}.c"), "-o", &format!("alone{n}.o")]);
        assert!(gcc.status().expect("gcc starts").success());
    }
    sandbox.settle();
}

/// All at once. Each has its object, and says one line at most.
fn compile_all(sandbox: &Sandbox) {
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            let _ = std::fs::remove_file(sandbox.work().join(format!("f{n}.o")));
            let mut command = sandbox.larder(["gcc", "-c", &format!("f{n}.c")]);
            command.stderr(Stdio::piped()).spawn().expect("larder starts")
        })
        .collect();
    for (n, client) in clients.into_iter().enumerate() {
        let output = client.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.lines().count() <= 1, "{said}\n{}", sandbox.log());
        let read = |name: String| std::fs::read(sandbox.work().join(name)).expect("an object");
        assert!(read(format!("f{n}.o")) == read(format!("alone{n}.o")), "file {n}");
    }
}

#[test]
fn out_of_descriptors_compilers_run_and_the_daemon_comes_round() {
    let sandbox = Sandbox::started();
    sources(&sandbox);
    let daemon = sandbox.pid("larderd");
    let open = std::fs::read_dir(format!("/proc/{daemon}/fd")).expect("it runs").count();
    for more in [0, 2, 6] {
        limit(&sandbox, &format!("--nofile={}:8192", open + more));
        compile_all(&sandbox);
    }
    limit(&sandbox, "--nofile=8192:8192");
    wait_until("the daemon to answer again", || sandbox.status());
    // That a compiler could not be read is believed for a few seconds.
    wait_until("a hit", || {
        compile_all(&sandbox);
        (sandbox.last_reason() == "direct_hit").then_some(())
    });
    assert_eq!(sandbox.pid("larderd"), daemon);
}

#[test]
fn out_of_memory_compilers_run_and_the_next_daemon_serves() {
    let sandbox = Sandbox::started();
    sources(&sandbox);
    let pages = std::fs::read_to_string(format!("/proc/{}/statm", sandbox.pid("larderd"))).expect("it runs");
    let pages: usize = pages.split(' ').next().and_then(|size| size.parse().ok()).expect("a number");
    for more in [0, 64 << 10, 1 << 20, 4 << 20] {
        let bytes = pages * 4096 + more;
        limit(&sandbox, &format!("--as={bytes}:unlimited"));
        compile_all(&sandbox);
        // It may have ended, and another have come, which has no limit.
        wait_until("one daemon", || (sandbox.pids("larderd").len() == 1).then_some(()));
    }
    sandbox.run(&["restart"]);
    for _ in 0..2 {
        compile_all(&sandbox);
    }
    same_as_alone(&sandbox, &["gcc", "-c", "f0.c"]);
    assert_eq!(sandbox.last_reason(), "direct_hit", "{}", sandbox.log());
}
