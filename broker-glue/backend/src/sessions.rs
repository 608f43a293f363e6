//! The session lane. Like control it answers at once, also while the services are being loaded.

use std::os::fd::OwnedFd;

use larder_proto::v1::{
    Failure, NotSupported, SessionReply, SessionReport, SessionRequest, SessionStart, SessionStarted,
    session_reply, session_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{Board, Clock, Keep, Owner, Reason};
use prost::Message as _;

use crate::journal::{self, Journals};

/// What session requests are answered from.
pub(crate) struct Desk<'a> {
    pub(crate) board: &'a Board,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) journals: &'a Journals,
}

impl Desk<'_> {
    /// The reply to one request, whatever its bytes; `descriptors` came along with them.
    pub(crate) async fn answer(&self, request: &[u8], descriptors: Vec<OwnedFd>) -> Vec<u8> {
        let reply = match SessionRequest::decode(request) {
            Err(_) => failure(Reason::RequestMalformed.sentence()),
            Ok(request) if request.protocol != PROTOCOL_VERSION => {
                not_supported("client and daemon are of different versions")
            }
            Ok(request) => self.reply(request.request, descriptors).await,
        };
        let reply = SessionReply {
            protocol: PROTOCOL_VERSION,
            daemon_version: LARDER_VERSION.to_owned(),
            reply: Some(reply),
        };
        reply.encode_to_vec()
    }

    async fn reply(
        &self,
        request: Option<session_request::Request>,
        descriptors: Vec<OwnedFd>,
    ) -> session_reply::Reply {
        use session_request::Request;
        let (id, report) = match request {
            Some(Request::Start(start)) => return self.begin(&start, descriptors),
            Some(Request::Stats(asked)) => {
                let report = self.board.sessions().report(&asked.session);
                (asked.session, report)
            }
            Some(Request::End(asked)) => {
                let report = self.end(&asked.session).await;
                (asked.session, report)
            }
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

    fn begin(&self, start: &SessionStart, descriptors: Vec<OwnedFd>) -> session_reply::Reply {
        let owner = Owner { pid: start.owner_pid, start: start.owner_start };
        if !is_alive(owner) {
            return failure("the process that the session is to end with does not run");
        }
        let mut files = descriptors.into_iter();
        let journal = start.journal.then(|| journal::fit(files.next())).transpose();
        let log = start.log.then(|| journal::fit(files.next())).transpose();
        let journal = match (journal, log) {
            (Ok(None), Ok(None)) => None,
            (Ok(journal), Ok(log)) => match self.journals.open(journal, log) {
                Ok(opened) => Some(opened),
                Err(error) => return failure(&format!("failed to start a thread for journals: {error}")),
            },
            (Err(unfit), _) => return failure(&format!("failed to use the journal: {unfit}")),
            (_, Err(unfit)) => return failure(&format!("failed to use the log: {unfit}")),
        };
        let keep = Keep { command: start.command.clone(), journal, no_stats: start.no_stats };
        match self.board.sessions().start(owner, self.clock.unix_ns(), keep) {
            Some(session) => session_reply::Reply::Started(SessionStarted { session }),
            None => failure("too many sessions are open\nhint: larder session end ID"),
        }
    }

    /// Ends a session; its journal is complete then.
    async fn end(&self, id: &str) -> Option<SessionReport> {
        let sessions = self.board.sessions();
        let journal = sessions.journal_of(id);
        let mut report = sessions.end(id, self.clock.unix_ms())?;
        if let Some(journal) = journal {
            self.journals.written().await;
            report.lines_lost = journal.lost();
        }
        Some(report)
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
