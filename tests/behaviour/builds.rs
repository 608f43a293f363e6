//! `larder build`: a command in a session of its own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use larder_tests::{Sandbox, kill, processes_of, signal, wait_until};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn build(sandbox: &Sandbox, args: &[&str]) -> Output {
    sandbox.larder([&["build"], args].concat()).output().expect("larder starts")
}

fn make(sandbox: &Sandbox) {
    sandbox.write("x.c", "int x;\n");
    sandbox.write("y.c", "int y;\n");
    sandbox.write_settled("Makefile", "all: x.o y.o\n%.o: %.c\n\t$(CC) -c $< -o $@\n");
}

#[test]
fn a_build_is_summed_up_beside_what_the_command_says() {
    let sandbox = Sandbox::started();
    make(&sandbox);
    let cold = build(&sandbox, &["--journal", "j.jsonl", "--", "make", "-s"]);
    let said = text(&cold.stderr);
    assert!(cold.status.success() && cold.stdout.is_empty(), "{cold:?}");
    assert!(said.contains("slowest") && said.contains("cc x.c: ") && said.contains("cc y.c: "), "{said}");
    assert!(!said.contains('\x1b'), "no terminal, no progress: {said}");
    for name in ["x.o", "y.o"] {
        fs::remove_file(sandbox.work().join(name)).expect("it was built");
    }
    let warm = build(&sandbox, &["--json", "--journal", "j.jsonl", "--", "make", "-s"]);
    let report: Value = serde_json::from_slice(&warm.stderr).expect("JSON");
    let service = &report["services"][0];
    assert_eq!((&service["hits"], &service["misses"]), (&2.into(), &0.into()), "{report}");
    assert_eq!(report["ended_by"], "request");
    let journal = fs::read_to_string(sandbox.work().join("j.jsonl")).expect("a journal");
    assert_eq!(journal.lines().count(), 4, "{journal}");
}

#[test]
fn the_commands_exit_code_signal_and_streams_are_its_own() {
    use std::os::unix::process::ExitStatusExt as _;
    let sandbox = Sandbox::started();
    let ended = build(&sandbox, &["--json", "--", "sh", "-c", "cat; echo error >&2; exit 7"]);
    assert_eq!(ended.status.code(), Some(7));
    assert!(text(&ended.stderr).starts_with("error\n{"), "{ended:?}");
    assert_eq!(build(&sandbox, &["--", "sh", "-c", "kill -9 $$"]).status.signal(), Some(9));
    let mut child = sandbox.larder(["build", "--", "cat"]);
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("larder starts");
    child.stdin.take().expect("a pipe").write_all(b"\x00in").expect("cat reads");
    assert_eq!(child.wait_with_output().expect("ours").stdout, b"\x00in");
    let missing = build(&sandbox, &["--", "no-such-command"]);
    assert!(!missing.status.success() && text(&missing.stderr).contains("no-such-command"), "{missing:?}");
}

#[test]
fn without_a_daemon_the_command_runs_with_one_line_at_most() {
    let sandbox = Sandbox::new();
    let plain = |name: &str, value: &str| {
        let mut command =
            sandbox.larder(["build", "--", "sh", "-c", "echo out; echo \"$LARDER_SESSION\"; exit 3"]);
        command.env(name, value).output().expect("larder starts")
    };
    let off = plain("RUNNING_PROCESS_DISABLE", "1");
    assert_eq!(
        (off.status.code(), text(&off.stdout), text(&off.stderr)),
        (Some(3), "out\n\n".into(), String::new())
    );
    // A place where nothing can listen.
    let unreachable = plain("XDG_RUNTIME_DIR", "/proc/nowhere");
    assert_eq!((unreachable.status.code(), text(&unreachable.stdout)), (Some(3), "out\n\n".into()));
    assert_eq!(text(&unreachable.stderr).lines().count(), 1, "{unreachable:?}");
}

#[test]
fn a_daemon_that_dies_costs_the_summary_and_not_the_build() {
    let sandbox = Sandbox::started();
    let mut command = sandbox.larder(["build", "--", "sh", "-c", "echo up; read line; exit 5"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("larder starts");
    let mut up = [0; 3];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut up).expect("it runs");
    kill(sandbox.pid("larderd"));
    drop(child.stdin.take());
    let ended = child.wait_with_output().expect("ours");
    assert_eq!(ended.status.code(), Some(5));
    assert_eq!(text(&ended.stderr).lines().count(), 1, "{ended:?}");
}

#[test]
fn keep_going_is_told_in_the_build_systems_own_way() {
    let sandbox = Sandbox::started();
    sandbox.write("Makefile", "all: a b\na:\n\tfalse\nb:\n\ttouch b\n");
    assert!(!build(&sandbox, &["--", "make"]).status.success());
    assert!(!sandbox.work().join("b").exists());
    assert!(!build(&sandbox, &["--keep-going", "--", "make"]).status.success());
    assert!(sandbox.work().join("b").exists());
    let other = build(&sandbox, &["--keep-going", "--", "true"]);
    assert!(other.status.success() && text(&other.stderr).contains("--keep-going"), "{other:?}");
}

/// A terminal, and what was written to it so far.
struct Terminal {
    master: File,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).expect("ours");
        unlockpt(&master).expect("ours");
        tcsetwinsize(&master, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("ours");
        let master = File::from(master);
        let written = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, sink) = (master.try_clone().expect("ours"), Arc::clone(&written));
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                sink.lock().expect("no panic").extend_from_slice(&chunk[..count]);
            }
        });
        Self { master, written }
    }

    /// `command` as the leader of a session on this terminal.
    fn run(&self, sandbox: &Sandbox, args: &[&str]) -> Command {
        let name = ptsname(&self.master, Vec::new()).expect("it has a name").into_string().expect("text");
        let open = || File::options().read(true).write(true).open(&name).expect("ours");
        let mut command = sandbox.command("setsid");
        command.args(["--ctty", "--wait"]).arg(larder_tests::program("larder")).args(args);
        command.env("TERM", "xterm").stdin(open()).stdout(open()).stderr(open());
        command
    }

    fn text(&self) -> String {
        text(&self.written.lock().expect("no panic"))
    }
}

#[test]
fn progress_stays_on_the_last_line_and_the_commands_bytes_are_whole() {
    let sandbox = Sandbox::started();
    make(&sandbox);
    let terminal = Terminal::new();
    let script = "make -s; printf 'a long line, unbroken\\n'; read line; test -t 1 && test -t 2 && exit 4";
    let mut child =
        terminal.run(&sandbox, &["build", "--", "sh", "-c", script]).spawn().expect("setsid starts");
    wait_until("the progress", || terminal.text().contains("2 misses").then_some(()));
    assert!(terminal.text().contains("\x1b[1;23r"), "the last line does not scroll");
    (&terminal.master).write_all(b"\n").expect("ours");
    assert_eq!(child.wait().expect("ours").code(), Some(4));
    let text = wait_until("the summary", || Some(terminal.text()).filter(|text| text.contains("slowest")));
    assert!(text.contains("a long line, unbroken\r\n"), "{text:?}");
    let (progress, summary) = text.split_once("\x1b[r").expect("the whole terminal scrolls again");
    assert!(progress.contains("24;1H") && !summary.contains("24;1H\x1b[2K\x1b[7m"), "{text:?}");
}

#[test]
fn what_is_typed_reaches_the_command_once() {
    let sandbox = Sandbox::started();
    let terminal = Terminal::new();
    let script = "trap 'echo int >> ints' INT; trap 'exit 6' TERM; : > up; while :; do sleep 0.02; done";
    let mut child =
        terminal.run(&sandbox, &["build", "--", "sh", "-c", script]).spawn().expect("setsid starts");
    wait_until("the command", || sandbox.work().join("up").exists().then_some(()));
    let all = processes_of(&sandbox.runtime());
    let (larder, _) = all.into_iter().find(|(_, name)| name == "larder").expect("it waits for the command");
    // The command takes the signal first: two that arrive at once would look like one.
    signal(larder, Signal::STOP);
    (&terminal.master).write_all(b"\x03").expect("ours");
    let ints = || fs::read_to_string(sandbox.work().join("ints")).unwrap_or_default();
    wait_until("the signal", || (!ints().is_empty()).then_some(()));
    signal(larder, Signal::CONT);
    let status = || fs::read_to_string(format!("/proc/{larder}/status")).expect("it runs");
    wait_until("larder to take it, too", || status().contains("ShdPnd:\t0000000000000000").then_some(()));
    signal(larder, Signal::TERM);
    assert_eq!(child.wait().expect("ours").code(), Some(6));
    assert_eq!(ints(), "int\n");
}
