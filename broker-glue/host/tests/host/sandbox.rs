//! Folders, broker and backends of one test. Everything ends when it is dropped.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use larder_tests::{kill_all, processes_of, signal, wait_until};
use prost::Message as _;
use running_process::broker::protocol::{Frame, HelloReply, encode_framed, hello_reply, try_decode_framed};
use running_process::broker::protocol_v2::{HttpServerCapability, ServiceDefinitionBuilder};
use rustix::process::{Signal, WaitOptions, getpid, set_child_subreaper, waitpid};

pub(crate) const SERVICE: &str = "tiny";
pub(crate) const VERSION: &str = "1.2.3";
const PROGRAM: &str = "larder-host-test";
const LIMIT: Duration = Duration::from_secs(30);

pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        // Backends outlive their broker; their end is then this process's to wait for.
        let _ = set_child_subreaper(Some(getpid()));
        // Socket paths are bounded to 108 bytes, so the folder's own path is kept short.
        let folder = tempfile::Builder::new().prefix("lh.").tempdir_in("/tmp").expect("a folder in /tmp");
        for name in ["r", "c", "g", "d", "s", "h"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a fresh folder");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("our own folder");
        }
        Self { folder }
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self) -> Command {
        let root = self.root();
        let mut command = Command::new(env!("CARGO_BIN_EXE_larder-broker"));
        command
            .env_clear()
            .env("HOME", root.join("h"))
            .env("LARDER_BROKER", PROGRAM)
            .env("LARDER_LOG", "debug")
            .env("XDG_RUNTIME_DIR", root.join("r"))
            .env("XDG_CACHE_HOME", root.join("c"))
            .env("XDG_CONFIG_HOME", root.join("g"))
            .env("XDG_DATA_HOME", root.join("d"))
            .env("XDG_STATE_HOME", root.join("s"))
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Starts the broker and waits until its page is published.
    pub(crate) fn start(&self) -> Broker {
        let broker = Broker(self.command().spawn().expect("the broker starts"));
        wait_until("the broker's page", || {
            self.port().and_then(|port| TcpStream::connect(("127.0.0.1", port)).ok())
        });
        broker
    }

    pub(crate) fn socket(&self) -> PathBuf {
        let here = larder_glue::names::broker_socket(PROGRAM).expect("a valid name");
        self.runtime().join(Path::new(&here).file_name().expect("a file"))
    }

    /// Folder of the broker's socket and of what brokers and daemons publish.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.root().join("r/running-process/broker-v2")
    }

    pub(crate) fn port_file(&self) -> PathBuf {
        self.runtime().join(format!("broker-v2-{PROGRAM}.http_port"))
    }

    pub(crate) fn port(&self) -> Option<u16> {
        std::fs::read_to_string(self.port_file()).ok()?.trim().rsplit(':').next()?.parse().ok()
    }

    /// Registers `binary` as the service.
    pub(crate) fn define(&self, binary: &Path) {
        let folder = binary.parent().and_then(Path::to_str).expect("plain");
        let mut definition =
            ServiceDefinitionBuilder::shared_broker(SERVICE, binary.to_str().expect("plain"))
                .per_version_binary_dir(folder)
                .min_version("1.0.0")
                .build();
        definition.http_server = Some(HttpServerCapability {
            bind_addr: "127.0.0.1".to_owned(),
            health_path: "/health".to_owned(),
            display_name: "Tiny".to_owned(),
        });
        let services = self.root().join("g/running-process/services");
        larder_glue::private::ensure_folder(&services).expect("ours");
        std::fs::write(services.join("tiny.servicedef.v2"), definition.encode_to_vec()).expect("ours");
    }

    /// Registers the backend that lies beside the tests.
    pub(crate) fn define_backend(&self) {
        let binary = Path::new(env!("CARGO_BIN_EXE_larder-broker")).with_file_name("examples/tiny-backend");
        assert!(binary.is_file(), "{} is missing: cargo build -p larder-host --examples", binary.display());
        self.define(&binary);
    }

    /// Sends `bytes` to the broker's socket and reads until it hangs up.
    pub(crate) fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = UnixStream::connect(self.socket()).expect("the broker listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        // The broker may hang up while this is still being written, or before it was all read.
        let _ = stream.write_all(bytes);
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply);
        reply
    }

    /// Sends a frame and returns the answering one.
    pub(crate) fn ask(&self, frame: &Frame) -> Frame {
        let reply = self.send(&encode_framed(frame).expect("small"));
        try_decode_framed(&reply).expect("a frame").expect("an answer").frame
    }

    /// Asks for the service in `version`; the endpoint, or why not.
    pub(crate) fn hello(&self, version: &str) -> Result<String, String> {
        use running_process::broker::protocol::Hello;
        let hello = Hello {
            client_min_protocol: 1,
            client_max_protocol: 1,
            service_name: SERVICE.to_owned(),
            wanted_version: version.to_owned(),
            peer_pid: std::process::id(),
            ..Hello::default()
        };
        let reply = self.ask(&Frame::request(0, hello.encode_to_vec()).with_request_id(7));
        assert_eq!(reply.request_id, 7);
        match HelloReply::decode(reply.payload.as_slice()).expect("a reply").result.expect("a result") {
            hello_reply::Result::Negotiated(negotiated) => Ok(negotiated.backend_pipe),
            hello_reply::Result::Refused(refused) => Err(refused.reason),
        }
    }

    /// One request to the page, as `head` has it; status and the whole answer.
    pub(crate) fn http(&self, head: &str) -> (u16, String) {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port().expect("published"))).expect("it listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.write_all(format!("{head}\r\n\r\n").as_bytes()).expect("taken");
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).expect("an answer that ends");
        let reply = String::from_utf8_lossy(&reply).into_owned();
        let status = reply.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.unwrap_or_else(|| panic!("no status: {reply}")), reply)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.http(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{}", self.port().expect("published")))
    }

    /// The backends as the page's API lists them.
    pub(crate) fn backends(&self) -> Vec<serde_json::Value> {
        let (status, reply) = self.get("/api/v1/backends");
        assert_eq!(status, 200, "{reply}");
        let body = reply.split_once("\r\n\r\n").expect("a body").1;
        let listing: serde_json::Value = serde_json::from_str(body).expect("JSON");
        listing["backends"].as_array().expect("a list").clone()
    }

    /// Process ids of this sandbox's programs whose names begin with `name`.
    pub(crate) fn pids(&self, name: &str) -> Vec<u32> {
        let all = processes_of(&self.root().join("r"));
        all.into_iter().filter(|(_, program)| program.starts_with(name)).map(|(pid, _)| pid).collect()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.root().join("s/larder/broker.log")).unwrap_or_default()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::io::stderr().write_all(self.log().as_bytes());
        }
        kill_all(&self.root().join("r"));
        // Backends whose broker has ended are this process's to wait for.
        while matches!(waitpid(None, WaitOptions::NOHANG), Ok(Some(_))) {}
    }
}

/// A running broker; it ends with the test.
pub(crate) struct Broker(pub(crate) Child);

impl Broker {
    /// Sends it `how` and waits for its end.
    pub(crate) fn end(&mut self, how: Signal) -> std::process::ExitStatus {
        signal(self.0.id(), how);
        self.0.wait().expect("it ends")
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
