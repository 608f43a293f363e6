//! `larder go`: what the go command runs as its `GOCACHEPROG`.
//!
//! Requests come on standard input and answers go to standard output; the work is the daemon's. Whatever happens to the
//! daemon, the go command gets its answers: an error in one of them, or the end of this process, would end the build.

mod ahead;
mod answer;
mod body;
mod connect;
mod link;
mod paths;
mod private;
pub mod request;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT};

use answer::Answers;
use body::{Body, Whole};
use link::Link;
use request::{Command, Garbage, Put, Reader};

/// Serves one go command to its end. Exit code 0: it has got all its answers; 1: what it asked made no sense.
#[must_use]
pub fn run() -> ExitCode {
    if io::stdin().is_terminal() {
        let hint = "larder: `larder go` is run by the go command\nhint: export GOCACHEPROG=\"larder go\"\n";
        let _ = io::stderr().write_all(hint.as_bytes());
        return ExitCode::from(2);
    }
    // They reach the whole process group, and the go command still waits for answers; it ends this process by closing
    // its input.
    for signal in [SIGINT, SIGQUIT, SIGHUP] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    // Fewer, longer reads: the go command writes bodies in pieces of 4 KiB.
    let _ = rustix::pipe::fcntl_setpipe_size(io::stdin(), PIPE_BYTES);
    let answers = Answers::default();
    answers.hello();
    let link = Link::start(answers);
    let mut reader = Reader::new(io::stdin());
    let ended = serve(&mut reader, &link);
    link.settle();
    let code = match ended {
        Ok(close) => {
            if let Some(id) = close {
                link.answers.closed(id);
            }
            ExitCode::SUCCESS
        }
        Err(garbage) => {
            let _ = writeln!(io::stderr(), "larder: {garbage}");
            ExitCode::FAILURE
        }
    };
    link.answers.end();
    link.finish();
    code
}

/// Room in the pipe from the go command.
const PIPE_BYTES: usize = 256 * 1024;

/// Answers requests until there are no more; the id of the one that says so.
fn serve(reader: &mut Reader<io::Stdin>, link: &Link) -> Result<Option<i128>, Garbage> {
    let mut bodies = 0;
    while let Some(request) = reader.request()? {
        match request.command {
            Command::Get(action) => link.get(request.id, &action),
            Command::Put(put) => {
                bodies += 1;
                match whole(reader, link, put, bodies)? {
                    Ok(whole) => link.put(request.id, whole),
                    Err(reason) => link.answers.refused(request.id, &reason),
                }
            }
            Command::Close => return Ok(Some(request.id)),
            Command::Unfit { reason, body } => {
                if body {
                    reader.body(|_| {})?;
                }
                link.answers.refused(request.id, &reason);
            }
        }
        if link.answers.is_gone() {
            break;
        }
    }
    Ok(None)
}

/// The body of `put`, in a file; or why it is refused.
fn whole(
    reader: &mut Reader<io::Stdin>,
    link: &Link,
    put: Put,
    number: u64,
) -> Result<Result<Whole, String>, Garbage> {
    if put.size == 0 {
        return Ok(Whole::empty(put));
    }
    let mut body = match Body::begin(link.staging().as_deref(), number, &link.own) {
        Ok(body) => body,
        Err(error) => {
            reader.body(|_| {})?;
            return Ok(Err(format!("failed to make a file for the body: {error}")));
        }
    };
    reader.body(|piece| body.take(piece, &link.own))?;
    Ok(body.end(put))
}
