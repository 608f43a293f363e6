//! One connection to the broker's socket: one frame, one answer.

use std::sync::Arc;
use std::time::Duration;

use larder_proto::lane::{BROKER_PAGE, HTTP_READY};
use running_process::broker::protocol::{
    ADMIN_PAYLOAD_PROTOCOL, ErrorCode, Frame, FramingError, MAX_HELLO_BYTES, encode_framed, try_decode_framed,
};
use running_process::broker::server::PeerIdentity;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::broker::Broker;
use crate::{admin, hello, http_ready};

/// How long a client may take to send its frame, and again to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);

const HEADER_BYTES: usize = 5;

/// Why a connection ended without an answer that was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// The bytes are no frame.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The socket failed, or the peer hung up.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The peer neither sent nor took bytes for [`PATIENCE`].
    #[error("the peer was silent for {} s", PATIENCE.as_secs())]
    Silent,
}

/// Serves `stream`, whose peer has been checked to be this user's.
///
/// # Errors
/// When the peer hangs, hangs up, or talks something else. That ends this connection and nothing else.
pub(crate) async fn serve(
    broker: &Arc<Broker>,
    mut stream: UnixStream,
    peer: PeerIdentity,
) -> Result<(), ConnectionError> {
    let request = match timeout(PATIENCE, receive(&mut stream)).await {
        Err(_) => return Err(ConnectionError::Silent),
        Ok(Ok(Some(request))) => request,
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(ConnectionError::Framing(error))) => {
            let reply = hello::refused(code(&error), format!("no frame that this broker takes: {error}"));
            send(&mut stream, &hello::frame(None, &reply)).await?;
            return Err(error.into());
        }
        Ok(Err(error)) => return Err(error),
    };
    let (answer, stop) = answer(broker, request, &peer).await;
    let sent = send(&mut stream, &answer).await;
    if stop {
        tracing::info!(pid = peer.pid, "told to end by an admin frame");
        broker.stop();
    }
    sent
}

async fn answer(broker: &Arc<Broker>, request: Frame, peer: &PeerIdentity) -> (Frame, bool) {
    match request.payload_protocol {
        ADMIN_PAYLOAD_PROTOCOL => admin::answer(broker, request.clone()).unwrap_or_else(|error| {
            let reply = hello::refused(ErrorCode::ErrorPeerRejected, error.to_string());
            (hello::frame(Some(&request), &reply), false)
        }),
        id if id == HTTP_READY.0 => (http_ready::take(broker, &request, peer).await, false),
        id if id == BROKER_PAGE.0 => (http_ready::endpoint(broker, &request), false),
        _ => {
            let reply = hello::answer(broker, &request, peer).await;
            (hello::frame(Some(&request), &reply), false)
        }
    }
}

/// Reads one frame; `None` when the peer hangs up without having sent anything.
async fn receive(stream: &mut UnixStream) -> Result<Option<Frame>, ConnectionError> {
    let mut buffer = Vec::with_capacity(1024);
    loop {
        if let Some(frame) = first_frame(&buffer)? {
            return Ok(Some(frame));
        }
        if stream.read_buf(&mut buffer).await? == 0 {
            return if buffer.is_empty() {
                Ok(None)
            } else {
                Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into())
            };
        }
    }
}

/// The frame that `buffer` begins with; `None` while it is incomplete.
fn first_frame(buffer: &[u8]) -> Result<Option<Frame>, FramingError> {
    if let Some(&[a, b, c, d]) = buffer.get(1..HEADER_BYTES).and_then(|bytes| bytes.first_chunk()) {
        let body_length = u32::from_le_bytes([a, b, c, d]) as usize;
        // The library's own limit is for what daemons exchange; nothing that a broker takes is that large.
        if buffer[0] == 1 && body_length > MAX_HELLO_BYTES {
            return Err(FramingError::FrameTooLarge { body_length, cap: MAX_HELLO_BYTES });
        }
    }
    Ok(try_decode_framed(buffer)?.map(|decoded| decoded.frame))
}

fn code(error: &FramingError) -> ErrorCode {
    match error {
        FramingError::UnsupportedFramingVersion { .. } => ErrorCode::ErrorVersionUnsupported,
        _ => ErrorCode::ErrorPeerRejected,
    }
}

async fn send(stream: &mut UnixStream, frame: &Frame) -> Result<(), ConnectionError> {
    let bytes = encode_framed(frame)?;
    let write = async {
        stream.write_all(&bytes).await?;
        stream.shutdown().await
    };
    Ok(timeout(PATIENCE, write).await.map_err(|_| ConnectionError::Silent)??)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_frame_that_is_too_large_is_refused_by_its_header() {
        let mut header = vec![1];
        header.extend_from_slice(&(MAX_HELLO_BYTES as u32 + 1).to_le_bytes());
        assert!(matches!(first_frame(&header), Err(FramingError::FrameTooLarge { .. })));
        assert!(matches!(first_frame(&header[..4]), Ok(None)));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = first_frame(&bytes);
        }

        #[test]
        fn a_frame_is_read_back_and_never_before_it_is_complete(payload in prop::collection::vec(any::<u8>(), 0..64), id: u64) {
            let frame = Frame::request(HTTP_READY.0, payload).with_request_id(id);
            let bytes = encode_framed(&frame).expect("small");
            for end in 0..bytes.len() {
                prop_assert!(matches!(first_frame(&bytes[..end]), Ok(None)));
            }
            prop_assert_eq!(first_frame(&bytes).expect("a frame"), Some(frame));
        }
    }
}
