//! Another build takes the place of the one that runs.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;

use larder_proto::v1::{CompileReply, Hit, compile_reply};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_tests::{Sandbox, alive, program, same_as_alone, wait_until};
use prost::Message as _;
use running_process::broker::protocol::{Frame, FrameKind, encode_framed, try_decode_framed};

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

/// Copies of the programs in a folder of their own. One byte more makes another build of a program.
fn installed() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
    for name in ["larder", "larderd", "larder-broker"] {
        std::fs::copy(program(name), folder.path().join(name)).expect("a copy");
    }
    folder
}

/// Puts another build of the daemon into `folder`, as an installation does.
fn upgrade(folder: &Path) {
    let (new, old) = (folder.join("larderd.new"), folder.join("larderd"));
    std::fs::copy(&old, &new).expect("a copy");
    std::fs::OpenOptions::new()
        .append(true)
        .open(&new)
        .and_then(|mut file| file.write_all(b"\n"))
        .expect("ours");
    std::fs::rename(new, old).expect("ours");
}

#[test]
fn the_new_daemon_takes_over_and_the_old_one_finishes_what_it_began() {
    let folder = installed();
    let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
    sandbox.start();
    let old = sandbox.pid("larderd");
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    let fifo = sandbox.work().join("held.h");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("our own folder");
    sandbox.write_settled("held.c", "#include \"held.h\"\n");
    let mut running = sandbox.larder(["gcc", "-c", "held.c"]).spawn().expect("larder starts");
    let mut writer = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the compiler reads");
    upgrade(folder.path());
    let starting = sandbox.larder(["start"]).spawn().expect("larder starts");
    wait_until("the new daemon", || (sandbox.pids("larderd").len() == 2).then_some(()));
    writer.write_all(b"int held;\n").expect("the compiler reads");
    drop(writer);
    assert!(running.wait().expect("it ends").success());
    assert!(sandbox.work().join("held.o").is_file());
    assert!(starting.wait_with_output().expect("it ends").status.success(), "{}", sandbox.log());
    wait_until("the old daemon to be gone", || (!alive(old)).then_some(()));
    // The new one has what the old one kept.
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit", "{}", sandbox.log());
    assert_ne!(sandbox.pid("larderd"), old);
    // What it knew of files and tools is for those who mean the same by it.
    let log = sandbox.log();
    assert_eq!(log.matches("is of no use: it is for another daemon").count(), 2, "{log}");
}

#[test]
fn two_installations_used_in_turn_share_one_daemon() {
    let (one, other) = (installed(), installed());
    upgrade(other.path());
    let sandbox = Sandbox::with_programs(&one.path().join("larder"));
    sandbox.write_settled("x.c", "int x;\n");
    sandbox.start();
    let daemon = sandbox.pid("larderd");
    for turn in 0..6 {
        let larder = if turn % 2 == 0 { one.path() } else { other.path() }.join("larder");
        let output = sandbox.command(larder).args(ARGV).output().expect("larder starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    assert_eq!(sandbox.pid("larderd"), daemon);
    let counts = sandbox.counts();
    assert_eq!((counts.misses, counts.hits), (1, 5), "{}", sandbox.log());
}

#[test]
fn a_program_that_is_gone_lets_compilers_run() {
    let folder = installed();
    let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
    sandbox.write_settled("x.c", "int x;\n");
    for name in ["larderd", "larder-broker"] {
        std::fs::remove_file(folder.path().join(name)).expect("a copy");
        let output = sandbox.larder(ARGV).output().expect("larder starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.lines().count() <= 1, "{name}: {said}");
    }
}

#[test]
fn two_brokers_share_the_one_daemon_of_a_store() {
    let sandbox = Sandbox::new();
    for n in 0..12 {
        sandbox.write(&format!("f{n}.c"), format!("int f{n};\n"));
    }
    sandbox.settle();
    let clients: Vec<_> = (0..12)
        .map(|n| {
            let mut command = sandbox.larder(["gcc", "-c", &format!("f{n}.c")]);
            command.env("LARDER_BROKER", ["one", "other"][n % 2]).stderr(std::process::Stdio::piped());
            command.spawn().expect("larder starts")
        })
        .collect();
    for client in clients {
        let output = client.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.lines().count() <= 1, "{said}");
    }
    wait_until("one daemon to be left", || (sandbox.pids("larderd").len() == 1).then_some(()));
    for broker in ["one", "other"] {
        let output = sandbox.larder(["gcc", "-c", "f0.c"]).env("LARDER_BROKER", broker).output();
        assert!(output.expect("larder starts").status.success());
        assert_eq!(sandbox.last_reason(), "direct_hit", "{broker}\n{}", sandbox.log());
    }
    sandbox.pid("larderd");
}

/// Answers the first request that comes to `endpoint` as a daemon of another version would: with a hit.
fn answer_as_another_version(endpoint: &Path) -> std::thread::JoinHandle<()> {
    let listener = UnixListener::bind(endpoint).expect("our own folder");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client comes");
        let mut read = Vec::new();
        let request = loop {
            if let Some(decoded) = try_decode_framed(&read).expect("a frame") {
                break decoded.frame;
            }
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).expect("the client writes");
            assert!(count > 0, "the client has left");
            read.extend(&chunk[..count]);
        };
        let hit = Hit { exit_code: 7, stderr: b"of another version\n".to_vec(), ..Hit::default() };
        let reply = CompileReply {
            protocol: PROTOCOL_VERSION,
            daemon_version: "999.0.0".to_owned(),
            reply: Some(compile_reply::Reply::Hit(hit)),
        };
        let reply = Frame { kind: FrameKind::Response as i32, payload: reply.encode_to_vec(), ..request };
        stream.write_all(&encode_framed(&reply).expect("small")).expect("the client reads");
    })
}

#[test]
fn a_hit_of_a_daemon_of_another_version_is_not_believed_and_the_tool_runs() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    // Where a client of this version would look first.
    let endpoint = sandbox.root().join("other");
    let remembered = format!("{LARDER_VERSION}\n{}\n", endpoint.display());
    std::fs::write(sandbox.runtime().join("larder/endpoint"), remembered).expect("ours");
    let daemon = answer_as_another_version(&endpoint);
    let output = sandbox.larder(ARGV).output().expect("larder starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.lines().count() == 1 && said.contains("999.0.0") && said.contains("larder stop"), "{said}");
    assert!(sandbox.work().join("x.o").is_file());
    daemon.join().expect("it was asked");
}
