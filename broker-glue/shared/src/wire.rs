//! Requests over a socket that a broker session handed out.
//!
//! One frame a request, one frame a reply, correlated by id. While the daemon works on a request it sends an empty
//! event frame of the same id now and then; silence for longer than [`SILENCE_LIMIT`] therefore means a daemon that
//! is stopped or stuck, however long the request itself may take.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use larder_proto::lane::Lane;
use running_process::broker::protocol::{Frame, FrameKind, FramingError, encode_framed, try_decode_framed};

/// How often a daemon sends a sign of life while it works on a request.
pub const SIGN_OF_LIFE: Duration = Duration::from_millis(100);

/// How long a client waits without a sign of life before it goes on alone. Ten signs must have been missed: a busy
/// machine is not a stopped daemon.
pub const SILENCE_LIMIT: Duration = Duration::from_millis(1000);

/// A connection to the daemon.
#[derive(Debug)]
pub struct Wire {
    stream: UnixStream,
    buffer: Vec<u8>,
    next_id: u64,
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
        stream.set_read_timeout(Some(SILENCE_LIMIT))?;
        stream.set_write_timeout(Some(SILENCE_LIMIT))?;
        Ok(Self { stream, buffer: Vec::new(), next_id: 1 })
    }

    /// Sends `payload` to `lane` and waits for the reply, for as long as the daemon shows signs of life.
    ///
    /// # Errors
    /// When the daemon is gone, silent, or answers with something that is no frame. The connection is then of no
    /// further use.
    pub fn request(&mut self, lane: Lane, payload: Vec<u8>) -> Result<Vec<u8>, WireError> {
        let id = self.next_id;
        self.next_id += 1;
        let frame = Frame::request(lane.0, payload).with_request_id(id);
        self.stream.write_all(&encode_framed(&frame)?).map_err(silent)?;
        loop {
            let frame = self.receive()?;
            if frame.request_id == id && frame.kind == FrameKind::Response as i32 {
                return Ok(frame.payload);
            }
        }
    }

    fn receive(&mut self) -> Result<Frame, WireError> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(decoded) = try_decode_framed(&self.buffer)? {
                self.buffer.drain(..decoded.consumed);
                return Ok(decoded.frame);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(silent(error)),
            }
        }
    }
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
    fn a_silent_peer_is_given_up_on() {
        let (mut wire, _peer) = pair();
        assert!(matches!(wire.request(lane::CONTROL, Vec::new()), Err(WireError::Silent)));
    }
}
