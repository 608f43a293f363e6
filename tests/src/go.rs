//! The adapter, driven by hand as the go command drives it; and the go command itself.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use larder_service::Digest;
use serde_json::{Value, json};

use crate::{Sandbox, sandbox};

/// `larder go` as a child of the test.
pub struct GoAdapter {
    child: Child,
    input: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    errors: ChildStderr,
    last_id: i64,
}

/// How an adapter ended.
#[derive(Debug)]
pub struct GoEnd {
    /// Its exit status.
    pub status: ExitStatus,
    /// What was left on its standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// A name of an action, as it stands in a request.
#[must_use]
pub fn action(name: &str) -> String {
    STANDARD.encode(Digest::of(name.as_bytes()).hash)
}

/// The OutputID of `body`, as it stands in a request.
fn output(body: &[u8]) -> String {
    STANDARD.encode(Digest::of(body).hash)
}

impl GoAdapter {
    /// Starts one in `sandbox`, and reads its first message.
    #[must_use]
    pub fn start(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.larder(["go"]);
        command.env("GOCACHE", sandbox.gocache());
        Self::run(command)
    }

    /// The same in a session of larder's.
    #[must_use]
    pub fn start_in_session(sandbox: &Sandbox, session: &str) -> Self {
        let mut command = sandbox.larder(["go"]);
        command.env("GOCACHE", sandbox.gocache()).env("LARDER_SESSION", session);
        Self::run(command)
    }

    /// The same as `command` says.
    ///
    /// # Panics
    /// When it does not begin as it must.
    #[must_use]
    pub fn run(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("larder starts");
        let input = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let errors = child.stderr.take().expect("a pipe");
        let mut adapter = Self { child, input, answers, errors, last_id: 0 };
        assert_eq!(adapter.answer(), json!({"ID": 0, "KnownCommands": ["get", "put", "close"]}));
        adapter
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes `text` to it as it is. It may have gone.
    pub fn write(&mut self, text: impl AsRef<[u8]>) {
        let input = self.input.as_mut().expect("the input is open");
        let _ = input.write_all(text.as_ref()).and_then(|()| input.flush());
    }

    /// Sends a request without a body; its ID.
    pub fn send(&mut self, mut request: Value) -> i64 {
        self.last_id += 1;
        request["ID"] = self.last_id.into();
        self.write(format!("{request}\n\n"));
        self.last_id
    }

    /// Sends a get.
    pub fn send_get(&mut self, name: &str) -> i64 {
        self.send(json!({"Command": "get", "ActionID": action(name)}))
    }

    /// Sends a put, in the pieces in which the go command would.
    pub fn send_put(&mut self, name: &str, body: &[u8]) -> i64 {
        let id = self.announce_put(name, body);
        if !body.is_empty() {
            self.write("\"");
            for piece in body.chunks(3 << 16) {
                self.write(STANDARD.encode(piece));
            }
            self.write("\"\n");
        }
        id
    }

    /// Sends what comes before the body of a put.
    pub fn announce_put(&mut self, name: &str, body: &[u8]) -> i64 {
        let (action, output) = (action(name), output(body));
        let put = json!({"Command": "put", "ActionID": action, "OutputID": output, "BodySize": body.len()});
        self.send(put)
    }

    /// The next answer.
    ///
    /// # Panics
    /// When there is none, or it is no JSON.
    pub fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("readable");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Asks, and gives the answer.
    pub fn get(&mut self, name: &str) -> Value {
        let id = self.send_get(name);
        let answer = self.answer();
        assert_eq!(answer["ID"], id);
        answer
    }

    /// Puts, and gives the answer.
    pub fn put(&mut self, name: &str, body: &[u8]) -> Value {
        let id = self.send_put(name, body);
        let answer = self.answer();
        assert_eq!(answer["ID"], id);
        answer
    }

    /// Puts, and demands a file with that body.
    ///
    /// # Panics
    /// When there is none.
    pub fn put_well(&mut self, name: &str, body: &[u8]) -> PathBuf {
        let answer = self.put(name, body);
        file_of(&answer, body)
    }

    /// Gets, and demands a hit with that body.
    ///
    /// # Panics
    /// When it is none.
    pub fn get_well(&mut self, name: &str, body: &[u8]) -> PathBuf {
        let answer = self.get(name);
        assert_eq!(answer["OutputID"], output(body), "{answer}");
        assert_eq!(answer["Size"], body.len(), "{answer}");
        assert!(answer["Time"].is_string(), "{answer}");
        file_of(&answer, body)
    }

    /// Gets, and demands a miss.
    ///
    /// # Panics
    /// When it is none.
    pub fn get_in_vain(&mut self, name: &str) {
        let answer = self.get(name);
        assert_eq!(answer["Miss"], true, "{answer}");
        assert!(answer["Err"].is_null(), "{answer}");
    }

    /// Sends `close`, and demands that it ends well.
    ///
    /// # Panics
    /// When it does not.
    pub fn close(mut self) {
        let id = self.send(json!({"Command": "close"}));
        assert_eq!(self.answer(), json!({"ID": id}));
        let end = self.end();
        assert!(end.status.success() && end.stdout.is_empty() && end.stderr.is_empty(), "{end:?}");
    }

    /// Ends its input, and waits until it has gone.
    ///
    /// # Panics
    /// When something cannot be read.
    #[must_use]
    pub fn end(mut self) -> GoEnd {
        drop(self.input.take());
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.answers.read_to_string(&mut stdout).expect("text");
        self.errors.read_to_string(&mut stderr).expect("text");
        let status = self.child.wait().expect("our child");
        GoEnd { status, stdout, stderr }
    }
}

/// The file that an answer names, with `body` in it.
fn file_of(answer: &Value, body: &[u8]) -> PathBuf {
    let path = Path::new(answer["DiskPath"].as_str().unwrap_or_else(|| panic!("no path: {answer}")));
    assert!(path.is_absolute(), "{answer}");
    assert!(std::fs::read(path).expect("a file") == body, "{answer}");
    path.to_owned()
}

impl Sandbox {
    /// The go command's own cache folder.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn gocache(&self) -> PathBuf {
        let path = self.root().join("gc");
        std::fs::create_dir_all(&path).expect("our own folder");
        path
    }

    /// The go command, which asks larder, and nobody on the network.
    pub fn go(&self, args: &[&str]) -> Command {
        let mut command = self.go_alone(args);
        command.env("GOCACHEPROG", format!("{} go", sandbox::program("larder").display()));
        command
    }

    /// The go command with its own cache.
    pub fn go_alone(&self, args: &[&str]) -> Command {
        let mut command = self.command(go_program());
        command
            .args(args)
            .env_remove("GOROOT")
            .env("GOCACHE", self.gocache())
            .env("GOENV", "off")
            .env("GOFLAGS", "-mod=mod")
            .env("GOPATH", self.root().join("gp"))
            .env("GOPROXY", "off")
            .env("GOSUMDB", "off")
            .env("GOTELEMETRY", "off")
            .env("GOTOOLCHAIN", "local");
        command
    }
}

/// Path of the go command, which `cargo xtask setup` installs.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn go_program() -> PathBuf {
    sandbox::stock_tool("go")
}
