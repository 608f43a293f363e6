//! Runs a tool to ask it about itself: no input, bounded time, bounded output.

use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use larder_service::{Clock, Reason};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::args::Refusal;
use crate::environment::Environment;
use crate::paths;

/// How long a tool may take to answer.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Most bytes of either stream.
const MAX_OUTPUT: usize = 4 * 1024 * 1024;

/// One question.
pub(crate) struct Probe<'a> {
    pub(crate) program: &'a Path,
    pub(crate) argv0: &'a [u8],
    pub(crate) args: Vec<&'a [u8]>,
    pub(crate) env: &'a Environment,
    pub(crate) cwd: &'a Path,
}

/// The answer.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) succeeded: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Probe<'_> {
    /// Asks; failing to run or to end in time is `ProbeFailed`.
    pub(crate) fn ask(&self, clock: &dyn Clock) -> Result<Answer, Refusal> {
        self.run(clock).map_err(|error| {
            tracing::warn!(program = %self.program.display(), %error, "failed to ask a compiler about itself");
            Refusal { reason: Reason::ProbeFailed, detail: paths::path_text(self.program) }
        })
    }

    fn run(&self, clock: &dyn Clock) -> std::io::Result<Answer> {
        let mut command = Command::new(self.program);
        command
            .arg0(OsStr::from_bytes(self.argv0))
            .args(self.args.iter().map(|arg| OsStr::from_bytes(arg)))
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (OsStr::from_bytes(name), OsStr::from_bytes(value))))
            // The answers are read by rule, so they must not be translated.
            .env_remove("LANGUAGE")
            .env("LC_ALL", "C")
            .current_dir(self.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn()?;
        let answer = collect(&mut child, clock);
        if answer.is_err() {
            // Its whole group, as a driver's children hold the pipes too.
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
        answer
    }
}

/// Does both, the `other` meanwhile where there is a thread to spare: a tool that is asked seldom takes more than one processor.
pub(super) fn meanwhile<T: Send, U>(other: impl Fn() -> T + Sync, own: impl FnOnce() -> U) -> (T, U) {
    let (told, own) = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, &other);
        let own = own();
        (thread.ok().and_then(|thread| thread.join().ok()), own)
    });
    (told.unwrap_or_else(other), own)
}

fn collect(child: &mut Child, clock: &dyn Clock) -> std::io::Result<Answer> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("the process has no usable id"))?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let deadline = clock.monotonic_ns().saturating_add(TIME_LIMIT.as_nanos() as u64);
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut answer = Answer::default();
    while stdout.is_some() || stderr.is_some() {
        let mut fds = Vec::with_capacity(2);
        fds.extend(stdout.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        fds.extend(stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
        wait(&mut fds, deadline, clock)?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty()).collect::<Vec<_>>().into_iter();
        let stdout_ready = stdout.is_some() && ready.next() == Some(true);
        let stderr_ready = stderr.is_some() && ready.next() == Some(true);
        if stdout_ready {
            drain(&mut stdout, &mut answer.stdout)?;
        }
        if stderr_ready {
            drain(&mut stderr, &mut answer.stderr)?;
        }
    }
    wait(&mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)], deadline, clock)?;
    answer.succeeded = child.wait()?.success();
    Ok(answer)
}

/// Waits until one of `fds` is ready; past `deadline` it fails.
fn wait(fds: &mut [PollFd<'_>], deadline: u64, clock: &dyn Clock) -> std::io::Result<()> {
    loop {
        let left = deadline.saturating_sub(clock.monotonic_ns());
        let left = Timespec { tv_sec: (left / 1_000_000_000) as i64, tv_nsec: (left % 1_000_000_000) as _ };
        match poll(fds, Some(&left)) {
            Ok(0) => return Err(std::io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// One read; at the end of the stream the pipe is closed.
fn drain(pipe: &mut Option<impl std::io::Read>, out: &mut Vec<u8>) -> std::io::Result<()> {
    let Some(open) = pipe else { return Ok(()) };
    let mut chunk = [0; 16 * 1024];
    let count = open.by_ref().read(&mut chunk)?;
    if count == 0 {
        *pipe = None;
    }
    if out.len() + count > MAX_OUTPUT {
        return Err(std::io::Error::other("the tool says too much"));
    }
    out.extend_from_slice(&chunk[..count]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_service::SystemClock;

    fn shell(script: &str) -> Result<Answer, Refusal> {
        let env = Environment::default();
        let args = vec![&b"-c"[..], script.as_bytes()];
        Probe { program: Path::new("/bin/sh"), argv0: b"sh", args, env: &env, cwd: Path::new("/") }
            .ask(&SystemClock)
    }

    #[test]
    fn both_streams_and_the_success_are_told() {
        let answer = shell("echo out; echo err >&2").unwrap();
        assert!(answer.succeeded);
        assert_eq!((answer.stdout.as_slice(), answer.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
        assert!(!shell("exit 3").unwrap().succeeded);
    }

    #[test]
    fn both_are_done_also_where_one_ends_badly_in_its_thread() {
        assert_eq!(meanwhile(|| 1, || 2), (1, 2));
        let caller = std::thread::current().id();
        let other = || {
            assert!(std::thread::current().id() == caller, "as if there were no thread for it");
            1
        };
        assert_eq!(meanwhile(other, || 2), (1, 2));
    }

    #[test]
    fn a_talkative_tool_is_ended() {
        assert_eq!(
            shell("while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done")
                .unwrap_err()
                .reason,
            Reason::ProbeFailed
        );
    }

    #[test]
    fn a_tool_that_is_not_there_is_a_failed_probe() {
        let env = Environment::default();
        let probe = Probe {
            program: Path::new("/no/such"),
            argv0: b"no",
            args: vec![],
            env: &env,
            cwd: Path::new("/"),
        };
        assert_eq!(probe.ask(&SystemClock).unwrap_err().reason, Reason::ProbeFailed);
    }
}
