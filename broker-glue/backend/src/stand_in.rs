//! What is answered in a service's place while it cannot: the client then goes on alone.

use larder_proto::lane::{self, Lane};
use larder_proto::v1::{
    CompileFailure, CompileReply, CompileRequest, Published, Run, compile_reply, compile_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{BoxFuture, Connection, ConnectionId, Context, NewRecord, Reason, Service};
use prost::Message as _;

/// Name of the compile service in statistics, also while a stand-in speaks for it.
pub(crate) const COMPILE: &str = "compile";

/// The name under which requests on `lane` are counted; `None` for lanes that are not counted.
pub(crate) fn name_of(lane: Lane) -> Option<&'static str> {
    (lane == lane::COMPILE).then_some(COMPILE)
}

/// Tells the client to run the tool itself, and why. Nothing will be stored.
pub(crate) fn stand_aside(lane: Lane, request: &[u8], reason: Reason) -> Vec<u8> {
    if lane != lane::COMPILE {
        return Vec::new();
    }
    let reply = match CompileRequest::decode(request).map(|request| request.request) {
        Err(_) => return failure(lane, Reason::RequestMalformed),
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

/// Tells the client that its request failed, and why.
pub(crate) fn failure(lane: Lane, reason: Reason) -> Vec<u8> {
    if lane != lane::COMPILE {
        return Vec::new();
    }
    let failure = CompileFailure { id: reason.id().to_owned(), sentence: reason.sentence().to_owned() };
    compile(compile_reply::Reply::Failure(failure))
}

fn compile(reply: compile_reply::Reply) -> Vec<u8> {
    CompileReply {
        protocol: PROTOCOL_VERSION,
        daemon_version: LARDER_VERSION.to_owned(),
        reply: Some(reply),
    }
    .encode_to_vec()
}

/// Stands in for the compile service for as long as the daemon lives.
pub(crate) struct StandIn {
    /// Why the service itself is not there.
    pub(crate) reason: Reason,
    /// Where its requests are counted.
    pub(crate) context: Context,
}

impl Service for StandIn {
    fn name(&self) -> &'static str {
        COMPILE
    }

    fn lane(&self) -> Lane {
        lane::COMPILE
    }

    fn call<'a>(&'a self, _connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let record = NewRecord { at_unix_ms: self.context.clock.unix_ms(), ..NewRecord::default() };
            self.context.board.record(COMPILE, self.reason, record);
            stand_aside(lane::COMPILE, request, self.reason)
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
    use larder_proto::v1::{Lookup, Publish};

    fn answer(request: compile_request::Request) -> Option<compile_reply::Reply> {
        let request =
            CompileRequest { request: Some(request), ..CompileRequest::default() }.encode_to_vec();
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
    fn what_cannot_be_decoded_is_a_typed_failure() {
        let reply = stand_aside(lane::COMPILE, b"\xff\xff", Reason::StartingUp);
        let reply = CompileReply::decode(reply.as_slice()).expect("a reply").reply;
        assert!(matches!(reply, Some(compile_reply::Reply::Failure(f)) if f.id == "request_malformed"));
    }
}
