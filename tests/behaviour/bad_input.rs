//! Bad input gets a clear error, and nothing is lost.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use larder_tests::{Sandbox, same_as_alone, wait_until};
use running_process::broker::protocol::{Frame, encode_framed};

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

fn running() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    let endpoint = sandbox.endpoint();
    (sandbox, endpoint)
}

/// Sends `bytes` and demands that the daemon closes this connection and serves the next.
fn is_refused(sandbox: &Sandbox, endpoint: &str, bytes: &[u8]) {
    let mut stream = UnixStream::connect(endpoint).expect("the daemon listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    // The daemon may hang up while this is still being written.
    let _ = stream.write_all(bytes);
    let mut reply = Vec::new();
    let end = stream.read_to_end(&mut reply);
    let closed = end.is_ok() || end.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset);
    assert!(closed, "the connection is still open");
    same_as_alone(sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit", "the daemon goes on serving");
}

#[test]
fn a_malformed_frame_ends_its_connection_and_nothing_else() {
    let (sandbox, endpoint) = running();
    is_refused(&sandbox, &endpoint, b"GET / HTTP/1.1\r\n\r\n");
    is_refused(&sandbox, &endpoint, &[1, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn an_oversized_frame_is_refused_before_it_is_read() {
    let (sandbox, endpoint) = running();
    is_refused(&sandbox, &endpoint, &[1, 0xff, 0xff, 0xff, 0xff]);
    let mut announced = vec![1];
    announced.extend_from_slice(&(15 * 1024 * 1024_u32).to_le_bytes());
    announced.extend_from_slice(&[0; 1024]);
    is_refused(&sandbox, &endpoint, &announced);
}

#[test]
fn an_unknown_lane_is_refused() {
    let (sandbox, endpoint) = running();
    let frame = encode_framed(&Frame::request(0xF1FF, b"?".to_vec()).with_request_id(1)).expect("small");
    is_refused(&sandbox, &endpoint, &frame);
}

#[test]
fn sockets_that_do_not_fit_cost_one_line_and_the_compiler_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("x.c", "int x;\n");
    let long = sandbox.root().join("a/folder/whose/path/leaves/no/room/for/a/socket");
    std::fs::create_dir_all(&long).expect("our own folder");
    let mut complaints = String::new();
    for _ in 0..2 {
        let output = sandbox.larder(ARGV).env("XDG_RUNTIME_DIR", &long).output().expect("larder starts");
        assert!(output.status.success());
        complaints.push_str(&String::from_utf8_lossy(&output.stderr));
        std::fs::remove_file(sandbox.work().join("x.o")).expect("the compiler has run");
    }
    assert_eq!(complaints.lines().count(), 1, "{complaints}");
    assert!(complaints.contains("socket"), "{complaints}");
}

#[test]
fn an_undecodable_request_gets_a_typed_failure() {
    use larder_proto::v1::{CompileReply, ControlReply, compile_reply, control_reply};
    use prost::Message as _;
    let (_sandbox, endpoint) = running();
    let stream = UnixStream::connect(&endpoint).expect("the daemon listens");
    let mut wire = larder_glue::wire::Wire::new(stream.into()).expect("our own daemon");
    let garbage = vec![0xff; 40];
    let reply = wire.request(larder_proto::lane::COMPILE, garbage.clone()).expect("a reply");
    let reply = CompileReply::decode(reply.as_slice()).expect("a message").reply;
    assert!(matches!(reply, Some(compile_reply::Reply::Failure(_))), "{reply:?}");
    let reply = wire.request(larder_proto::lane::CONTROL, garbage).expect("a reply");
    let reply = ControlReply::decode(reply.as_slice()).expect("a message").reply;
    assert!(matches!(reply, Some(control_reply::Reply::Failure(_))), "{reply:?}");
}

#[test]
fn a_client_that_hangs_half_way_holds_nothing_up() {
    let (sandbox, endpoint) = running();
    let mut half: Vec<UnixStream> =
        (0..20).map(|_| UnixStream::connect(&endpoint).expect("the daemon listens")).collect();
    for stream in &mut half {
        stream.write_all(&[1, 100, 0, 0, 0, 8]).expect("the daemon reads");
    }
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    // A stop does not wait for them either.
    sandbox.run(&["stop"]);
}

#[test]
fn a_truncated_blob_is_never_served() {
    let (sandbox, _) = running();
    let mut damaged = 0;
    for folder in std::fs::read_dir(sandbox.store().join("blobs")).expect("blobs").flatten() {
        for blob in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = blob.path();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
            let length = path.metadata().expect("a blob").len();
            std::fs::File::options()
                .write(true)
                .open(&path)
                .expect("ours")
                .set_len(length / 2)
                .expect("ours");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "the compile stored something");
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "result_gone");
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit", "what was damaged has been replaced");
}

#[test]
fn a_blob_with_flipped_bits_is_never_served() {
    use std::os::unix::fs::FileExt as _;
    let (sandbox, _) = running();
    for folder in std::fs::read_dir(sandbox.store().join("blobs")).expect("blobs").flatten() {
        for blob in std::fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            std::fs::set_permissions(blob.path(), std::fs::Permissions::from_mode(0o600)).expect("ours");
            let file = std::fs::File::options().write(true).open(blob.path()).expect("ours");
            file.write_all_at(b"X", file.metadata().expect("a blob").len() / 2).expect("ours");
        }
    }
    same_as_alone(&sandbox, &ARGV);
    same_as_alone(&sandbox, &ARGV);
}

#[test]
fn a_corrupt_index_is_set_aside_and_compiles_go_on() {
    for content in [&b""[..], b"garbage", &[0; 1 << 20]] {
        let (sandbox, _) = running();
        sandbox.run(&["stop"]);
        for entry in std::fs::read_dir(sandbox.store().join("index")).expect("an index").flatten() {
            std::fs::write(entry.path(), content).expect("ours");
        }
        same_as_alone(&sandbox, &ARGV);
        same_as_alone(&sandbox, &ARGV);
        assert_eq!(sandbox.last_reason(), "direct_hit", "{}", sandbox.log());
        let told = sandbox.status().expect("it runs")["warnings"].to_string();
        assert_eq!(told.contains("a new index was begun"), !content.is_empty(), "{told}");
    }
}

#[test]
fn a_definition_that_is_not_ours_is_left_alone_and_named() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    std::fs::create_dir_all(sandbox.definitions()).expect("ours");
    std::fs::set_permissions(sandbox.definitions(), std::fs::Permissions::from_mode(0o700)).expect("ours");
    let path = sandbox.definitions().join("larder.servicedef.v2");
    std::fs::write(&path, b"somebody else's").expect("ours");
    let output = sandbox.larder(ARGV).output().expect("larder starts");
    assert!(output.status.success() && sandbox.work().join("x.o").is_file(), "the compiler runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().count() == 1 && stderr.contains("larder.servicedef.v2"), "{stderr}");
    assert_eq!(std::fs::read(&path).expect("still there"), b"somebody else's");
    let output = sandbox.larder(["start"]).output().expect("larder starts");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint: move that file away"));
}

#[test]
fn a_cache_folder_that_is_not_writable_costs_the_build_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    // Even root cannot make a folder below a file.
    std::fs::remove_dir(sandbox.root().join("c")).expect("ours");
    std::fs::write(sandbox.root().join("c"), "a file").expect("ours");
    let output = sandbox.larder(ARGV).output().expect("larder starts");
    assert!(output.status.success() && sandbox.work().join("x.o").is_file(), "the compiler runs");
    assert!(String::from_utf8_lossy(&output.stderr).lines().count() <= 1);
    let status = wait_until("the daemon to tell", || sandbox.status());
    let warnings = status["warnings"].to_string();
    assert!(warnings.contains(sandbox.root().join("c").to_str().expect("plain")), "{warnings}");
}

/// What the daemon at `endpoint` answers to a ping, as whoever runs this.
fn answer_to_ping(endpoint: &std::ffi::OsStr) -> Vec<u8> {
    use larder_proto::v1::{ControlRequest, Ping, control_request};
    use prost::Message as _;
    let ping = ControlRequest {
        protocol: larder_proto::PROTOCOL_VERSION,
        request: Some(control_request::Request::Ping(Ping {})),
        ..ControlRequest::default()
    };
    let frame = Frame::request(larder_proto::lane::CONTROL.0, ping.encode_to_vec()).with_request_id(1);
    let mut stream = UnixStream::connect(endpoint).expect("the way there is open");
    let _ = stream.write_all(&encode_framed(&frame).expect("small"));
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let mut answer = vec![0; 4096];
    let count = stream.read(&mut answer).unwrap_or(0);
    answer.truncate(count);
    answer
}

#[test]
fn another_user_who_reaches_the_socket_is_turned_away() {
    use std::os::unix::process::CommandExt as _;
    const ENDPOINT: &str = "LARDER_TEST_ENDPOINT";
    if let Some(endpoint) = std::env::var_os(ENDPOINT) {
        assert_eq!(answer_to_ping(&endpoint), b"");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        // Only root can play another user.
        return;
    }
    let sandbox = Sandbox::new();
    let endpoint = sandbox.start()["endpoint"].as_str().expect("a path").to_owned();
    assert!(!answer_to_ping(endpoint.as_ref()).is_empty(), "this user is answered");
    // Folders and socket are closed to others; even if they were not, the daemon asks who is there.
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).expect("ours");
    };
    std::path::Path::new(&endpoint)
        .ancestors()
        .take_while(|path| path.starts_with(sandbox.root()))
        .for_each(open);
    // Where this test's program lies need not be open to that user.
    let copy = sandbox.root().join("test");
    std::fs::copy(std::env::current_exe().expect("a path"), &copy).expect("room");
    let mut other = sandbox.command(&copy);
    other.args(["--exact", "bad_input::another_user_who_reaches_the_socket_is_turned_away"]);
    let output =
        other.env(ENDPOINT, &endpoint).current_dir("/").uid(65534).output().expect("this test starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}
