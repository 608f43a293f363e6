//! The artifact lane over a real connection: with good and bad input, and with a peer that vanishes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use larder_glue::wire::Wire;
use larder_proto::v1::{
    ArtifactLookup, ArtifactName, ArtifactOpen, ArtifactOutput, ArtifactPart, ArtifactParts, ArtifactReply,
    ArtifactRequest, ArtifactSkip, ArtifactStore, artifact_reply::Reply, artifact_request::Request,
};
use larder_proto::{PROTOCOL_VERSION, lane};
use larder_service::Digest;
use larder_tests::{Sandbox, connect, defined_requests, wait_until};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed};

fn name(key: &str) -> Option<ArtifactName> {
    let root = fs::metadata("/").expect("a root folder");
    Some(ArtifactName {
        space: "test".to_owned(),
        key: key.to_owned(),
        mount_namespace: fs::metadata("/proc/self/ns/mnt").expect("a namespace").ino(),
        root_device: root.dev(),
        root_inode: root.ino(),
        ..ArtifactName::default()
    })
}

fn lookup(key: &str) -> Request {
    Request::Lookup(ArtifactLookup { name: name(key), ..ArtifactLookup::default() })
}

fn store(key: &str, outputs: Vec<ArtifactOutput>) -> Request {
    Request::Store(ArtifactStore { name: name(key), outputs, ..ArtifactStore::default() })
}

fn skip(reason: &str) -> Request {
    Request::Skip(ArtifactSkip { name: name("k"), reason: reason.to_owned(), ..ArtifactSkip::default() })
}

/// Every request of the lane, by its name in the definition.
fn requests() -> Vec<(&'static str, Request)> {
    vec![
        ("lookup", lookup("k")),
        ("store", store("k", Vec::new())),
        ("skip", skip("tool_failed")),
        ("open", Request::Open(ArtifactOpen {})),
    ]
}

fn is_answer_to(name: &str, reply: &Reply) -> bool {
    match name {
        "lookup" => matches!(reply, Reply::Found(_) | Reply::Absent(_)),
        "store" => matches!(reply, Reply::Stored(_)),
        "skip" => matches!(reply, Reply::Skipped(_)),
        "open" => matches!(reply, Reply::Opened(_)),
        _ => false,
    }
}

fn message(protocol: u32, request: Option<Request>) -> Vec<u8> {
    ArtifactRequest { protocol, client_version: "0.0.1".to_owned(), request }.encode_to_vec()
}

struct Peer(Wire);

impl Peer {
    fn new(sandbox: &Sandbox) -> Self {
        Self(connect(&sandbox.endpoint()))
    }

    fn bytes(&mut self, bytes: Vec<u8>) -> Reply {
        let reply = self.0.request(lane::ARTIFACT, bytes).expect("a reply");
        let reply = ArtifactReply::decode(reply.as_slice()).expect("a message");
        assert_eq!(reply.protocol, PROTOCOL_VERSION, "every reply says what the daemon speaks");
        reply.reply.expect("not empty")
    }

    fn ask(&mut self, request: Request) -> Reply {
        self.bytes(message(PROTOCOL_VERSION, Some(request)))
    }

    fn staging(&mut self) -> PathBuf {
        let Reply::Opened(opened) = self.ask(Request::Open(ArtifactOpen {})) else { panic!("not opened") };
        std::ffi::OsString::from_vec(opened.staging).into()
    }
}

fn output(name: &str, file: &str, content: &[u8]) -> ArtifactOutput {
    let digest = Digest::of(content);
    ArtifactOutput {
        name: name.to_owned(),
        file: file.as_bytes().to_vec(),
        size: digest.size,
        mode: 0o644,
        hash: digest.hash.to_vec(),
        ..ArtifactOutput::default()
    }
}

#[test]
fn each_request_of_the_definition_is_tried_here() {
    let defined = defined_requests(include_str!("../../proto/larder/v1/artifact.proto"));
    let tried: BTreeSet<&str> = requests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(tried, defined);
}

#[test]
fn each_request_is_answered_and_makes_one_record_and_of_another_version_none_is() {
    let sandbox = Sandbox::started();
    let mut peer = Peer::new(&sandbox);
    for (count, (name, request)) in requests().into_iter().enumerate() {
        let reply = peer.ask(request);
        assert!(is_answer_to(name, &reply), "{name}: {reply:?}");
        assert_eq!(sandbox.stats()["records"].as_array().expect("records").len(), count + 1, "{name}");
    }
    for protocol in [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1] {
        for (name, request) in requests() {
            let reply = peer.bytes(message(protocol, Some(request)));
            assert!(matches!(reply, Reply::NotSupported(_)), "{name}: {reply:?}");
        }
    }
    // Field 200 is a request of some later version.
    let later = [message(PROTOCOL_VERSION, None), vec![0xc2, 0x0c, 0x00]].concat();
    assert!(matches!(peer.bytes(later), Reply::NotSupported(_)));
}

#[test]
fn bad_input_gets_a_typed_answer_and_nothing_is_kept() {
    let sandbox = Sandbox::started();
    let mut peer = Peer::new(&sandbox);
    let good = || output("a", "1", b"content");
    let refused = |peer: &mut Peer, what: &str, request: Request| {
        let reply = peer.ask(request);
        assert!(
            matches!(&reply, Reply::Failure(failure) if !failure.sentence.is_empty()),
            "{what}: {reply:?}"
        );
    };
    for (name, request) in requests() {
        // One byte of a length-delimited field that is announced and does not come.
        let broken = [message(PROTOCOL_VERSION, Some(request)), vec![0x12, 0x7f]].concat();
        let reply = peer.bytes(broken);
        assert!(matches!(reply, Reply::Failure(_)), "{name}: {reply:?}");
    }
    refused(&mut peer, "a file before the connection is opened", store("k", vec![good()]));
    let staging = peer.staging();
    fs::write(sandbox.work().join("1"), b"content").expect("ours");
    let stage = || fs::write(staging.join("1"), b"content").expect("named for us");
    for (what, output) in [
        ("an absolute name", output("/a", "1", b"content")),
        ("a name that leads up", output("../a", "1", b"content")),
        ("a long name", output(&"n".repeat(256), "1", b"content")),
        ("a file elsewhere", output("a", sandbox.work().join("1").to_str().expect("text"), b"content")),
        ("a file above", output("a", "../1", b"content")),
        ("a file that is not there", output("a", "2", b"content")),
        ("another size", output("a", "1", b"more content")),
        ("another content", output("a", "1", b"CONTENT")),
        ("no hash", ArtifactOutput { hash: Vec::new(), ..good() }),
    ] {
        stage();
        refused(&mut peer, what, store("k", vec![output]));
    }
    stage();
    refused(&mut peer, "one name twice", store("k", vec![good(), good()]));
    refused(&mut peer, "a key of two lines", store("a\nb", Vec::new()));
    refused(&mut peer, "a long key", lookup(&"k".repeat(513)));
    refused(&mut peer, "no name", Request::Lookup(ArtifactLookup::default()));
    refused(&mut peer, "a reason that is none", skip("no_such_reason"));
    refused(&mut peer, "a reason that counts a hit", skip("artifact_found"));
    let of_hit = |reason: &str| {
        Request::Skip(ArtifactSkip { reason: reason.into(), record: 1, ..ArtifactSkip::default() })
    };
    refused(&mut peer, "a hit that is taken back as a failure of the tool's", of_hit("tool_failed"));
    refused(&mut peer, "a hit that is taken back as a hit", of_hit("artifact_found"));
    for change in [
        |name: &mut ArtifactName| name.mount_namespace += 1,
        |name: &mut ArtifactName| name.root_device += 1,
        |name: &mut ArtifactName| name.root_inode += 1,
    ] {
        let mut elsewhere = name("k");
        elsewhere.as_mut().map(change);
        let lookup = ArtifactLookup { name: elsewhere.clone(), ..ArtifactLookup::default() };
        refused(&mut peer, "a question from where other files are seen", Request::Lookup(lookup));
        let store = ArtifactStore { name: elsewhere, ..ArtifactStore::default() };
        refused(&mut peer, "a result from where other files are seen", Request::Store(store));
    }
    let part = ArtifactPart { digest: vec![0; 33], ..ArtifactPart::default() };
    let parts = Some(ArtifactParts { parts: vec![part], ..ArtifactParts::default() });
    let lookup_parts = ArtifactLookup { name: name("k"), parts, only_presence: false };
    refused(&mut peer, "a long digest", Request::Lookup(lookup_parts));
    assert!(matches!(peer.ask(lookup("k")), Reply::Absent(_)), "nothing was kept");
    assert!(sandbox.work().join("1").is_file(), "what lies elsewhere is left there");
}

#[test]
fn what_is_stored_is_found_and_what_a_key_stands_for_stays() {
    let sandbox = Sandbox::started();
    let mut peer = Peer::new(&sandbox);
    let staging = peer.staging();
    let put = |peer: &mut Peer, content: &[u8]| {
        fs::write(staging.join("1"), content).expect("named for us");
        peer.ask(store("k", vec![output("a", "1", content)]))
    };
    assert!(matches!(put(&mut peer, b"first"), Reply::Stored(stored) if stored.bytes == 5));
    assert!(matches!(put(&mut peer, b"first"), Reply::AlreadyExists(exists) if exists.same));
    assert!(matches!(put(&mut peer, b"second"), Reply::AlreadyExists(exists) if !exists.same));
    assert_eq!(fs::read_dir(&staging).expect("named for us").count(), 0, "files are taken from there");
    let Reply::Found(found) = Peer::new(&sandbox).ask(lookup("k")) else { panic!("not found") };
    let blob = PathBuf::from(std::ffi::OsString::from_vec(found.outputs[0].file.clone()));
    assert_eq!(fs::read(&blob).expect("a blob"), b"first");
    // Lost, it is no longer there; and may be stored again.
    fs::remove_file(&blob).expect("ours");
    assert!(matches!(peer.ask(lookup("k")), Reply::Absent(absent) if absent.reason == "result_gone"));
    assert!(matches!(put(&mut peer, b"second"), Reply::Stored(_)));
}

#[test]
fn a_peer_that_vanishes_leaves_nothing_half_stored() {
    let sandbox = Sandbox::started();
    for (name, request) in requests() {
        let frame = Frame::request(lane::ARTIFACT.0, message(PROTOCOL_VERSION, Some(request)));
        let bytes = encode_framed(&frame.with_request_id(1)).expect("small");
        let mut stream = UnixStream::connect(sandbox.endpoint()).expect("the daemon listens");
        stream.write_all(&bytes[..bytes.len() / 2]).expect("the daemon reads");
        drop(stream);
        assert!(matches!(Peer::new(&sandbox).ask(lookup("k")), Reply::Absent(_)), "after half of {name}");
    }
    // With a file handed over and the request on its way: all of it is stored, or nothing.
    let mut peer = Peer::new(&sandbox);
    let staging = peer.staging();
    let content = vec![7; 8 << 20];
    fs::write(staging.join("1"), &content).expect("named for us");
    let (mut sender, _receiver) = peer.0.split();
    let request = store("k", vec![output("a", "1", &content), output("b", "2", b"never written")]);
    sender.send(lane::ARTIFACT, message(PROTOCOL_VERSION, Some(request))).expect("the daemon reads");
    sender.hang_up();
    wait_until("the folder of the peer to be gone", || (!staging.exists()).then_some(()));
    assert!(matches!(Peer::new(&sandbox).ask(lookup("k")), Reply::Absent(_)));
}
