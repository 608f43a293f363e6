//! The control lane: ping, status, statistics and their beginning anew, shutdown.

use std::sync::Arc;
use std::time::Duration;

use larder_proto::v1::{
    ControlReply, ControlRequest, Failure, NotSupported, Pong, ShutdownAccepted, ShutdownRequest, Stats,
    StatsZeroed, control_reply, control_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use larder_service::{Figures, Reason};
use prost::Message as _;

use crate::lifecycle::{DRAIN_LIMIT, Lifecycle};

/// Most records that one reply carries.
const MAX_RECORDS: u32 = 1000;

/// Figures whose counts can begin anew.
pub(crate) trait Counted: Figures {
    /// Begins them anew; what they were, with at most `records` of the latest records.
    fn begin_anew(&self, records: usize) -> Stats;
}

/// Answers control requests.
pub(crate) struct Control {
    figures: Arc<dyn Counted>,
    lifecycle: Arc<Lifecycle>,
}

impl Control {
    /// Answers from `figures`, and ends `lifecycle` on request.
    pub(crate) fn new(figures: Arc<dyn Counted>, lifecycle: Arc<Lifecycle>) -> Self {
        Self { figures, lifecycle }
    }

    /// The reply to one request, whatever its bytes.
    pub(crate) fn answer(&self, request: &[u8]) -> Vec<u8> {
        let reply = match ControlRequest::decode(request) {
            Ok(request) => self.reply(request),
            Err(_) => failure(Reason::RequestMalformed, Reason::RequestMalformed.sentence()),
        };
        self::reply(reply)
    }

    fn reply(&self, request: ControlRequest) -> control_reply::Reply {
        use control_request::Request;
        let spoken = request.protocol == PROTOCOL_VERSION;
        match request.request {
            // A peer of another version is still told the status, and can still end this daemon.
            Some(Request::Status(_)) => control_reply::Reply::Status(Box::new(self.figures.status())),
            Some(Request::Shutdown(shutdown)) => self.shutdown(&shutdown),
            Some(Request::Ping(_)) if spoken => control_reply::Reply::Pong(Pong {}),
            Some(Request::Stats(stats)) if spoken => {
                control_reply::Reply::Stats(self.figures.stats(records(stats.records)))
            }
            Some(Request::ZeroStats(zero)) if spoken => {
                let before = Some(self.figures.begin_anew(records(zero.records)));
                control_reply::Reply::Zeroed(StatsZeroed { before })
            }
            _ if spoken => not_supported("this daemon does not know the request".to_owned()),
            _ => not_supported(format!(
                "this daemon speaks version {PROTOCOL_VERSION} of the protocol, and the request is of version {}",
                request.protocol
            )),
        }
    }

    fn shutdown(&self, request: &ShutdownRequest) -> control_reply::Reply {
        let limit = match request.drain_seconds {
            0 => DRAIN_LIMIT,
            seconds => Duration::from_secs(seconds.into()),
        };
        tracing::info!("asked to shut down");
        self.lifecycle.drain(limit);
        control_reply::Reply::Shutdown(ShutdownAccepted { pid: std::process::id() })
    }
}

/// How many records a peer is sent that asks for `asked`.
pub(crate) fn records(asked: u32) -> usize {
    usize::try_from(asked.min(MAX_RECORDS)).unwrap_or(0)
}

pub(crate) fn not_supported(sentence: String) -> control_reply::Reply {
    control_reply::Reply::NotSupported(NotSupported { sentence, daemon_speaks: PROTOCOL_VERSION })
}

/// What was asked for and could not be done.
pub(crate) fn failure(reason: Reason, sentence: &str) -> control_reply::Reply {
    control_reply::Reply::Failure(Failure { id: reason.id().to_owned(), sentence: sentence.to_owned() })
}

/// The request in `request`, where it is one that may wait for a disk, of a peer that speaks this daemon's protocol.
/// All others are answered at once.
pub(crate) fn slow(request: &[u8]) -> Option<control_request::Request> {
    use control_request::Request;
    let request = ControlRequest::decode(request).ok()?;
    let request = request.request.filter(|_| request.protocol == PROTOCOL_VERSION)?;
    matches!(request, Request::Clear(_) | Request::Report(_)).then_some(request)
}

/// The answer to a request on a lane that nobody serves.
pub(crate) fn unserved(lane: u32) -> Vec<u8> {
    reply(not_supported(format!("this daemon serves no lane {lane:#06x}")))
}

/// The bytes of a reply on the control lane.
pub(crate) fn reply(reply: control_reply::Reply) -> Vec<u8> {
    ControlReply { protocol: PROTOCOL_VERSION, daemon_version: LARDER_VERSION.to_owned(), reply: Some(reply) }
        .encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::v1::{Ping, StatsRequest, Status, StatusRequest, ZeroStatsRequest};
    use larder_service::SystemClock;
    use proptest::prelude::*;

    struct Fixed;

    impl Figures for Fixed {
        fn status(&self) -> Status {
            Status { pid: 7, ..Status::default() }
        }
        fn stats(&self, records: usize) -> Stats {
            Stats { since_unix_ms: records as u64, ..Stats::default() }
        }
    }

    impl Counted for Fixed {
        fn begin_anew(&self, records: usize) -> Stats {
            self.stats(records + 7)
        }
    }

    fn control() -> (Control, Arc<Lifecycle>) {
        let lifecycle = Lifecycle::new(Arc::new(SystemClock));
        (Control::new(Arc::new(Fixed), Arc::clone(&lifecycle)), lifecycle)
    }

    fn ask(control: &Control, protocol: u32, request: control_request::Request) -> control_reply::Reply {
        let request = ControlRequest { protocol, client_version: "9".to_owned(), request: Some(request) }
            .encode_to_vec();
        let reply = ControlReply::decode(control.answer(&request).as_slice()).expect("a reply");
        assert_eq!(reply.daemon_version, LARDER_VERSION);
        reply.reply.expect("not empty")
    }

    #[test]
    fn known_requests_are_answered() {
        use control_request::Request;
        let (control, _) = control();
        let ask = |request| ask(&control, PROTOCOL_VERSION, request);
        assert!(matches!(ask(Request::Ping(Ping {})), control_reply::Reply::Pong(_)));
        assert!(
            matches!(ask(Request::Status(StatusRequest {})), control_reply::Reply::Status(s) if s.pid == 7)
        );
        let many = ask(Request::Stats(StatsRequest { records: u32::MAX }));
        assert!(matches!(many, control_reply::Reply::Stats(s) if s.since_unix_ms == 1000));
        let anew = ask(Request::ZeroStats(ZeroStatsRequest { records: 2 }));
        let control_reply::Reply::Zeroed(anew) = anew else { panic!("{anew:?}") };
        assert_eq!(anew.before.map(|before| before.since_unix_ms), Some(9));
    }

    #[test]
    fn shutdown_drains_and_names_the_process_to_wait_for() {
        let (control, lifecycle) = control();
        let shutdown = control_request::Request::Shutdown(ShutdownRequest { drain_seconds: 2 });
        let reply = ask(&control, 99, shutdown);
        assert!(matches!(reply, control_reply::Reply::Shutdown(s) if s.pid == std::process::id()));
        assert!(lifecycle.is_draining());
    }

    #[test]
    fn another_protocol_gets_the_status_and_for_the_rest_what_this_daemon_speaks() {
        let (control, _) = control();
        let status = ask(&control, 99, control_request::Request::Status(StatusRequest {}));
        assert!(matches!(status, control_reply::Reply::Status(_)));
        let ping = ask(&control, 99, control_request::Request::Ping(Ping {}));
        assert!(
            matches!(ping, control_reply::Reply::NotSupported(no) if no.daemon_speaks == PROTOCOL_VERSION)
        );
    }

    #[test]
    fn an_unknown_request_is_not_supported_and_garbage_is_a_failure() {
        let (control, _) = control();
        let reply = |bytes: &[u8]| {
            ControlReply::decode(control.answer(bytes).as_slice()).expect("a reply").reply.expect("not empty")
        };
        let unknown = ControlRequest { protocol: PROTOCOL_VERSION, ..ControlRequest::default() };
        assert!(matches!(reply(&unknown.encode_to_vec()), control_reply::Reply::NotSupported(_)));
        assert!(
            matches!(reply(b"\xff\xff\xff"), control_reply::Reply::Failure(f) if f.id == "request_malformed")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_get_a_reply(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (control, _) = control();
            prop_assert!(ControlReply::decode(control.answer(&bytes).as_slice()).is_ok());
        }
    }
}
