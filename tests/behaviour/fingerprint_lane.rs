//! The fingerprint lane over a real connection: every request, bad input, and a peer that vanishes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;

use larder_glue::wire::Wire;
use larder_proto::v1::fingerprint_reply::Reply;
use larder_proto::v1::fingerprint_request::Request;
use larder_proto::v1::{
    FingerprintCheck, FingerprintInvalidate, FingerprintMarkFailure, FingerprintMarkSuccess,
    FingerprintPlace, FingerprintReply, FingerprintRequest, FingerprintSelection,
};
use larder_proto::{PROTOCOL_VERSION, lane};
use larder_tests::{Sandbox, connect, defined_requests};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed};

fn place(sandbox: &Sandbox) -> Option<FingerprintPlace> {
    let root = std::fs::metadata("/").expect("a root");
    Some(FingerprintPlace {
        cache: sandbox.work().join("state").as_os_str().as_bytes().to_vec(),
        mount_namespace: std::fs::metadata("/proc/self/ns/mnt").expect("Linux").ino(),
        root_device: root.dev(),
        root_inode: root.ino(),
        session: String::new(),
    })
}

/// Every request of the lane, by its name in the definition.
fn requests(place: Option<FingerprintPlace>, root: &[u8]) -> Vec<(&'static str, Request)> {
    let selection = Some(FingerprintSelection { root: root.to_vec(), ..FingerprintSelection::default() });
    vec![
        ("check", Request::Check(FingerprintCheck { selection, depth: 0, place: place.clone() })),
        ("success", Request::Success(FingerprintMarkSuccess { place: place.clone() })),
        ("failure", Request::Failure(FingerprintMarkFailure { place: place.clone() })),
        ("invalidate", Request::Invalidate(FingerprintInvalidate { place })),
    ]
}

fn message(request: Option<Request>) -> Vec<u8> {
    let client_version = "0.0.1".to_owned();
    FingerprintRequest { protocol: PROTOCOL_VERSION, client_version, request }.encode_to_vec()
}

fn ask(wire: &mut Wire, bytes: Vec<u8>) -> Reply {
    let reply = wire.request(lane::FINGERPRINT, bytes).expect("a reply");
    FingerprintReply::decode(reply.as_slice()).expect("a message").reply.expect("not empty")
}

#[test]
fn each_request_of_the_definition_is_tried_here() {
    let defined = defined_requests(include_str!("../../proto/larder/v1/fingerprint.proto"));
    let tried: BTreeSet<&str> = requests(None, b"").into_iter().map(|(name, _)| name).collect();
    assert_eq!(tried, defined);
}

#[test]
fn each_request_is_answered_with_what_the_client_is_to_keep_and_the_daemon_writes_nothing_there() {
    let sandbox = Sandbox::started();
    sandbox.write("tree/a", "a");
    let mut wire = connect(&sandbox.endpoint());
    let root = sandbox.work().join("tree");
    for (name, request) in requests(place(&sandbox), root.as_os_str().as_bytes()) {
        let state = match (name, ask(&mut wire, message(Some(request)))) {
            ("check", Reply::Checked(checked)) => {
                assert!(!checked.unchanged && checked.added == [b"a"]);
                checked.state
            }
            ("success" | "failure" | "invalidate", Reply::Marked(marked)) => marked.state,
            (name, reply) => panic!("{name}: {reply:?}"),
        };
        let cache = sandbox.work().join("state");
        assert!(name != "check" || !cache.exists(), "the daemon writes only into its own folders");
        std::fs::copy(std::path::Path::new(std::ffi::OsStr::from_bytes(&state)), &cache).expect("a file");
    }
}

#[test]
fn bad_input_to_each_request_and_unknown_requests_get_typed_answers() {
    let sandbox = Sandbox::started();
    let mut wire = connect(&sandbox.endpoint());
    let failed = |reply, id: &str, what: &str| {
        assert!(matches!(&reply, Reply::Failure(failure) if failure.id == id), "{what}: {reply:?}");
    };
    for (name, request) in requests(place(&sandbox), b"/") {
        let mut broken = message(Some(request));
        // One byte of a length-delimited field that is announced and does not come.
        broken.extend([0x12, 0x7f]);
        failed(ask(&mut wire, broken), "request_malformed", name);
    }
    for (name, request) in requests(None, b"/") {
        failed(ask(&mut wire, message(Some(request))), "other_filesystem_view", name);
    }
    for protocol in [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1] {
        for (name, request) in requests(place(&sandbox), b"/") {
            let client_version = "0.0.1".to_owned();
            let other = FingerprintRequest { protocol, client_version, request: Some(request) };
            failed(ask(&mut wire, other.encode_to_vec()), "request_malformed", name);
        }
    }
    let relative = place(&sandbox).map(|place| FingerprintPlace { cache: b"state".to_vec(), ..place });
    for (name, request) in requests(relative, b"/") {
        failed(ask(&mut wire, message(Some(request))), "request_malformed", name);
    }
    // Field 200 is a request of some later version.
    let later = [message(None), vec![0xc2, 0x0c, 0x00]].concat();
    failed(ask(&mut wire, later), "request_malformed", "a later request");
}

#[test]
fn a_peer_that_vanishes_within_a_request_disturbs_nothing() {
    let sandbox = Sandbox::started();
    sandbox.write("tree/a", "a");
    let endpoint = sandbox.endpoint();
    let root = sandbox.work().join("tree");
    for (name, request) in requests(place(&sandbox), root.as_os_str().as_bytes()) {
        let frame = Frame::request(lane::FINGERPRINT.0, message(Some(request)));
        let bytes = encode_framed(&frame.with_request_id(1)).expect("small");
        for length in [bytes.len() / 2, bytes.len()] {
            let mut stream = UnixStream::connect(&endpoint).expect("the daemon listens");
            stream.write_all(&bytes[..length]).expect("the daemon reads");
            drop(stream);
            let (_, check) = requests(place(&sandbox), root.as_os_str().as_bytes()).swap_remove(0);
            let reply = ask(&mut connect(&endpoint), message(Some(check)));
            assert!(matches!(reply, Reply::Checked(_)), "after {length} bytes of {name}: {reply:?}");
        }
    }
    assert!(!sandbox.work().join("state").exists());
}
