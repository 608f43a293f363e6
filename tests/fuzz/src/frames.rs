//! Frames: what a daemon sends, in packets of the length that the first byte says.

use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use larder_glue::wire::Wire;
use larder_proto::lane;
use running_process::broker::protocol::{FrameKind, try_decode_framed};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// The reply is the one that the bytes have, however they are cut into packets.
pub fn check(bytes: &[u8]) {
    // What is sent at once on such a socket is also read at once, and apart from what follows.
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let (ours, theirs) = pair.expect("a socket pair");
    let theirs = UnixStream::from(theirs);
    let mut wire = Wire::new(ours).expect("the peer is this user");
    let (first, rest) = bytes.split_first().map_or((1, bytes), |(first, rest)| (*first, rest));
    // The socket takes only so many packets before someone reads.
    for packet in rest.chunks(usize::from(first).max(rest.len() / 50 + 1)) {
        std::io::Write::write_all(&mut &theirs, packet).expect("the buffer takes it");
    }
    theirs.shutdown(Shutdown::Write).expect("it is connected");
    let reply = wire.request(lane::COMPILE, Vec::new()).ok();
    assert_eq!(reply, first_reply(rest));
}

/// The payload of the first frame that answers the first request.
fn first_reply(mut bytes: &[u8]) -> Option<Vec<u8>> {
    loop {
        let decoded = try_decode_framed(bytes).ok()??;
        bytes = &bytes[decoded.consumed..];
        let frame = decoded.frame;
        if frame.request_id == 1 && frame.kind == FrameKind::Response as i32 {
            return Some(frame.payload);
        }
    }
}
