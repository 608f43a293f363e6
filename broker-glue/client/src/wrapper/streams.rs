//! The tool's streams: forwarded as they come, and kept.

use std::io::{self, IsTerminal as _, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::unix::pipe;
use tokio::process::ChildStderr;
use tokio::task::JoinHandle;

/// One byte more than the daemon stores of a stream: it then knows that there was more.
pub(crate) const KEPT: usize = 1024 * 1024 + 1;

/// Where the tool writes its diagnostics.
///
/// When the caller's standard error is a terminal, the tool gets a terminal as well, of the same size and without
/// any processing of what passes: colours, links and line widths are then what they would have been.
pub(super) struct ErrorStream {
    terminal: Option<(pipe::Receiver, OwnedFd)>,
    /// A pipe instead, read on our side, that takes both streams.
    both: Option<(pipe::Receiver, OwnedFd)>,
}

impl ErrorStream {
    /// Within a runtime.
    pub(super) fn new() -> io::Result<Self> {
        let terminal = if io::stderr().is_terminal() { Some(open_terminal()?) } else { None };
        Ok(Self { terminal, both: None })
    }

    /// One that takes standard output as well.
    pub(super) fn of_both() -> io::Result<Self> {
        let mut stream = Self::new()?;
        if stream.terminal.is_none() {
            let (ours, tools) = io::pipe()?;
            stream.both = Some((watched(ours.into())?, tools.into()));
        }
        Ok(stream)
    }

    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(match self.terminal.as_ref().or(self.both.as_ref()) {
            Some((_, tool_side)) => Stdio::from(tool_side.try_clone()?),
            None => Stdio::piped(),
        })
    }

    /// Forwards and keeps until the tool's end is closed everywhere.
    pub(super) async fn forward(self, pipe: Option<ChildStderr>) -> Kept {
        match (self.terminal.or(self.both), pipe) {
            (Some((our_side, tool_side)), _) => {
                // As long as this process holds it, the end never comes.
                drop(tool_side);
                forward(our_side, io::stderr()).await
            }
            (None, Some(pipe)) => forward(pipe, io::stderr()).await,
            (None, None) => Kept::nothing(),
        }
    }
}

/// What was kept of a stream.
pub(super) struct Kept {
    bytes: Vec<u8>,
    /// The stream was read to its end.
    whole: bool,
}

impl Kept {
    /// Of a stream that there is not.
    pub(super) fn nothing() -> Self {
        Self { bytes: Vec::new(), whole: true }
    }
}

/// Our own side of a terminal or pipe, which nobody else reads, and so may be read without waiting.
fn watched(side: OwnedFd) -> io::Result<pipe::Receiver> {
    rustix::io::ioctl_fionbio(&side, true)?;
    pipe::Receiver::from_owned_fd_unchecked(side)
}

fn open_terminal() -> io::Result<(pipe::Receiver, OwnedFd)> {
    let our_side = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&our_side)?;
    unlockpt(&our_side)?;
    let name = ptsname(&our_side, Vec::new())?;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let tool_side = rustix::fs::open(name, flags, rustix::fs::Mode::empty())?;
    let mut attributes = tcgetattr(&tool_side)?;
    attributes.make_raw();
    tcsetattr(&tool_side, OptionalActions::Now, &attributes)?;
    tcsetwinsize(&tool_side, tcgetwinsize(io::stderr())?)?;
    Ok((watched(our_side)?, tool_side))
}

/// Reads `from` to its end, writing all to `to` at once and keeping the first part.
pub(super) async fn forward(mut from: impl AsyncRead + Unpin, mut to: impl Write) -> Kept {
    let mut kept = Vec::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        match from.read(&mut chunk).await {
            Ok(0) => return Kept { bytes: kept, whole: true },
            Ok(count) => keep(&mut kept, &chunk[..count], &mut to),
            // A terminal whose other side is closed everywhere answers with an I/O error; a pipe never does.
            Err(error) => {
                let whole = rustix::io::Errno::from_io_error(&error) == Some(rustix::io::Errno::IO);
                return Kept { bytes: kept, whole };
            }
        }
    }
}

fn keep(kept: &mut Vec<u8>, bytes: &[u8], to: &mut impl Write) {
    // A reader that has gone away is the caller's affair; the tool goes on, as it would with larder's pipe.
    let _ = to.write_all(bytes).and_then(|()| to.flush());
    let room = KEPT.saturating_sub(kept.len());
    kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// What was kept, and whether the stream came to its end within `limit`.
pub(super) async fn finish(task: JoinHandle<Kept>, limit: Duration) -> (Vec<u8>, bool) {
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(kept)) => (kept.bytes, kept.whole),
        _ => (Vec::new(), false),
    }
}
