//! A client's Hello: where is the daemon of this service?

use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use running_process::broker::capabilities::CAP_HANDLE_PASSING;
use running_process::broker::protocol::{
    CONTROL_PAYLOAD_PROTOCOL, ErrorCode, Frame, FrameKind, HelloReply, PROTOCOL_VERSION, PayloadEncoding,
    Refused, hello_reply,
};
use running_process::broker::server::PeerIdentity;
use tokio::time::{Instant, timeout_at};

use crate::broker::Broker;

/// How long a client waits for a launch that another one has begun. It is its own patience that ends first.
const LIMIT: Duration = Duration::from_secs(12);

/// A launch whose end was missed is noticed after this.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What the router says while it launches the same build for another client.
const IN_PROGRESS: &str = "backend spawn already in progress";

/// Answers `frame`. While another client's launch is under way it is asked again, so that all first clients are
/// served by the one daemon.
pub(crate) async fn answer(broker: &Arc<Broker>, frame: &Frame, peer: &PeerIdentity) -> HelloReply {
    let deadline = Instant::now() + LIMIT;
    loop {
        let routed = broker.routed.notified();
        tokio::pin!(routed);
        // Before asking: a launch that ends in between must not be missed.
        routed.as_mut().enable();
        let reply = ask(broker, frame.clone(), peer.clone()).await;
        if !is_in_progress(&reply) {
            broker.routed.notify_waiters();
            return without_handoff(reply);
        }
        if Instant::now() >= deadline {
            return reply;
        }
        let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), routed).await;
    }
}

async fn ask(broker: &Arc<Broker>, frame: Frame, peer: PeerIdentity) -> HelloReply {
    let broker = Arc::clone(broker);
    let asked = tokio::task::spawn_blocking(move || broker.route(frame, peer)).await;
    asked.unwrap_or_else(|error| {
        refused(ErrorCode::ErrorInternal, format!("failed to route the request: {error}"))
    })
}

fn is_in_progress(reply: &HelloReply) -> bool {
    matches!(&reply.result, Some(hello_reply::Result::Refused(refused)) if refused.reason == IN_PROGRESS)
}

/// The library promises to hand the connection over to the daemon; this host has clients dial the daemon instead.
fn without_handoff(mut reply: HelloReply) -> HelloReply {
    if let Some(hello_reply::Result::Negotiated(negotiated)) = &mut reply.result {
        negotiated.handle_passed_token.clear();
        negotiated.server_capabilities &= !CAP_HANDLE_PASSING;
    }
    reply
}

/// A refusal.
pub(crate) fn refused(code: ErrorCode, reason: impl Into<String>) -> HelloReply {
    HelloReply {
        result: Some(hello_reply::Result::Refused(Refused {
            reason: reason.into(),
            daemon_min_protocol: PROTOCOL_VERSION,
            daemon_max_protocol: PROTOCOL_VERSION,
            code: code as i32,
            ..Refused::default()
        })),
    }
}

/// The frame that carries `reply` to the sender of `request`; `None` where no request could be read.
pub(crate) fn frame(request: Option<&Frame>, reply: &HelloReply) -> Frame {
    let request = request.cloned().unwrap_or_default();
    Frame {
        envelope_version: PROTOCOL_VERSION,
        kind: FrameKind::Response as i32,
        payload_protocol: CONTROL_PAYLOAD_PROTOCOL,
        payload: reply.encode_to_vec(),
        request_id: request.request_id,
        payload_encoding: PayloadEncoding::None as i32,
        traceparent: request.traceparent,
        tracestate: request.tracestate,
        ..Frame::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use running_process::broker::protocol::Negotiated;

    #[test]
    fn only_a_launch_in_progress_is_asked_for_again() {
        assert!(is_in_progress(&refused(ErrorCode::ErrorRateLimited, IN_PROGRESS)));
        assert!(!is_in_progress(&refused(ErrorCode::ErrorRateLimited, "backend spawn budget exhausted")));
        assert!(!is_in_progress(&HelloReply::default()));
    }

    #[test]
    fn no_client_is_promised_a_handoff() {
        let reply = without_handoff(HelloReply {
            result: Some(hello_reply::Result::Negotiated(Negotiated {
                handle_passed_token: vec![1; 16],
                server_capabilities: CAP_HANDLE_PASSING | 1 << 40,
                ..Negotiated::default()
            })),
        });
        let Some(hello_reply::Result::Negotiated(negotiated)) = reply.result else {
            panic!("still negotiated")
        };
        assert!(negotiated.handle_passed_token.is_empty());
        assert_eq!(negotiated.server_capabilities, 1 << 40);
    }
}
