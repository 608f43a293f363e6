//! Who gets the socket, and what can be said on it.

use std::io::Write as _;
use std::os::unix::net::UnixStream;

use larder_proto::lane::{BROKER_PAGE, HTTP_READY};
use larder_tests::wait_until;
use prost::Message as _;
use running_process::broker::protocol::{ADMIN_PAYLOAD_PROTOCOL, AdminReply, AdminRequest, AdminVerb, Frame};
use running_process::broker::protocol_v2::{BackendHttpReady, GetBrokerHttpEndpointResponse};
use rustix::process::Signal;

use crate::sandbox::{Broker, Sandbox, VERSION};

#[test]
fn one_of_many_brokers_serves_and_the_others_leave_quietly() {
    let sandbox = Sandbox::new();
    let mut serving: Vec<_> =
        (0..12).map(|_| Broker(sandbox.command().spawn().expect("the broker starts"))).collect();
    wait_until("the page", || sandbox.port());
    // Those that have not begun yet are among them: they are asked, and not looked for by their names.
    wait_until("all but one to leave", || {
        serving.retain_mut(|broker| match broker.0.try_wait().expect("our child") {
            Some(status) => {
                assert!(status.success(), "{status}");
                false
            }
            None => true,
        });
        (serving.len() <= 1).then_some(())
    });
    assert_eq!(serving.len(), 1);
    assert_eq!(sandbox.hello(VERSION), Err("service definition was not found".to_owned()));
    assert!(serving.remove(0).end(Signal::TERM).success());
}

#[test]
fn a_told_broker_leaves_nothing_behind_and_a_killed_one_is_replaced() {
    let sandbox = Sandbox::new();
    for how in [Signal::TERM, Signal::INT] {
        let mut broker = sandbox.start();
        assert!(sandbox.socket().exists());
        assert!(broker.end(how).success());
        assert!(!sandbox.socket().exists() && !sandbox.port_file().exists());
    }
    let mut broker = sandbox.start();
    broker.end(Signal::KILL);
    assert!(sandbox.socket().exists(), "it had no chance to remove it");
    std::fs::remove_file(sandbox.port_file()).expect("nor this");
    let mut broker = sandbox.start();
    assert!(sandbox.hello(VERSION).is_err(), "it answers");
    assert!(broker.end(Signal::TERM).success());
}

#[test]
fn garbage_and_half_frames_cost_their_connection_and_nothing_else() {
    let sandbox = Sandbox::new();
    let mut broker = sandbox.start();
    let hanging: Vec<UnixStream> = (0..40)
        .map(|_| {
            let mut stream = UnixStream::connect(sandbox.socket()).expect("the broker listens");
            stream.write_all(&[1, 100, 0, 0, 0, 8]).expect("taken");
            stream
        })
        .collect();
    let mut oversized = vec![1];
    oversized.extend_from_slice(&(1_u32 << 20).to_le_bytes());
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![1, 4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        oversized,
        vec![1, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert!(!sandbox.send(&bytes).is_empty(), "a refusal is sent for {bytes:?}");
        assert!(sandbox.hello(VERSION).is_err(), "it answers");
    }
    let unknown = sandbox.ask(&Frame::request(0xF1FF, b"?".to_vec()).with_request_id(3));
    assert_eq!((unknown.request_id, unknown.payload_protocol), (3, 0));
    drop(hanging);
    assert!(broker.end(Signal::TERM).success());
}

#[test]
fn a_page_told_by_a_process_that_is_no_backend_is_refused() {
    let sandbox = Sandbox::new();
    let _broker = sandbox.start();
    let ready = BackendHttpReady { port: 4000 }.encode_to_vec();
    let reply = sandbox.ask(&Frame::request(HTTP_READY.0, ready).with_request_id(9));
    assert_eq!(reply.request_id, 9);
    assert_ne!(reply.payload_protocol, HTTP_READY.0, "that would be an acknowledgement");
    assert!(sandbox.backends().is_empty());
}

#[test]
fn the_broker_tells_where_its_page_is() {
    let sandbox = Sandbox::new();
    let broker = sandbox.start();
    let reply = sandbox.ask(&Frame::request(BROKER_PAGE.0, Vec::new()).with_request_id(4));
    let endpoint = GetBrokerHttpEndpointResponse::decode(reply.payload.as_slice()).expect("an answer");
    assert_eq!((endpoint.port, endpoint.pid), (sandbox.port().expect("published").into(), broker.0.id()));
}

#[test]
fn admin_frames_are_answered_and_one_of_them_ends_the_broker() {
    let sandbox = Sandbox::new();
    let mut broker = sandbox.start();
    let ask = |verb: AdminVerb| {
        let request = AdminRequest { verb: verb as i32, json: true, ..AdminRequest::default() };
        let reply = sandbox.ask(&Frame::request(ADMIN_PAYLOAD_PROTOCOL, request.encode_to_vec()));
        AdminReply::decode(reply.payload.as_slice()).expect("an answer").body
    };
    let status: serde_json::Value = serde_json::from_str(&ask(AdminVerb::Status)).expect("JSON");
    assert_eq!((&status["broker_pid"], &status["accepting_hello"]), (&broker.0.id().into(), &true.into()));
    assert!(ask(AdminVerb::BackendHealth).contains("backends"));
    assert!(ask(AdminVerb::Shutdown).contains("shutting down"));
    assert!(broker.0.wait().expect("it ends").success());
    assert!(!sandbox.socket().exists());
}

#[test]
fn arguments_are_refused_with_a_hint() {
    let sandbox = Sandbox::new();
    let output = sandbox.command().arg("--http-port").output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint: "));
}
