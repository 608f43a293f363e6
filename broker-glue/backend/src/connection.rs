//! One client's connection: frames in, replies out, in order.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use larder_glue::wire::{MOST_DESCRIPTORS, SIGN_OF_LIFE};
use larder_proto::MAX_MESSAGE_BYTES;
use larder_proto::lane::Lane;
use larder_service::{Connection, ConnectionId};
use running_process::broker::backend_sdk::{BackendEndpointMux, LegacyClassification, MuxError, MuxPoll};
use running_process::broker::protocol::validate::{FrameValidationError, validate_frame_envelope};
use running_process::broker::protocol::{
    FRAME_HEADER_BYTES, Frame, FrameKind, FramingError, encode_framed, try_decode_framed,
};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::UnixStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at};

use crate::control;
use crate::lanes::Lanes;
use crate::lifecycle::{Connected, Lifecycle};

/// Room for the envelope around a message of the largest size.
const ENVELOPE_BYTES: usize = 64 * 1024;

/// Most bytes of a connection that are held in memory before they are answered.
const BUFFER_LIMIT: usize = FRAME_HEADER_BYTES + MAX_MESSAGE_BYTES + ENVELOPE_BYTES;

/// Bytes read at once.
const CHUNK: usize = 16 * 1024;

/// How long the rest of a begun frame may take to come, and a reply to be taken.
const PATIENCE: Duration = Duration::from_secs(30);

/// The endpoint's frame classifier. larder has no wire of its own beside the frames.
pub(crate) type Mux = BackendEndpointMux<fn(&[u8]) -> LegacyClassification>;

/// What all connections share.
pub(crate) struct Endpoint {
    pub(crate) mux: Mux,
    pub(crate) lanes: Lanes,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) patience: Duration,
}

impl Endpoint {
    /// The endpoint whose probes `mux` answers and whose requests go to `lanes`.
    pub(crate) fn new(mux: Mux, lanes: Lanes, lifecycle: Arc<Lifecycle>) -> Arc<Self> {
        Arc::new(Self { mux, lanes, lifecycle, patience: PATIENCE })
    }
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The peer closed it, or the daemon drains.
    #[error("the peer is gone")]
    Gone,
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Mux(#[from] MuxError),
    #[error("a reply cannot be framed: {0}")]
    Framing(#[from] FramingError),
    #[error("the bytes are no frame")]
    NoFrame,
    #[error("a frame of {0} bytes is larger than {MAX_MESSAGE_BYTES}")]
    TooLarge(usize),
    #[error("the frame's envelope is not a request's: {0:?}")]
    Envelope(FrameValidationError),
    #[error("a begun frame was not finished in time")]
    HalfFrame,
    #[error("a reply was not taken in time")]
    NotTaken,
}

/// Serves `stream` until either side ends it.
pub(crate) async fn serve(stream: UnixStream, peer_pid: u32, connected: Connected, endpoint: Arc<Endpoint>) {
    let connection = Connection { id: connected.id, peer_pid };
    let closing = Closing { lanes: &endpoint.lanes, id: connection.id };
    let mut session = Session { stream, received: Received::default(), connection, connected: &connected };
    match session.run(&endpoint).await {
        Ok(()) | Err(End::Gone) => {}
        Err(end) => tracing::warn!(connection = connected.id, peer_pid, "closing a connection: {end}"),
    }
    drop(session);
    drop(closing);
}

/// Tells the services exactly once, also when this connection's task is dropped.
struct Closing<'a> {
    lanes: &'a Lanes,
    id: ConnectionId,
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.lanes.closed(self.id);
    }
}

/// What has come and is not answered yet.
#[derive(Default)]
struct Received {
    buffer: Vec<u8>,
    /// What came along with the bytes; whichever request is answered next takes them.
    descriptors: Vec<OwnedFd>,
}

struct Session<'a> {
    stream: UnixStream,
    received: Received,
    connection: Connection,
    connected: &'a Connected,
}

impl Session<'_> {
    async fn run(&mut self, endpoint: &Arc<Endpoint>) -> Result<(), End> {
        loop {
            match self.next(endpoint)? {
                Next::Read => self.read(endpoint).await?,
                Next::Reply(bytes) => self.write(&bytes, endpoint.patience).await?,
                Next::Answer(frame) => self.answer(endpoint, frame).await?,
                Next::Refuse(frame, error) => {
                    let reply = Frame::response_to(&frame, control::unserved(frame.payload_protocol));
                    self.write(&encode_framed(&reply)?, endpoint.patience).await?;
                    return Err(error.into());
                }
            }
        }
    }

    /// What the bytes that are here ask for.
    fn next(&mut self, endpoint: &Endpoint) -> Result<Next, End> {
        // The size is judged from the header: a frame that is too large is never held in memory.
        if let [_, a, b, c, d, ..] = self.received.buffer[..] {
            let length = u32::from_le_bytes([a, b, c, d]) as usize;
            if length > MAX_MESSAGE_BYTES + ENVELOPE_BYTES {
                return Err(End::TooLarge(length));
            }
        }
        match endpoint.mux.poll(&self.received.buffer) {
            Ok(MuxPoll::NeedMoreBytes) => Ok(Next::Read),
            Ok(MuxPoll::Legacy) => Err(End::NoFrame),
            Ok(MuxPoll::ProbeAnswered { reply, consumed }) => {
                self.received.buffer.drain(..consumed);
                Ok(Next::Reply(reply))
            }
            Ok(MuxPoll::Payload { frame, consumed }) => {
                self.received.buffer.drain(..consumed);
                validate_frame_envelope(&frame, FrameKind::Request, frame.payload_protocol)
                    .map_err(End::Envelope)?;
                if frame.payload.len() > MAX_MESSAGE_BYTES {
                    return Err(End::TooLarge(frame.payload.len()));
                }
                Ok(Next::Answer(frame))
            }
            Err(error @ MuxError::UnservedPayloadProtocol { .. }) => {
                match try_decode_framed(&self.received.buffer) {
                    Ok(Some(decoded)) => Ok(Next::Refuse(decoded.frame, error)),
                    _ => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads more: for ever between frames, until the daemon drains; for a bounded time within one.
    async fn read(&mut self, endpoint: &Endpoint) -> Result<(), End> {
        if self.received.buffer.is_empty() {
            return tokio::select! {
                biased;
                _ = endpoint.lifecycle.drain_asked() => Err(End::Gone),
                more = more(&mut self.stream, &mut self.received) => more,
            };
        }
        let deadline = Instant::now() + endpoint.patience;
        let rest = async {
            loop {
                more(&mut self.stream, &mut self.received).await?;
                if !matches!(endpoint.mux.poll(&self.received.buffer), Ok(MuxPoll::NeedMoreBytes)) {
                    return Ok(());
                }
            }
        };
        tokio::select! {
            biased;
            _ = endpoint.lifecycle.drain_asked() => Err(End::Gone),
            rest = timeout_at(deadline, rest) => rest.unwrap_or(Err(End::HalfFrame)),
        }
    }

    /// Runs one request, shows signs of life meanwhile, and sends its reply.
    async fn answer(&mut self, endpoint: &Arc<Endpoint>, mut frame: Frame) -> Result<(), End> {
        let _running = self.connected.request();
        let lane = Lane(frame.payload_protocol);
        let payload = std::mem::take(&mut frame.payload);
        let mut life = Frame::response_to(&frame, Vec::new());
        life.kind = FrameKind::Event as i32;
        let life = encode_framed(&life)?;
        let descriptors = std::mem::take(&mut self.received.descriptors);
        let request = (payload, descriptors);
        let mut call = Call::start(Arc::clone(endpoint), self.connection.clone(), lane, request);
        let mut beat = interval_at(Instant::now() + SIGN_OF_LIFE, SIGN_OF_LIFE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reply = loop {
            let room = self.received.buffer.len() < BUFFER_LIMIT;
            let ended = tokio::select! {
                biased;
                reply = &mut call.0 => break reply.unwrap_or_else(|_| endpoint.lanes.panicked(lane)),
                _ = beat.tick() => write(&mut self.stream, &life, endpoint.patience).await,
                more = more(&mut self.stream, &mut self.received), if room => more,
            };
            if let Err(end) = ended {
                // The call must be gone before the services hear that the connection is.
                call.cancel().await;
                return Err(end);
            }
        };
        self.write(&encode_framed(&Frame::response_to(&frame, reply))?, endpoint.patience).await
    }

    async fn write(&mut self, bytes: &[u8], patience: Duration) -> Result<(), End> {
        write(&mut self.stream, bytes, patience).await
    }
}

enum Next {
    Read,
    Reply(Vec<u8>),
    Answer(Frame),
    Refuse(Frame, MuxError),
}

async fn more(stream: &mut UnixStream, received: &mut Received) -> Result<(), End> {
    match stream.async_io(Interest::READABLE, || receive(stream, received)).await {
        Ok(0) => Err(End::Gone),
        Ok(_) => Ok(()),
        Err(error) if is_gone(&error) => Err(End::Gone),
        Err(error) => Err(error.into()),
    }
}

async fn write(stream: &mut UnixStream, bytes: &[u8], patience: Duration) -> Result<(), End> {
    match timeout(patience, stream.write_all(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) if is_gone(&error) => Err(End::Gone),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(End::NotTaken),
    }
}

/// Reads what is there; how many bytes.
fn receive(stream: &UnixStream, received: &mut Received) -> io::Result<usize> {
    let mut chunk = [0; CHUNK];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(stream, &mut [IoSliceMut::new(&mut chunk)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    received.buffer.extend_from_slice(&chunk[..message.bytes]);
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            // One that nobody can have asked for is closed at once.
            let room = MOST_DESCRIPTORS - received.descriptors.len();
            received.descriptors.extend(descriptors.take(room));
        }
    }
    Ok(message.bytes)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}

/// A request's call, in a task of its own: a panic ends only that, and signs of life go on while it computes.
struct Call(JoinHandle<Vec<u8>>);

impl Call {
    fn start(
        endpoint: Arc<Endpoint>,
        connection: Connection,
        lane: Lane,
        (request, descriptors): (Vec<u8>, Vec<OwnedFd>),
    ) -> Self {
        Self(tokio::spawn(async move { endpoint.lanes.call(&connection, lane, &request, descriptors).await }))
    }

    /// Drops the call's future; returns when that has been done.
    async fn cancel(&mut self) {
        self.0.abort();
        let _ = (&mut self.0).await;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests;
