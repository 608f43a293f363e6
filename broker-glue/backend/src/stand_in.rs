//! What is answered in a service's place while it cannot: the client then goes on alone.

use larder_proto::lane::{self, Lane};
use larder_proto::v1::{
    ArtifactFailure, ArtifactReply, CompileFailure, CompileReply, CompileRequest, FingerprintFailure,
    FingerprintReply, GoAside, GoClosed, GoFailure, GoReply, GoRequest, Published, Run, artifact_reply,
    compile_reply, compile_request, fingerprint_reply, go_reply, go_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{BoxFuture, Connection, ConnectionId, Context, NewRecord, Reason, Service};
use prost::Message as _;

/// A service that something may stand in for.
pub(crate) struct Place {
    /// The service's name in statistics, also while a stand-in speaks for it.
    name: &'static str,
    lane: Lane,
    aside: fn(&[u8], Reason) -> Vec<u8>,
    failure: fn(Reason) -> Vec<u8>,
}

/// All of them, in the order in which statistics show them.
pub(crate) static PLACES: [Place; 4] = [
    Place { name: "compile", lane: lane::COMPILE, aside: compile_aside, failure: compile_failure },
    Place { name: "go", lane: lane::GO, aside: go_aside, failure: go_failure },
    Place {
        name: "fingerprint",
        lane: lane::FINGERPRINT,
        aside: |_, reason| fingerprint_failure(reason),
        failure: fingerprint_failure,
    },
    Place {
        name: "artifact",
        lane: lane::ARTIFACT,
        aside: |_, reason| artifact_failure(reason),
        failure: artifact_failure,
    },
];

/// The names of all services that are counted.
pub(crate) fn names() -> [&'static str; PLACES.len()] {
    std::array::from_fn(|at| PLACES[at].name)
}

/// The lanes of those services.
pub(crate) fn lanes() -> [Lane; PLACES.len()] {
    std::array::from_fn(|at| PLACES[at].lane)
}

/// The name under which requests on `lane` are counted; `None` for lanes that are not counted.
pub(crate) fn name_of(lane: Lane) -> Option<&'static str> {
    place(lane).map(|place| place.name)
}

/// Tells the client to go on without, and why. Nothing will be stored.
pub(crate) fn stand_aside(lane: Lane, request: &[u8], reason: Reason) -> Vec<u8> {
    place(lane).map(|place| (place.aside)(request, reason)).unwrap_or_default()
}

/// Tells the client that its request failed, and why.
pub(crate) fn failure(lane: Lane, reason: Reason) -> Vec<u8> {
    place(lane).map(|place| (place.failure)(reason)).unwrap_or_default()
}

/// The record of a request that no service has taken apart: what it says of itself.
pub(crate) fn described(lane: Lane, request: &[u8], at_unix_ms: u64) -> NewRecord {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut record = NewRecord { at_unix_ms, ..NewRecord::default() };
    if lane == lane::COMPILE
        && let Ok(CompileRequest { request: Some(compile_request::Request::Lookup(lookup)), .. }) =
            CompileRequest::decode(request)
    {
        record.tool = text(lookup.tool_name.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
        (record.cwd, record.session, record.build) = (text(&lookup.cwd), lookup.session, lookup.parent_pid);
    }
    if lane == lane::GO
        && let Ok(GoRequest { request: Some(go_request::Request::Open(open)), .. }) =
            GoRequest::decode(request)
    {
        "go".clone_into(&mut record.tool);
        (record.cwd, record.session) = (text(&open.cwd), open.session);
    }
    record
}

fn place(lane: Lane) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.lane == lane)
}

fn compile_aside(request: &[u8], reason: Reason) -> Vec<u8> {
    let reply = match CompileRequest::decode(request).map(|request| request.request) {
        Err(_) => return compile_failure(Reason::RequestMalformed),
        Ok(Some(
            compile_request::Request::Publish(_)
            | compile_request::Request::Abandon(_)
            | compile_request::Request::NotRestored(_),
        )) => compile_reply::Reply::Published(Published { stored: false, reason: reason.id().to_owned() }),
        Ok(_) => compile_reply::Reply::Run(Run {
            outcome: reason.outcome().id().to_owned(),
            reason: reason.id().to_owned(),
            sentence: reason.sentence().to_owned(),
            ..Run::default()
        }),
    };
    compile(reply)
}

fn compile_failure(reason: Reason) -> Vec<u8> {
    let failure = CompileFailure { id: reason.id().to_owned(), sentence: reason.sentence().to_owned() };
    compile(compile_reply::Reply::Failure(failure))
}

fn compile(reply: compile_reply::Reply) -> Vec<u8> {
    CompileReply { protocol: PROTOCOL_VERSION, daemon_version: LARDER_VERSION.to_owned(), reply: Some(reply) }
        .encode_to_vec()
}

fn go_aside(request: &[u8], reason: Reason) -> Vec<u8> {
    go(match GoRequest::decode(request).map(|request| request.request) {
        Err(_) => return go_failure(Reason::RequestMalformed),
        Ok(Some(go_request::Request::Close(_))) => go_reply::Reply::Closed(GoClosed {}),
        Ok(_) => go_reply::Reply::Aside(GoAside {
            reason: reason.id().to_owned(),
            sentence: reason.sentence().to_owned(),
        }),
    })
}

fn go_failure(reason: Reason) -> Vec<u8> {
    let failure = GoFailure { id: reason.id().to_owned(), sentence: reason.sentence().to_owned() };
    go(go_reply::Reply::Failure(failure))
}

fn go(reply: go_reply::Reply) -> Vec<u8> {
    GoReply { protocol: PROTOCOL_VERSION, daemon_version: LARDER_VERSION.to_owned(), reply: Some(reply) }
        .encode_to_vec()
}

fn fingerprint_failure(reason: Reason) -> Vec<u8> {
    let failure = FingerprintFailure { id: reason.id().to_owned(), sentence: reason.sentence().to_owned() };
    let reply = Some(fingerprint_reply::Reply::Failure(failure));
    FingerprintReply { protocol: PROTOCOL_VERSION, daemon_version: LARDER_VERSION.to_owned(), reply }
        .encode_to_vec()
}

fn artifact_failure(reason: Reason) -> Vec<u8> {
    let failure = ArtifactFailure { id: reason.id().to_owned(), sentence: reason.sentence().to_owned() };
    let reply = Some(artifact_reply::Reply::Failure(failure));
    ArtifactReply { protocol: PROTOCOL_VERSION, daemon_version: LARDER_VERSION.to_owned(), reply }
        .encode_to_vec()
}

/// Stands in for a service for as long as the daemon lives.
pub(crate) struct StandIn {
    /// For which.
    pub(crate) place: &'static Place,
    /// Why the service itself is not there.
    pub(crate) reason: Reason,
    /// Where its requests are counted.
    pub(crate) context: Context,
}

impl Service for StandIn {
    fn name(&self) -> &'static str {
        self.place.name
    }

    fn lane(&self) -> Lane {
        self.place.lane
    }

    fn call<'a>(&'a self, _connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let record = described(self.place.lane, request, self.context.clock.unix_ms());
            self.context.board.record(self.place.name, self.reason, record);
            (self.place.aside)(request, self.reason)
        })
    }

    fn closed(&self, _connection: ConnectionId) {}

    fn figures(&self) -> Vec<larder_proto::v1::Figure> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::v1::{GoClose, GoGet, Lookup, Publish};

    fn answer(request: compile_request::Request) -> Option<compile_reply::Reply> {
        let request = CompileRequest { request: Some(request), ..CompileRequest::default() }.encode_to_vec();
        let reply = stand_aside(lane::COMPILE, &request, Reason::StartingUp);
        CompileReply::decode(reply.as_slice()).expect("a reply").reply
    }

    #[test]
    fn a_lookup_is_told_to_run_the_tool_without_a_lease() {
        let Some(compile_reply::Reply::Run(run)) =
            answer(compile_request::Request::Lookup(Lookup::default()))
        else {
            panic!("a lookup is answered with a run");
        };
        assert_eq!((run.lease, run.outcome.as_str(), run.reason.as_str()), (0, "bypass", "starting_up"));
    }

    #[test]
    fn a_result_that_comes_meanwhile_is_not_stored() {
        let Some(compile_reply::Reply::Published(published)) =
            answer(compile_request::Request::Publish(Publish::default()))
        else {
            panic!("a result is answered as such");
        };
        assert!(!published.stored);
    }

    #[test]
    fn a_go_command_is_told_to_go_on_without() {
        let answer = |request| {
            let request = GoRequest { request: Some(request), ..GoRequest::default() }.encode_to_vec();
            let reply = stand_aside(lane::GO, &request, Reason::StartingUp);
            GoReply::decode(reply.as_slice()).expect("a reply").reply
        };
        let get = answer(go_request::Request::Get(GoGet::default()));
        assert!(matches!(get, Some(go_reply::Reply::Aside(aside)) if aside.reason == "starting_up"));
        let close = answer(go_request::Request::Close(GoClose::default()));
        assert!(matches!(close, Some(go_reply::Reply::Closed(_))));
    }

    #[test]
    fn who_asks_for_more_than_a_compile_is_told_the_reason() {
        let reply = stand_aside(lane::FINGERPRINT, b"", Reason::StartingUp);
        let reply = FingerprintReply::decode(reply.as_slice()).expect("a reply").reply;
        assert!(matches!(reply, Some(fingerprint_reply::Reply::Failure(f)) if f.id == "starting_up"));
        let reply = stand_aside(lane::ARTIFACT, b"", Reason::Draining);
        let reply = ArtifactReply::decode(reply.as_slice()).expect("a reply").reply;
        assert!(matches!(reply, Some(artifact_reply::Reply::Failure(f)) if f.id == "draining"));
    }

    #[test]
    fn a_request_that_no_service_took_apart_still_belongs_to_its_session() {
        let lookup = Lookup { session: "s".into(), tool_name: b"/bin/gcc".to_vec(), ..Lookup::default() };
        let request = Some(compile_request::Request::Lookup(lookup));
        let request = CompileRequest { request, ..CompileRequest::default() }.encode_to_vec();
        let record = described(lane::COMPILE, &request, 7);
        assert_eq!((record.session.as_str(), record.tool.as_str(), record.at_unix_ms), ("s", "gcc", 7));
        let open = larder_proto::v1::GoOpen { session: "s".into(), ..Default::default() };
        let request = Some(go_request::Request::Open(open));
        let request = GoRequest { request, ..GoRequest::default() }.encode_to_vec();
        assert_eq!(described(lane::GO, &request, 7).session, "s");
        assert_eq!(described(lane::GO, b"\xff\xff", 7).session, "");
    }

    #[test]
    fn what_cannot_be_decoded_is_a_typed_failure() {
        let reply = stand_aside(lane::COMPILE, b"\xff\xff", Reason::StartingUp);
        let reply = CompileReply::decode(reply.as_slice()).expect("a reply").reply;
        assert!(matches!(reply, Some(compile_reply::Reply::Failure(f)) if f.id == "request_malformed"));
    }
}
