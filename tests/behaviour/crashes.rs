//! Whatever dies, every compile gives the right object.

use std::os::unix::fs::OpenOptionsExt as _;

use larder_tests::{Sandbox, kill, same_as_alone, signal, wait_until};
use rustix::process::Signal;

fn source(sandbox: &Sandbox) {
    sandbox.write_settled("x.h", "#define X 41\n");
    sandbox.write_settled("x.c", "#include \"x.h\"\nint x(void) { return X; }\n");
}

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

#[test]
fn a_daemon_killed_between_compiles_is_replaced() {
    let sandbox = Sandbox::new();
    source(&sandbox);
    same_as_alone(&sandbox, &ARGV);
    for _ in 0..3 {
        let old = sandbox.pid("larderd");
        kill(old);
        same_as_alone(&sandbox, &ARGV);
        assert_ne!(sandbox.pid("larderd"), old);
    }
    // What the killed daemon had stored more than a second ago is still there; what it had not is made again.
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}

#[test]
fn a_daemon_killed_during_a_compile_costs_the_build_nothing() {
    let sandbox = Sandbox::new();
    sandbox.start();
    // The compiler waits in the middle of the compile until the test has killed the daemon.
    let fifo = sandbox.work().join("late.h");
    assert!(sandbox.command("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
    sandbox.write_settled("y.c", "#include \"late.h\"\nint y(void) { return LATE; }\n");
    let child = sandbox
        .larder(["gcc", "-c", "y.c", "-o", "y.o"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("larder starts");
    let writer = std::fs::File::options().write(true).open(&fifo).expect("the compiler opens the other end");
    kill(sandbox.pid("larderd"));
    std::io::Write::write_all(&mut &writer, b"#define LATE 7\n").expect("the compiler reads");
    drop(writer);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let through = std::fs::read(sandbox.work().join("y.o")).expect("an object");
    std::fs::remove_file(&fifo).expect("our own");
    sandbox.write("late.h", "#define LATE 7\n");
    assert!(sandbox.command("gcc").args(["-c", "y.c", "-o", "y.o"]).status().expect("gcc starts").success());
    assert!(through == std::fs::read(sandbox.work().join("y.o")).expect("an object"));
}

#[test]
fn a_daemon_killed_again_and_again_under_a_parallel_build_never_spoils_an_object() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.h", "#define X 41\n");
    for n in 0..8 {
        sandbox.write_settled(
            &format!("f{n}.c"),
            format!("#include \"x.h\"\nint f{n}(void) {{ return X + {n}; }}\n"),
        );
        let object = format!("alone{n}.o");
        let mut gcc = sandbox.command("gcc");
        assert!(gcc.args(["-c", &format!("f{n}.c"), "-o", &object]).status().expect("gcc starts").success());
    }
    for round in 0..4 {
        let children: Vec<_> = (0..8)
            .map(|n| {
                let mut command = sandbox.larder(["gcc", "-c"]);
                command.args([format!("f{n}.c"), "-o".to_owned(), format!("f{n}.o")]);
                command.stderr(std::process::Stdio::piped()).spawn().expect("larder starts")
            })
            .collect();
        for pid in sandbox.pids("larderd") {
            kill(pid);
        }
        for (n, child) in children.into_iter().enumerate() {
            let output = child.wait_with_output().expect("it ends");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let read =
                |name: &str| std::fs::read(sandbox.work().join(format!("{name}{n}.o"))).expect("an object");
            assert!(read("f") == read("alone"), "round {round}, file {n}");
            std::fs::remove_file(sandbox.work().join(format!("f{n}.o"))).expect("just made");
        }
    }
}

#[test]
fn a_stopped_daemon_is_given_up_on_and_the_compiler_runs() {
    let sandbox = Sandbox::new();
    source(&sandbox);
    same_as_alone(&sandbox, &ARGV);
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::STOP);
    let output = sandbox.larder(ARGV).output().expect("larder starts");
    signal(daemon, Signal::CONT);
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "one line says why: {stderr}");
    assert!(stderr.contains("gcc"), "{stderr}");
    wait_until("the daemon to answer again", || sandbox.status());
}

#[test]
fn a_killed_broker_leaves_sessions_alone_and_comes_back() {
    let sandbox = Sandbox::new();
    source(&sandbox);
    same_as_alone(&sandbox, &ARGV);
    let daemon = sandbox.pid("larderd");
    let old_page = sandbox.status().expect("it runs")["broker_page"].as_str().expect("an address").to_owned();
    kill(sandbox.pid("larder-broker"));
    // Through the remembered endpoint: no broker is needed.
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    assert!(sandbox.pids("larder-broker").is_empty());
    // Through the broker, which is started again and finds the daemon that runs.
    sandbox.run(&["start"]);
    sandbox.pid("larder-broker");
    assert_eq!(sandbox.pid("larderd"), daemon, "{}", sandbox.log());
    // The daemon tells the new broker where its page is.
    let page = wait_until("the broker's page to come back", || {
        let status = sandbox.status()?;
        let page = status["broker_page"].as_str()?.to_owned();
        (!page.is_empty() && page != old_page).then_some(page)
    });
    let own = sandbox.status().expect("it runs")["page"].as_str().expect("an address").to_owned();
    let port = own.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    wait_until("the broker to list the daemon's page", || {
        larder_tests::http_get(&format!("{page}api/v1/backends")).body.contains(&port).then_some(())
    });
}

#[test]
fn a_second_daemon_does_not_start() {
    let sandbox = Sandbox::new();
    sandbox.start();
    let first = sandbox.pid("larderd");
    // By hand it is refused whatever runs.
    let output = sandbox.command(larder_tests::program("larderd")).output().expect("larderd starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("larder start"));
    // As a broker would launch it, it finds the store taken.
    let endpoint = sandbox.runtime().join("second.sock");
    let output = sandbox
        .command(larder_tests::program("larderd"))
        .env("LARDER_ENVIRONMENT_COMPLETE", "1")
        .env("RUNNING_PROCESS_BROKER_V1_SERVICE_NAME", "larder")
        .env("RUNNING_PROCESS_BROKER_V1_SERVICE_VERSION", larder_proto::LARDER_VERSION)
        .env("RUNNING_PROCESS_BROKER_V1_BACKEND_PIPE", &endpoint)
        .env("RUNNING_PROCESS_BROKER_V1_BACKEND_NAMESPACE", "shared")
        .env("RUNNING_PROCESS_BROKER_V1_INSTANCE", "shared")
        .output()
        .expect("larderd starts");
    assert!(!output.status.success());
    assert_eq!(sandbox.pid("larderd"), first);
    assert!(sandbox.status().is_some(), "the first is as well as before");
}

#[test]
fn a_build_that_is_suspended_does_not_hold_up_another() {
    let sandbox = Sandbox::new();
    sandbox.start();
    let fifo = sandbox.work().join("held.h");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("our own folder");
    // The compiler waits for the header until somebody writes it.
    sandbox.write_settled("held.c", "#include \"held.h\"\n");
    let argv = ["gcc", "-c", "held.c", "-o", "held.o"];
    let mut first = sandbox.larder(argv).spawn().expect("larder starts");
    let writer = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the first compiler reads");
    signal(first.id(), Signal::STOP);
    let mut second = sandbox.larder(argv).spawn().expect("larder starts");
    wait_until("the second compiler to run", || {
        let compilers = larder_tests::processes_of(&sandbox.runtime());
        (compilers.iter().filter(|(_, name)| name == "cc1").count() == 2).then_some(())
    });
    drop(writer);
    let status = wait_until("the second to end", || {
        // Whoever opens the header only now would wait for a writer.
        let now = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let _ = std::fs::OpenOptions::new().write(true).custom_flags(now).open(&fifo);
        second.try_wait().expect("our child")
    });
    assert!(status.success());
    signal(first.id(), Signal::CONT);
    assert!(first.wait().expect("it ends").success());
}
