//! The control lane over a real connection: between versions, with bad input, and with a peer that vanishes.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::net::UnixStream;

use larder_glue::wire::Wire;
use larder_proto::v1::{
    ClearRequest, ControlReply, ControlRequest, Ping, ReportKind, ReportRequest, ShutdownRequest,
    StatsRequest, StatusRequest, ZeroStatsRequest, control_reply, control_request,
};
use larder_proto::{PROTOCOL_VERSION, lane};
use larder_tests::{Sandbox, alive, connect, defined_requests, same_as_alone, wait_until};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed};

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

/// Every request of the lane, by its name in the definition.
fn requests() -> Vec<(&'static str, control_request::Request)> {
    use control_request::Request;
    vec![
        ("ping", Request::Ping(Ping {})),
        ("status", Request::Status(StatusRequest {})),
        ("stats", Request::Stats(StatsRequest { records: 1 })),
        ("shutdown", Request::Shutdown(ShutdownRequest { drain_seconds: 1 })),
        ("clear", Request::Clear(ClearRequest { service: String::new(), dry_run: true })),
        ("zero_stats", Request::ZeroStats(ZeroStatsRequest { records: 1 })),
        ("report", Request::Report(report(ReportKind::Misses, ""))),
    ]
}

fn report(kind: ReportKind, name: &str) -> ReportRequest {
    ReportRequest { kind: kind.into(), name: name.to_owned(), records: 5 }
}

fn message(protocol: u32, request: Option<control_request::Request>) -> Vec<u8> {
    ControlRequest { protocol, client_version: "0.0.1".to_owned(), request }.encode_to_vec()
}

fn ask(endpoint: &str, bytes: Vec<u8>) -> control_reply::Reply {
    let reply = connect(endpoint).request(lane::CONTROL, bytes).expect("a reply");
    let reply = ControlReply::decode(reply.as_slice()).expect("a message");
    assert_eq!(reply.protocol, PROTOCOL_VERSION, "every reply says what the daemon speaks");
    reply.reply.expect("not empty")
}

fn is_answer_to(name: &str, reply: &control_reply::Reply) -> bool {
    use control_reply::Reply;
    match name {
        "ping" => matches!(reply, Reply::Pong(_)),
        "status" => matches!(reply, Reply::Status(_)),
        "stats" => matches!(reply, Reply::Stats(_)),
        "shutdown" => matches!(reply, Reply::Shutdown(_)),
        "clear" => matches!(reply, Reply::Cleared(_)),
        "zero_stats" => matches!(reply, Reply::Zeroed(_)),
        "report" => matches!(reply, Reply::Report(_)),
        _ => false,
    }
}

#[test]
fn each_request_of_the_definition_is_tried_here() {
    let defined = defined_requests(include_str!("../../proto/larder/v1/control.proto"));
    let tried: BTreeSet<&str> = requests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(tried, defined);
}

#[test]
fn each_request_is_answered_and_of_a_neighbouring_version_status_and_shutdown() {
    for protocol in [PROTOCOL_VERSION, PROTOCOL_VERSION - 1, PROTOCOL_VERSION + 1] {
        let sandbox = Sandbox::started();
        let (endpoint, pid) = (sandbox.endpoint(), sandbox.pid("larderd"));
        let (last, others): (Vec<_>, Vec<_>) =
            requests().into_iter().partition(|(name, _)| *name == "shutdown");
        for (name, request) in others.into_iter().chain(last) {
            let reply = ask(&endpoint, message(protocol, Some(request)));
            if protocol == PROTOCOL_VERSION || ["status", "shutdown"].contains(&name) {
                assert!(is_answer_to(name, &reply), "{name}: {reply:?}");
            } else {
                let control_reply::Reply::NotSupported(no) = reply else { panic!("{name}: {reply:?}") };
                assert_eq!(no.daemon_speaks, PROTOCOL_VERSION);
            }
        }
        wait_until("the daemon to be gone", || (!alive(pid)).then_some(()));
    }
}

#[test]
fn bad_input_to_each_request_and_unknown_requests_get_typed_answers() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    for (name, request) in requests() {
        let mut broken = message(PROTOCOL_VERSION, Some(request));
        // One byte of a length-delimited field that is announced and does not come.
        broken.extend([0x12, 0x7f]);
        let reply = ask(&endpoint, broken);
        assert!(matches!(reply, control_reply::Reply::Failure(_)), "{name}: {reply:?}");
    }
    // Field 200 is a request of some later version.
    let later = [message(PROTOCOL_VERSION, None), vec![0xc2, 0x0c, 0x00]].concat();
    assert!(matches!(ask(&endpoint, later), control_reply::Reply::NotSupported(_)));
}

#[test]
fn each_kind_of_report_is_told_or_refused_with_a_hint() {
    use larder_proto::v1::report::Report;
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    let asked =
        |request| ask(&endpoint, message(PROTOCOL_VERSION, Some(control_request::Request::Report(request))));
    let told = |kind, name: &str| match asked(report(kind, name)) {
        control_reply::Reply::Report(told) => told.report.expect("not empty"),
        other => panic!("{kind:?}: {other:?}"),
    };
    let Report::Builds(builds) = told(ReportKind::Builds, "") else { panic!("other than builds") };
    let Report::Misses(misses) = told(ReportKind::Misses, "") else { panic!("other than misses") };
    let (build, record) = (&builds.builds[0].id, &misses.records[0]);
    assert!(matches!(told(ReportKind::Build, build), Report::Build(build) if build.records.len() == 1));
    let compared = told(ReportKind::Comparison, &record.id.to_string());
    assert!(matches!(compared, Report::Comparison(found) if found.record.as_ref() == Some(record)));
    let found = told(ReportKind::Found, &record.key.to_uppercase());
    assert!(matches!(found, Report::Found(found) if found.actions.len() == 1));
    assert!(matches!(told(ReportKind::Overview, ""), Report::Overview(told) if told.days.len() == 1));
    assert!(matches!(told(ReportKind::Services, ""), Report::Services(told) if !told.lanes.is_empty()));
    assert!(matches!(told(ReportKind::Store, ""), Report::Store(told) if told.blob_bytes > 0));
    assert!(matches!(told(ReportKind::Health, ""), Report::Health(told) if !told.checks.is_empty()));
    assert!(matches!(told(ReportKind::Settings, ""), Report::Settings(told) if !told.settings.is_empty()));
    for (kind, name) in [
        (ReportKind::Build, "pid-0"),
        (ReportKind::Comparison, "x"),
        (ReportKind::Found, "abc"),
        (ReportKind::Found, ""),
    ] {
        let control_reply::Reply::Failure(no) = asked(report(kind, name)) else { panic!("{kind:?} {name}") };
        assert!(no.sentence.contains("hint: "), "{}", no.sentence);
    }
    let later = ReportRequest { kind: 99, ..report(ReportKind::Unspecified, "") };
    assert!(matches!(asked(later), control_reply::Reply::NotSupported(_)));
}

#[test]
fn a_peer_that_vanishes_within_a_request_disturbs_nothing() {
    let sandbox = Sandbox::started();
    let endpoint = sandbox.endpoint();
    for (name, request) in requests() {
        let frame = Frame::request(lane::CONTROL.0, message(PROTOCOL_VERSION, Some(request)));
        let bytes = encode_framed(&frame.with_request_id(1)).expect("small");
        let mut stream = UnixStream::connect(&endpoint).expect("the daemon listens");
        stream.write_all(&bytes[..bytes.len() / 2]).expect("the daemon reads");
        drop(stream);
        let reply = ask(&endpoint, message(PROTOCOL_VERSION, Some(control_request::Request::Ping(Ping {}))));
        assert!(is_answer_to("ping", &reply), "after half of {name}");
    }
}

#[test]
fn a_restart_gives_another_daemon_over_the_same_cache() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &ARGV);
    let before = sandbox.pid("larderd");
    sandbox.run(&["restart"]);
    assert_ne!(sandbox.pid("larderd"), before);
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}

#[test]
fn a_compile_request_that_the_daemon_does_not_know_gets_a_typed_answer() {
    use larder_proto::v1::{CompileReply, CompileRequest, compile_reply};
    let sandbox = Sandbox::started();
    let stream = UnixStream::connect(sandbox.endpoint()).expect("the daemon listens");
    let mut wire = Wire::new(stream.into()).expect("our own daemon");
    for protocol in [PROTOCOL_VERSION, PROTOCOL_VERSION + 1] {
        let request = CompileRequest { protocol, ..CompileRequest::default() };
        let later = [request.encode_to_vec(), vec![0xc2, 0x0c, 0x00]].concat();
        let reply = wire.request(lane::COMPILE, later).expect("a reply");
        let reply = CompileReply::decode(reply.as_slice()).expect("a message");
        assert_eq!(reply.protocol, PROTOCOL_VERSION);
        let Some(compile_reply::Reply::NotSupported(no)) = reply.reply else { panic!("{reply:?}") };
        assert_eq!(no.daemon_speaks, PROTOCOL_VERSION);
    }
}
