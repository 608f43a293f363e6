//! What is answered in a service's place while it cannot: the client then goes on alone.

use larder_proto::lane::{self, Lane};
use larder_proto::v1::{
    CompileFailure, CompileReply, CompileRequest, GoAside, GoClosed, GoFailure, GoReply, GoRequest,
    Published, Run, compile_reply, compile_request, go_reply, go_request,
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
pub(crate) static PLACES: [Place; 2] = [
    Place { name: "compile", lane: lane::COMPILE, aside: compile_aside, failure: compile_failure },
    Place { name: "go", lane: lane::GO, aside: go_aside, failure: go_failure },
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

fn place(lane: Lane) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.lane == lane)
}

fn compile_aside(request: &[u8], reason: Reason) -> Vec<u8> {
    let reply = match CompileRequest::decode(request).map(|request| request.request) {
        Err(_) => return compile_failure(Reason::RequestMalformed),
        Ok(Some(compile_request::Request::Publish(_) | compile_request::Request::Abandon(_))) => {
            compile_reply::Reply::Published(Published { stored: false, reason: reason.id().to_owned() })
        }
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
            let record = NewRecord { at_unix_ms: self.context.clock.unix_ms(), ..NewRecord::default() };
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
    fn what_cannot_be_decoded_is_a_typed_failure() {
        let reply = stand_aside(lane::COMPILE, b"\xff\xff", Reason::StartingUp);
        let reply = CompileReply::decode(reply.as_slice()).expect("a reply").reply;
        assert!(matches!(reply, Some(compile_reply::Reply::Failure(f)) if f.id == "request_malformed"));
    }
}
