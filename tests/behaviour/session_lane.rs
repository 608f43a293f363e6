//! The session lane over a real connection: each request well, badly, and from a peer that vanishes; and the files that
//! come along.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;

use larder_glue::process;
use larder_proto::v1::{
    SessionEnd, SessionReply, SessionRequest, SessionStart, SessionStats, session_reply, session_request,
};
use larder_proto::{PROTOCOL_VERSION, lane};
use larder_tests::{Sandbox, connect, defined_requests};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed};
use session_reply::Reply;
use session_request::Request;

fn own_start() -> SessionStart {
    let owner_pid = std::process::id();
    let owner_start = process::stat(owner_pid).expect("this very process").start;
    SessionStart { owner_pid, owner_start, ..SessionStart::default() }
}

/// Every request of the lane, by its name in the definition, about the session `id`.
fn requests(id: &str) -> Vec<(&'static str, Request)> {
    vec![
        ("start", Request::Start(own_start())),
        ("stats", Request::Stats(SessionStats { session: id.to_owned() })),
        ("end", Request::End(SessionEnd { session: id.to_owned() })),
    ]
}

/// The same, each with something that it cannot be about.
fn bad_requests() -> Vec<(&'static str, Request)> {
    let nobody = SessionStart { owner_start: 1, ..own_start() };
    let mut bad = requests("nope");
    bad[0].1 = Request::Start(nobody);
    bad
}

fn message(protocol: u32, request: Option<Request>) -> Vec<u8> {
    SessionRequest { protocol, client_version: "0.0.1".to_owned(), request }.encode_to_vec()
}

fn ask_with(endpoint: &str, bytes: Vec<u8>, files: &[BorrowedFd<'_>]) -> Reply {
    let reply = connect(endpoint).request_with(lane::SESSION, bytes, files).expect("a reply");
    let reply = SessionReply::decode(reply.as_slice()).expect("a message");
    assert_eq!(reply.protocol, PROTOCOL_VERSION, "every reply says what the daemon speaks");
    reply.reply.expect("not empty")
}

fn ask(endpoint: &str, request: Request) -> Reply {
    ask_with(endpoint, message(PROTOCOL_VERSION, Some(request)), &[])
}

fn started(endpoint: &str) -> String {
    let Reply::Started(started) = ask(endpoint, Request::Start(own_start())) else { panic!("it starts") };
    started.session
}

#[test]
fn each_request_of_the_definition_is_tried_here() {
    let defined = defined_requests(include_str!("../../proto/larder/v1/session.proto"));
    for tried in [requests(""), bad_requests()] {
        let tried: BTreeSet<&str> = tried.into_iter().map(|(name, _)| name).collect();
        assert_eq!(tried, defined);
    }
}

#[test]
fn each_request_is_answered_and_of_another_version_none() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    let id = started(&endpoint);
    for (name, request) in requests(&id) {
        for protocol in [PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1] {
            let reply = ask_with(&endpoint, message(protocol, Some(request.clone())), &[]);
            assert!(
                matches!(reply, Reply::NotSupported(no) if no.daemon_speaks == PROTOCOL_VERSION),
                "{name}"
            );
        }
        match (name, ask(&endpoint, request)) {
            ("start", Reply::Started(other)) => assert_ne!(other.session, id),
            ("stats", Reply::Report(report)) => {
                assert_eq!((report.session, report.ended_unix_ms), (id.clone(), 0))
            }
            ("end", Reply::Report(report)) => assert_eq!(report.ended_by, "request"),
            (_, reply) => panic!("{name}: {reply:?}"),
        }
    }
    // Field 200 is a request of some later version.
    let later = [message(PROTOCOL_VERSION, None), vec![0xc2, 0x0c, 0x00]].concat();
    assert!(matches!(ask_with(&endpoint, later, &[]), Reply::NotSupported(_)));
}

#[test]
fn bad_input_to_each_request_gets_a_typed_answer() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    for (name, request) in bad_requests() {
        let mut broken = message(PROTOCOL_VERSION, Some(request.clone()));
        // One byte of a length-delimited field that is announced and does not come.
        broken.extend([0x12, 0x7f]);
        let reply = ask_with(&endpoint, broken, &[]);
        assert!(matches!(reply, Reply::Failure(_)), "{name}: {reply:?}");
        let reply = ask(&endpoint, request);
        assert!(matches!(reply, Reply::Failure(_)), "{name}: {reply:?}");
    }
}

#[test]
fn a_peer_that_vanishes_within_a_request_disturbs_nothing() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    let id = started(&endpoint);
    for (name, request) in requests(&id) {
        let frame = Frame::request(lane::SESSION.0, message(PROTOCOL_VERSION, Some(request)));
        let bytes = encode_framed(&frame.with_request_id(1)).expect("small");
        let mut stream = UnixStream::connect(&endpoint).expect("the daemon listens");
        stream.write_all(&bytes[..bytes.len() / 2]).expect("the daemon reads");
        drop(stream);
        let reply = ask(&endpoint, Request::Stats(SessionStats { session: id.clone() }));
        assert!(matches!(reply, Reply::Report(report) if report.ended_unix_ms == 0), "after half of {name}");
    }
}

#[test]
fn only_files_that_are_open_for_appending_are_taken_for_a_journal() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    let path = sandbox.write("j.jsonl", "");
    let append = |path: &std::path::Path| OpenOptions::new().append(true).open(path).expect("it is there");
    let start = |journal, log, files: &[&File]| {
        let start = Request::Start(SessionStart { journal, log, ..own_start() });
        let files: Vec<_> = files.iter().map(|file| file.as_fd()).collect();
        ask_with(&endpoint, message(PROTOCOL_VERSION, Some(start)), &files)
    };
    let fit = append(&path);
    let device = append(std::path::Path::new("/dev/null"));
    let read = File::open(&path).expect("it is there");
    let write = OpenOptions::new().write(true).open(&path).expect("it is there");
    for unfit in [&device, &read, &write] {
        for (journal, log, files) in
            [(true, false, vec![unfit]), (false, true, vec![unfit]), (true, true, vec![&fit, unfit])]
        {
            let reply = start(journal, log, &files);
            assert!(matches!(reply, Reply::Failure(_)), "{unfit:?}: {reply:?}");
        }
    }
    assert!(matches!(start(true, false, &[]), Reply::Failure(_)), "none came along");
    assert!(matches!(start(true, true, &[&fit]), Reply::Failure(_)), "one is missing");
    assert!(matches!(start(true, true, &[&fit, &fit]), Reply::Started(_)));
    assert!(matches!(start(false, false, &[&fit, &fit]), Reply::Started(_)), "nobody asked for them");
    // What the daemon was handed and does not need it does not keep.
    let held = || {
        let folder = format!("/proc/{}/fd", sandbox.pid("larderd"));
        let links =
            std::fs::read_dir(folder).expect("ours").filter_map(|entry| entry.ok()?.path().read_link().ok());
        links.filter(|link| *link == path).count()
    };
    larder_tests::wait_until("the others to be closed", || (held() == 2).then_some(()));
}
