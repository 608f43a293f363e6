//! What backends tell: the port of their page. And what anyone may ask: the port of the broker's.

use std::sync::Arc;
use std::time::Duration;

use larder_proto::lane::{BROKER_PAGE, HTTP_READY, Lane};
use running_process::broker::get_http_endpoint_dispatch::{BrokerHttpEndpoint, decode_request_and_dispatch};
use running_process::broker::protocol::{ErrorCode, Frame, FrameKind, PROTOCOL_VERSION};
use running_process::broker::server::PeerIdentity;
use tokio::time::{Instant, timeout_at};

use crate::broker::Broker;
use crate::hello;

/// How long a daemon that this broker is launching may wait to be known. The daemon waits a second longer.
const LIMIT: Duration = Duration::from_secs(2);

/// A launch whose end was missed is noticed after this.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Takes a `BackendHttpReady`. Whose page it is comes from the socket's peer, never from the message.
pub(crate) async fn take(broker: &Arc<Broker>, request: &Frame, peer: &PeerIdentity) -> Frame {
    if request.kind != FrameKind::Request as i32 {
        return refuse(request, "a BackendHttpReady is a request");
    }
    let Some(id) = identify(broker, peer.pid).await else {
        tracing::warn!(pid = peer.pid, "refused the page of a process that is no backend");
        return refuse(request, "the sender is no backend of this broker");
    };
    match broker.pages.take(id.clone(), &request.payload) {
        Ok(port) => {
            tracing::info!(backend = id, port, "a backend has told its page");
            answer(HTTP_READY, request, Vec::new())
        }
        Err(error) => refuse(request, &error.to_string()),
    }
}

/// The backend whose process is `pid`: registered, or running since before this broker, or being launched now.
async fn identify(broker: &Arc<Broker>, pid: u32) -> Option<String> {
    let deadline = Instant::now() + LIMIT;
    let mut looked = false;
    loop {
        let routed = broker.routed.notified();
        tokio::pin!(routed);
        routed.as_mut().enable();
        if let Some(id) = broker.id_of(pid) {
            return Some(id);
        }
        if !broker.reaper.knows(pid) {
            if looked {
                return None;
            }
            let searching = Arc::clone(broker);
            tokio::task::spawn_blocking(move || searching.find_again()).await.ok()?;
            looked = true;
            continue;
        }
        if Instant::now() >= deadline {
            return None;
        }
        let _ = timeout_at(deadline.min(Instant::now() + LOOK_AGAIN), routed).await;
    }
}

/// Answers a `GetBrokerHttpEndpointRequest`.
pub(crate) fn endpoint(broker: &Broker, request: &Frame) -> Frame {
    let Some(port) = broker.page.get() else { return refuse(request, "this broker has no page") };
    let endpoint = BrokerHttpEndpoint { port: *port, pid: std::process::id() };
    match decode_request_and_dispatch(&request.payload, endpoint) {
        Ok(payload) => answer(BROKER_PAGE, request, payload),
        Err(error) => refuse(request, &error.to_string()),
    }
}

fn answer(lane: Lane, request: &Frame, payload: Vec<u8>) -> Frame {
    Frame {
        envelope_version: PROTOCOL_VERSION,
        kind: FrameKind::Response as i32,
        payload_protocol: lane.0,
        payload,
        request_id: request.request_id,
        ..Frame::default()
    }
}

/// As the stock brokers refuse a frame that they do not take: on the control protocol.
fn refuse(request: &Frame, reason: &str) -> Frame {
    hello::frame(Some(request), &hello::refused(ErrorCode::ErrorPeerRejected, reason))
}
