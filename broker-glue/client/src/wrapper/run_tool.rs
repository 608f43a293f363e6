//! Running the tool with its streams forwarded as they come, and kept.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getpgrp, kill_process, setrlimit};
use rustix::termios::tcgetpgrp;
use rustix::time::{ClockId, clock_gettime};
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::streams::{self, ErrorStream, Kept};
use super::{ToolCall, call};
use crate::script;

/// How long streams may stay open after the tool has ended, held by processes it left behind.
const AFTER_EXIT: Duration = Duration::from_millis(500);

/// A finished run.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    /// What it wrote, up to one byte more than is ever stored.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// Both streams were read to their end.
    pub(crate) complete: bool,
    /// Coarse clock before the start: the clock that files are stamped with.
    pub(crate) started_unix_ns: u64,
    pub(crate) tool_us: u64,
}

/// What the tool's streams are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    /// Standard input is the caller's.
    Callers,
    /// Standard input is empty.
    NoInput,
    /// The same, and both outputs are one stream, as the caller's are: what is kept of it is in order.
    NoInputOneOutput,
}

/// Runs the tool. Limits, job server and every other descriptor are the caller's.
///
/// # Errors
/// When the tool could not be started; nothing has happened then.
pub(crate) fn run(
    runtime: &Runtime,
    call: &ToolCall,
    tool: &OsStr,
    args: &[OsString],
    streams: Streams,
) -> io::Result<Ran> {
    runtime.block_on(async {
        let one = streams == Streams::NoInputOneOutput;
        let error_stream = if one { ErrorStream::of_both()? } else { ErrorStream::new()? };
        // Signals that are sent to this process alone are meant for the tool.
        let mut forwarded = Forwarded::listen()?;
        let started_unix_ns = file_time_ns();
        let started = Instant::now();
        let mut child = script::start(tool, &call.name, args, |command| {
            let mut command = Command::from(command);
            command.stderr(error_stream.stdio()?);
            command.stdout(if one { error_stream.stdio()? } else { Stdio::piped() });
            if streams != Streams::Callers {
                command.stdin(Stdio::null());
            }
            command.spawn()
        })?;
        let stdout = child.stdout.take();
        let stdout = tokio::spawn(async move {
            match stdout {
                Some(stdout) => streams::forward(stdout, io::stdout()).await,
                None => Kept::nothing(),
            }
        });
        let stderr = tokio::spawn(error_stream.forward(child.stderr.take()));
        let status = forwarded.wait(&mut child).await?;
        let tool_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let (stdout, out_complete) = streams::finish(stdout, AFTER_EXIT).await;
        let (stderr, err_complete) = streams::finish(stderr, AFTER_EXIT).await;
        Ok(Ran { status, stdout, stderr, complete: out_complete && err_complete, started_unix_ns, tool_us })
    })
}

/// Runs the tool again to learn what it read; its streams are closed. Whether it succeeded.
pub(super) fn discover(tool: &OsStr, name: &OsStr, args: &[Vec<u8>]) -> bool {
    use std::os::unix::process::CommandExt as _;
    std::process::Command::new(tool)
        .arg0(name)
        .args(args.iter().map(|arg| call::os(arg)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The signals that end a build.
pub(crate) struct Forwarded {
    terminate: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    quit: tokio::signal::unix::Signal,
}

impl Forwarded {
    /// Takes them from now on. Within a runtime.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for `child`, and passes on what arrives meanwhile. What a person types on the terminal has reached the child
    /// already.
    pub(crate) async fn wait(&mut self, child: &mut Child) -> io::Result<ExitStatus> {
        loop {
            let arrived = tokio::select! {
                status = child.wait() => return status,
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.hang_up.recv() => Signal::HUP,
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.quit.recv() => Signal::QUIT,
            };
            if matches!(arrived, Signal::INT | Signal::QUIT) && is_in_foreground() {
                continue;
            }
            if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
                // It may have ended by itself in the meantime.
                let _ = kill_process(pid, arrived);
            }
        }
    }
}

/// Whether this process, and with it its child, is of the process group that the terminal sends its signals to.
fn is_in_foreground() -> bool {
    let terminal = std::fs::File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp()))
}

/// Exit code as a shell counts: 128 + N when signal N ended the tool.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1)
}

/// Ends this process as the tool ended, by the same signal if need be.
pub(crate) fn exit_as(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        // The tool has left its core already; a second one would be of larder.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        die_of(signal);
    }
    ExitCode::from(u8::try_from(exit_code(status)).unwrap_or(1))
}

fn die_of(signal: i32) {
    let Some(signal) = Signal::from_named_raw(signal) else { return };
    // A handler that tokio has installed would swallow the signal: a shell, whose handlers are the default ones,
    // sends it to itself in this process's place.
    use std::os::unix::process::CommandExt as _;
    let _ =
        std::process::Command::new("/bin/sh").args(["-c", &format!("kill -{} $$", signal.as_raw())]).exec();
}

/// The time as the kernel stamps files with it, nanoseconds since the Unix epoch.
pub(crate) fn file_time_ns() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::RealtimeCoarse;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Realtime;
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}
