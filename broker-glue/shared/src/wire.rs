//! Requests over a socket that a broker session handed out.
//!
//! One frame a request, one frame a reply, correlated by id. While the daemon works on a request it sends an empty
//! event frame of the same id now and then; silence for longer than [`SILENCE_LIMIT`] therefore means a daemon that
//! is stuck, however long the request itself may take. Whether it is stopped is asked of the kernel sooner.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_proto::SERVICE_NAME;
use larder_proto::lane::Lane;
use running_process::broker::backend_sdk::read_daemon_identity_file;
use running_process::broker::lifecycle::names_v2::daemon_identity_path;
use running_process::broker::protocol::{Frame, FrameKind, FramingError, encode_framed, try_decode_framed};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::process;

/// How often a daemon sends a sign of life while it works on a request.
pub const SIGN_OF_LIFE: Duration = Duration::from_millis(100);

/// How long a client waits without a sign of life before it goes on alone. Ten signs must have been missed: a busy
/// machine is not a stopped daemon.
pub const SILENCE_LIMIT: Duration = Duration::from_millis(1000);

/// Most descriptors that go along with one request.
pub const MOST_DESCRIPTORS: usize = 2;

/// How long a client waits before it looks whether the daemon is stopped.
const LOOK: Duration = Duration::from_millis(200);

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// A connection to the daemon.
#[derive(Debug)]
pub struct Wire {
    sender: WireSender,
    receiver: WireReceiver,
}

/// The half of a connection that sends requests.
#[derive(Debug)]
pub struct WireSender {
    stream: Arc<UnixStream>,
    next_id: u64,
}

/// The half of a connection that receives replies.
#[derive(Debug)]
pub struct WireReceiver {
    stream: Arc<UnixStream>,
    buffer: Vec<u8>,
    /// Room for one read.
    chunk: Vec<u8>,
}

/// What came from the daemon.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// The reply to the request of this id.
    Reply(u64, Vec<u8>),
    /// It is at work.
    Life,
    /// Nothing within [`SILENCE_LIMIT`]: as it should be while it was asked for nothing.
    Nothing,
}

/// A request did not get its reply.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed, or the peer closed it.
    #[error("failed to talk to the daemon")]
    Io(#[from] io::Error),
    /// The daemon gave no sign of life.
    #[error("failed to get an answer from the daemon: it has been silent for {} ms", SILENCE_LIMIT.as_millis())]
    Silent,
    /// A signal has stopped the daemon, and nothing will come until another one lets it go on.
    #[error("failed to get an answer from the daemon: its process {pid} is stopped")]
    Stopped {
        /// Its process id.
        pid: u32,
    },
    /// What came is no frame.
    #[error("failed to read the daemon's answer")]
    Framing(#[from] FramingError),
    /// The peer runs as another user.
    #[error("failed to trust the daemon: it runs as user {0}")]
    ForeignPeer(u32),
}

impl Wire {
    /// Talks over `socket`, whose peer must run as this user.
    ///
    /// # Errors
    /// When the peer is another user's, or the socket cannot be set up.
    pub fn new(socket: OwnedFd) -> Result<Self, WireError> {
        let peer = rustix::net::sockopt::socket_peercred(&socket).map_err(io::Error::from)?;
        if peer.uid != rustix::process::geteuid() {
            return Err(WireError::ForeignPeer(peer.uid.as_raw()));
        }
        let stream = UnixStream::from(socket);
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(SILENCE_LIMIT))?;
        let stream = Arc::new(stream);
        Ok(Self {
            sender: WireSender { stream: Arc::clone(&stream), next_id: 1 },
            receiver: WireReceiver { stream, buffer: Vec::new(), chunk: vec![0; CHUNK] },
        })
    }

    /// Sends `payload` to `lane` and waits for the reply, for as long as the daemon shows signs of life.
    ///
    /// # Errors
    /// When the daemon is gone, silent, or answers with something that is no frame. The connection is then of no
    /// further use.
    pub fn request(&mut self, lane: Lane, payload: Vec<u8>) -> Result<Vec<u8>, WireError> {
        self.ask(lane, payload, &[], Duration::MAX)
    }

    /// The same; `descriptors` go along, for the daemon to have as well. At most [`MOST_DESCRIPTORS`].
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn request_with(
        &mut self,
        lane: Lane,
        payload: Vec<u8>,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<Vec<u8>, WireError> {
        self.ask(lane, payload, descriptors, Duration::MAX)
    }

    /// The same, for `limit` at most whatever signs there are.
    ///
    /// # Errors
    /// As [`Self::request`]; [`WireError::Silent`] also when the limit has passed.
    pub fn request_within(
        &mut self,
        lane: Lane,
        payload: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, WireError> {
        self.ask(lane, payload, &[], limit)
    }

    fn ask(
        &mut self,
        lane: Lane,
        payload: Vec<u8>,
        descriptors: &[BorrowedFd<'_>],
        limit: Duration,
    ) -> Result<Vec<u8>, WireError> {
        let begun = Instant::now();
        let wanted = self.sender.next_id();
        self.sender.send_with(lane, payload, descriptors)?;
        loop {
            match self.receiver.receive()? {
                Received::Reply(id, payload) if id == wanted => return Ok(payload),
                Received::Reply(..) | Received::Life if begun.elapsed() < limit => {}
                Received::Reply(..) | Received::Life => return Err(WireError::Silent),
                Received::Nothing => return Err(WireError::Silent),
            }
        }
    }

    /// Both halves, for requests that do not wait for each other.
    #[must_use]
    pub fn split(self) -> (WireSender, WireReceiver) {
        (self.sender, self.receiver)
    }
}

impl WireSender {
    /// Id of the request that is sent next.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Sends `payload` to `lane`.
    ///
    /// # Errors
    /// When the daemon is gone, or takes nothing for [`SILENCE_LIMIT`]. The connection is then of no further use.
    pub fn send(&mut self, lane: Lane, payload: Vec<u8>) -> Result<(), WireError> {
        self.send_with(lane, payload, &[])
    }

    fn send_with(
        &mut self,
        lane: Lane,
        payload: Vec<u8>,
        descriptors: &[BorrowedFd<'_>],
    ) -> Result<(), WireError> {
        let frame = Frame::request(lane.0, payload).with_request_id(self.next_id);
        self.next_id += 1;
        let bytes = encode_framed(&frame)?;
        // Descriptors travel with the first bytes of their frame.
        let sent = if descriptors.is_empty() { 0 } else { self.hand_over(&bytes, descriptors)? };
        (&*self.stream).write_all(&bytes[sent..]).map_err(silent)
    }

    fn hand_over(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<usize, WireError> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        }
        let sent = sendmsg(&*self.stream, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL);
        sent.map_err(|error| silent(error.into()))
    }

    /// Ends the connection, for both halves.
    pub fn hang_up(&self) {
        // It may be gone already.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

impl WireReceiver {
    /// Waits for what comes next, for [`SILENCE_LIMIT`] at most.
    ///
    /// # Errors
    /// When the daemon is gone, or sends something that is no frame. The connection is then of no further use.
    pub fn receive(&mut self) -> Result<Received, WireError> {
        let begun = Instant::now();
        loop {
            if let Some(decoded) = try_decode_framed(&self.buffer)? {
                self.buffer.drain(..decoded.consumed);
                let frame = decoded.frame;
                let is_reply = frame.kind == FrameKind::Response as i32;
                return Ok(if is_reply {
                    Received::Reply(frame.request_id, frame.payload)
                } else {
                    Received::Life
                });
            }
            match (&*self.stream).read(&mut self.chunk) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => self.buffer.extend_from_slice(&self.chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => match silent(error) {
                    WireError::Silent => {
                        if let Some(pid) = stopped_peer(&self.stream) {
                            return Err(WireError::Stopped { pid });
                        }
                        if begun.elapsed() >= SILENCE_LIMIT {
                            return Ok(Received::Nothing);
                        }
                    }
                    error => return Err(error),
                },
            }
        }
    }
}

/// The daemon that serves `stream`, where it is stopped. Its identity names it: the kernel names who made the socket,
/// which is the broker.
fn stopped_peer(stream: &UnixStream) -> Option<u32> {
    let address = stream.peer_addr().ok()?;
    let identity = read_daemon_identity_file(&daemon_identity_path(SERVICE_NAME))?;
    let same = address.as_pathname() == Some(Path::new(&identity.ipc_endpoint.path));
    (same && process::stat(identity.pid)?.stopped).then_some(identity.pid)
}

fn silent(error: io::Error) -> WireError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => WireError::Silent,
        _ => WireError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_proto::lane;

    fn pair() -> (Wire, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a socket pair");
        (Wire::new(ours.into()).expect("the peer is this user"), theirs)
    }

    fn read_frame(stream: &mut UnixStream) -> Frame {
        let mut buffer = Vec::new();
        loop {
            if let Some(decoded) = try_decode_framed(&buffer).expect("a frame") {
                return decoded.frame;
            }
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("the request");
            buffer.push(byte[0]);
        }
    }

    #[test]
    fn signs_of_life_are_passed_over_and_the_reply_is_returned() {
        let (mut wire, mut peer) = pair();
        let daemon = std::thread::spawn(move || {
            let request = read_frame(&mut peer);
            let mut event = Frame::response_to(&request, Vec::new());
            event.kind = FrameKind::Event as i32;
            for frame in [event, Frame::response_to(&request, b"done".to_vec())] {
                peer.write_all(&encode_framed(&frame).expect("small")).expect("the client reads");
            }
            request.payload_protocol
        });
        assert_eq!(wire.request(lane::CONTROL, b"ask".to_vec()).expect("a reply"), b"done");
        assert_eq!(daemon.join().expect("no panic"), lane::CONTROL.0);
    }

    #[test]
    fn a_peer_that_hangs_up_is_an_error_and_so_is_garbage() {
        let (mut wire, peer) = pair();
        drop(peer);
        assert!(matches!(wire.request(lane::CONTROL, Vec::new()), Err(WireError::Io(_))));
        let (mut wire, mut peer) = pair();
        peer.write_all(b"garbage").expect("the buffer takes it");
        assert!(matches!(wire.request(lane::CONTROL, Vec::new()), Err(WireError::Framing(_))));
    }

    #[test]
    fn replies_come_in_any_order_and_a_pause_is_no_failure() {
        let (wire, mut peer) = pair();
        let (mut sender, mut receiver) = wire.split();
        assert_eq!(receiver.receive().expect("nothing was asked"), Received::Nothing);
        for id in 1..=2 {
            assert_eq!(sender.next_id(), id);
            sender.send(lane::CONTROL, vec![7]).expect("room");
        }
        let first = read_frame(&mut peer);
        for request in [read_frame(&mut peer), first] {
            let reply = encode_framed(&Frame::response_to(&request, b"done".to_vec())).expect("small");
            peer.write_all(&reply).expect("room");
        }
        for id in [2, 1] {
            assert_eq!(receiver.receive().expect("a reply"), Received::Reply(id, b"done".to_vec()));
        }
        sender.hang_up();
        assert!(receiver.receive().is_err());
    }

    #[test]
    fn a_limit_holds_whatever_signs_of_life_there_are() {
        let (mut wire, mut peer) = pair();
        let mut event = Frame::response_to(&Frame::request(lane::CONTROL.0, Vec::new()), Vec::new());
        event.kind = FrameKind::Event as i32;
        peer.write_all(&encode_framed(&event).expect("small")).expect("room");
        let done = wire.request_within(lane::CONTROL, Vec::new(), Duration::ZERO);
        assert!(matches!(done, Err(WireError::Silent)));
    }

    #[test]
    fn a_silent_peer_is_given_up_on() {
        let (mut wire, _peer) = pair();
        assert!(matches!(wire.request(lane::CONTROL, Vec::new()), Err(WireError::Silent)));
    }
}
