//! The compile lane and Go's over a real connection: each request of their definitions well, badly, and from a peer that
//! vanishes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use larder_glue::wire::Wire;
use larder_proto::lane::{self, Lane};
use larder_proto::v1::{
    Abandon, CompileReply, CompileRequest, EnvVar, GoClose, GoGet, GoOpen, GoPut, GoReply, GoRequest,
    ListRustArtifacts, Lookup, NotRestored, Publish, compile_reply, compile_request, go_reply, go_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::Digest;
use larder_tests::{Sandbox, connect, defined_requests};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed};

fn compile_bytes(request: compile_request::Request) -> Vec<u8> {
    let client_version = LARDER_VERSION.to_owned();
    CompileRequest { protocol: PROTOCOL_VERSION, client_version, request: Some(request) }.encode_to_vec()
}

fn compile(wire: &mut Wire, bytes: Vec<u8>) -> compile_reply::Reply {
    let reply = wire.request(lane::COMPILE, bytes).expect("a reply");
    CompileReply::decode(reply.as_slice()).expect("a message").reply.expect("not empty")
}

fn go_bytes(request: go_request::Request) -> Vec<u8> {
    let client_version = LARDER_VERSION.to_owned();
    GoRequest { protocol: PROTOCOL_VERSION, client_version, request: Some(request) }.encode_to_vec()
}

fn go(wire: &mut Wire, bytes: Vec<u8>) -> go_reply::Reply {
    let reply = wire.request(lane::GO, bytes).expect("a reply");
    GoReply::decode(reply.as_slice()).expect("a message").reply.expect("not empty")
}

/// The lookup of `gcc -c x.c` in the sandbox.
fn lookup(sandbox: &Sandbox) -> Lookup {
    let env = vec![EnvVar { name: b"PATH".to_vec(), value: b"/usr/bin:/bin".to_vec() }];
    Lookup {
        cwd: sandbox.work().as_os_str().as_bytes().to_vec(),
        tool: b"/usr/bin/gcc".to_vec(),
        tool_name: b"gcc".to_vec(),
        args: vec![b"-c".to_vec(), b"x.c".to_vec()],
        env,
        ..Lookup::default()
    }
}

/// Every request of the compile lane, by its name; without a lookup before them, all but the first and the last are
/// about a lease or a hit that nobody has.
fn compile_requests(sandbox: &Sandbox) -> Vec<(&'static str, compile_request::Request)> {
    use compile_request::Request;
    vec![
        ("lookup", Request::Lookup(lookup(sandbox))),
        ("publish", Request::Publish(Publish { lease: 9999, ..Publish::default() })),
        ("abandon", Request::Abandon(Abandon { lease: 9999 })),
        ("not_restored", Request::NotRestored(NotRestored { record: 9999, ..NotRestored::default() })),
        ("list_rust_artifacts", Request::ListRustArtifacts(ListRustArtifacts {})),
    ]
}

/// Every request of Go's lane, in an order in which each succeeds.
fn go_requests() -> Vec<(&'static str, go_request::Request)> {
    use go_request::Request;
    let name = |text: &[u8]| Digest::of(text).hash.to_vec();
    vec![
        ("open", Request::Open(GoOpen { cwd: b"/".to_vec(), ..GoOpen::default() })),
        ("get", Request::Get(GoGet { action: name(b"a"), ..GoGet::default() })),
        ("put", Request::Put(GoPut { action: name(b"a"), output: name(b""), ..GoPut::default() })),
        ("close", Request::Close(GoClose::default())),
    ]
}

#[test]
fn each_request_of_the_definitions_is_tried_here() {
    let sandbox = Sandbox::new();
    let tried: BTreeSet<_> = compile_requests(&sandbox).into_iter().map(|(name, _)| name).collect();
    assert_eq!(tried, defined_requests(include_str!("../../proto/larder/v1/compile.proto")));
    let tried: BTreeSet<_> = go_requests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(tried, defined_requests(include_str!("../../proto/larder/v1/gocache.proto")));
}

#[test]
fn each_compile_request_is_answered() {
    use compile_reply::Reply;
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let mut wire = connect(&sandbox.endpoint());
    let ask = |wire: &mut Wire, request| compile(wire, compile_bytes(request));
    let look = |wire: &mut Wire| ask(wire, compile_request::Request::Lookup(lookup(&sandbox)));
    let Reply::Run(run) = look(&mut wire) else { panic!("it was never seen") };
    let abandon = compile_request::Request::Abandon(Abandon { lease: run.lease });
    assert!(matches!(ask(&mut wire, abandon), Reply::Published(published) if !published.stored));
    let Reply::Run(run) = look(&mut wire) else { panic!("nothing was stored") };
    let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    let started_unix_ns = u64::try_from(now.tv_sec * 1_000_000_000 + now.tv_nsec).expect("after 1970");
    let mut gcc = sandbox.command("gcc");
    gcc.args(run.args.iter().map(|arg| std::ffi::OsStr::from_bytes(arg)));
    assert!(run.discovery_args.is_empty() && gcc.status().expect("gcc starts").success());
    let publish = Publish { lease: run.lease, started_unix_ns, ..Publish::default() };
    let reply = ask(&mut wire, compile_request::Request::Publish(publish));
    assert!(matches!(&reply, Reply::Published(published) if published.stored), "{reply:?}");
    let Reply::Hit(hit) = look(&mut wire) else { panic!("it was stored") };
    let told = compile_request::Request::NotRestored(NotRestored { record: hit.record, cause: 0 });
    assert!(matches!(ask(&mut wire, told), Reply::Published(published) if !published.stored));
    assert_eq!(sandbox.last_reason(), "restore_failed");
    let list = compile_request::Request::ListRustArtifacts(ListRustArtifacts {});
    assert!(matches!(ask(&mut wire, list), Reply::RustArtifacts(_)));
}

#[test]
fn bad_compile_requests_get_typed_answers() {
    use compile_reply::Reply;
    let sandbox = Sandbox::started();
    let mut wire = connect(&sandbox.endpoint());
    for (name, request) in compile_requests(&sandbox) {
        let mut broken = compile_bytes(request);
        broken.extend([0x12, 0x7f]);
        assert!(matches!(compile(&mut wire, broken), Reply::Failure(_)), "{name}");
    }
    let relative = Lookup { cwd: b"here".to_vec(), ..lookup(&sandbox) };
    let relative = compile_bytes(compile_request::Request::Lookup(relative));
    assert!(matches!(compile(&mut wire, relative), Reply::Failure(_)));
    for (name, request) in compile_requests(&sandbox).drain(1..4) {
        let reply = compile(&mut wire, compile_bytes(request));
        assert!(matches!(&reply, Reply::Published(published) if !published.stored), "{name}: {reply:?}");
    }
}

#[test]
fn each_go_request_is_answered_and_bad_ones_get_typed_answers() {
    use go_reply::Reply;
    let sandbox = Sandbox::started();
    let mut wire = connect(&sandbox.endpoint());
    for (name, request) in go_requests() {
        let mut broken = go_bytes(request.clone());
        broken.extend([0x12, 0x7f]);
        assert!(matches!(go(&mut wire, broken), Reply::Failure(_)), "{name}");
        let reply = go(&mut wire, go_bytes(request));
        let fits = match name {
            "open" => {
                matches!(&reply, Reply::Opened(opened) if Path::new(std::ffi::OsStr::from_bytes(&opened.staging)).is_dir())
            }
            "get" => matches!(&reply, Reply::Found(found) if found.known.is_none()),
            "put" => matches!(reply, Reply::Stored(_)),
            "close" => matches!(reply, Reply::Closed(_)),
            _ => false,
        };
        assert!(fits, "{name}: {reply:?}");
    }
    let long = go_bytes(go_request::Request::Get(GoGet { action: vec![0; 65], ..GoGet::default() }));
    assert!(matches!(go(&mut wire, long), Reply::Failure(_)));
    let again = go_bytes(go_request::Request::Open(GoOpen::default()));
    assert!(matches!(go(&mut wire, again), Reply::Failure(_)));
}

#[test]
fn a_peer_that_vanishes_within_a_request_disturbs_nothing() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    let compile_requests = compile_requests(&sandbox)
        .into_iter()
        .map(|(name, request)| (name, lane::COMPILE, compile_bytes(request)));
    let go_requests = go_requests().into_iter().map(|(name, request)| (name, lane::GO, go_bytes(request)));
    let all: Vec<(&str, Lane, Vec<u8>)> = compile_requests.chain(go_requests).collect();
    for (name, lane, bytes) in all {
        let frame = Frame::request(lane.0, bytes);
        let bytes = encode_framed(&frame.with_request_id(1)).expect("small");
        // Half of the request, and all of it without waiting for the reply.
        for sent in [bytes.len() / 2, bytes.len()] {
            let mut stream = UnixStream::connect(&endpoint).expect("the daemon listens");
            stream.write_all(&bytes[..sent]).expect("the daemon reads");
            drop(stream);
            let list = compile_request::Request::ListRustArtifacts(ListRustArtifacts {});
            let reply = compile(&mut connect(&endpoint), compile_bytes(list));
            assert!(matches!(reply, compile_reply::Reply::RustArtifacts(_)), "after {sent} bytes of {name}");
        }
    }
}
