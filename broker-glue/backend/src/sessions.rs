//! The session lane. Like control it answers at once, also while the services are being loaded.

use larder_proto::v1::{
    Failure, NotSupported, SessionReply, SessionRequest, SessionStart, SessionStarted, session_reply,
    session_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{Board, Clock, Owner, Reason};
use prost::Message as _;

/// The reply to one request, whatever its bytes.
pub(crate) fn answer(board: &Board, clock: &dyn Clock, request: &[u8]) -> Vec<u8> {
    let reply = match SessionRequest::decode(request) {
        Err(_) => failure(Reason::RequestMalformed.sentence()),
        Ok(request) if request.protocol != PROTOCOL_VERSION => {
            not_supported("client and daemon are of different versions")
        }
        Ok(request) => reply(board, clock, request.request),
    };
    let reply = SessionReply {
        protocol: PROTOCOL_VERSION,
        daemon_version: LARDER_VERSION.to_owned(),
        reply: Some(reply),
    };
    reply.encode_to_vec()
}

fn reply(
    board: &Board,
    clock: &dyn Clock,
    request: Option<session_request::Request>,
) -> session_reply::Reply {
    use session_request::Request;
    let sessions = board.sessions();
    let (id, report) = match request {
        Some(Request::Start(start)) => return begin(board, clock, &start),
        Some(Request::Stats(asked)) => (asked.session.clone(), sessions.report(&asked.session)),
        Some(Request::End(asked)) => (asked.session.clone(), sessions.end(&asked.session, clock.unix_ms())),
        None => return not_supported("this daemon does not know the request"),
    };
    match report {
        Some(report) => session_reply::Reply::Report(report),
        None => failure(&format!(
            "this daemon knows no session {:?}\nhint: larder session start",
            id.chars().take(64).collect::<String>()
        )),
    }
}

fn begin(board: &Board, clock: &dyn Clock, start: &SessionStart) -> session_reply::Reply {
    let owner = Owner { pid: start.owner_pid, start: start.owner_start };
    if !is_alive(owner) {
        return failure("the process that the session is to end with does not run");
    }
    match board.sessions().start(owner, clock.unix_ns()) {
        Some(session) => session_reply::Reply::Started(SessionStarted { session }),
        None => failure("too many sessions are open\nhint: larder session end ID"),
    }
}

/// Whether the process runs: of this id, started at this moment, and not only waiting to be buried.
pub(crate) fn is_alive(owner: Owner) -> bool {
    larder_glue::process::stat(owner.pid).is_some_and(|stat| stat.start == owner.start && stat.runs)
}

fn failure(sentence: &str) -> session_reply::Reply {
    let id = Reason::RequestMalformed.id().to_owned();
    session_reply::Reply::Failure(Failure { id, sentence: sentence.to_owned() })
}

fn not_supported(sentence: &str) -> session_reply::Reply {
    let sentence = sentence.to_owned();
    session_reply::Reply::NotSupported(NotSupported { sentence, daemon_speaks: PROTOCOL_VERSION })
}
