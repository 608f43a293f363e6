//! Telling the broker on which port the page is, and again whenever the broker is a new one.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larder_proto::lane::HTTP_READY;
use prost::Message as _;
use running_process::broker::protocol::{Frame, FrameKind, encode_framed, try_decode_framed};
use running_process::broker::protocol_v2::BackendHttpReady;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};

/// How often the broker is looked at, and tried again at first.
const INTERVAL: Duration = Duration::from_secs(2);

/// Longest pause between two tries. A stock broker refuses the frame each time, and its log should stay readable.
const LONGEST_PAUSE: Duration = Duration::from_secs(16);

/// How long the broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most bytes of an answer.
const ANSWER_LIMIT: usize = 64 * 1024;

const REQUEST_ID: u64 = 1;

/// Keeps the broker that listens on `socket` told that the page is on `port`, for as long as it is polled.
pub(crate) async fn keep_telling(socket: PathBuf, port: u16) {
    let mut told = None;
    let mut pause = INTERVAL;
    let mut seen = None;
    loop {
        let now = mark(&socket);
        if now != seen {
            pause = INTERVAL;
            seen = now;
        }
        if now.is_some() && told != now {
            match timeout(PATIENCE, tell(&socket, port)).await {
                Ok(Ok(())) => {
                    told = now;
                    pause = INTERVAL;
                    tracing::info!(port, "the broker knows the page");
                }
                Ok(Err(error)) => {
                    tracing::debug!("the broker does not take the page's port: {error}");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(_) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        }
        sleep(if told == now { INTERVAL } else { pause / 2 }).await;
    }
}

/// What tells one broker's socket from the next one's at the same path.
type Mark = (u64, u64, i64, i64);

fn mark(socket: &Path) -> Option<Mark> {
    let metadata = std::fs::metadata(socket).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

/// Tells the broker once; returns when it has acknowledged.
async fn tell(socket: &Path, port: u16) -> io::Result<()> {
    let ready = BackendHttpReady { port: port.into() };
    let frame = Frame::request(HTTP_READY.0, ready.encode_to_vec()).with_request_id(REQUEST_ID);
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(&encode_framed(&frame).map_err(io::Error::other)?).await?;
    let mut buffer = Vec::new();
    loop {
        if let Some(decoded) = try_decode_framed(&buffer).map_err(io::Error::other)? {
            return acknowledged(&decoded.frame);
        }
        if buffer.len() > ANSWER_LIMIT || stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::Error::other("the broker closed the connection"));
        }
    }
}

fn acknowledged(answer: &Frame) -> io::Result<()> {
    let fits = answer.request_id == REQUEST_ID
        && answer.kind == FrameKind::Response as i32
        && answer.payload_protocol == HTTP_READY.0;
    if fits { Ok(()) } else { Err(io::Error::other("the broker answers with another frame")) }
}
