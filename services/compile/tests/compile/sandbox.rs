//! A folder of sources, a service with a store of its own, and clients that do what the real one does.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_compile::Compile;
use larder_fingerprint::Fingerprints;
use larder_proto::v1::compile_reply::Reply;
use larder_proto::v1::compile_request::Request;
use larder_proto::v1::{
    Abandon, CompileReply, CompileRequest, EnvVar, Hit, Lookup, Publish, Published, Run, ServiceStats,
    WriteStyle,
};
use larder_proto::{PROTOCOL_VERSION, compile_env};
use larder_service::{Board, Clock as _, Connection, Context, Service as _, SystemClock};
use larder_store::{Store, StoreConfig};
use prost::Message as _;

pub(crate) struct Sandbox {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) service: Arc<Compile>,
    board: Arc<Board>,
    connections: AtomicU64,
}

/// What a person sees of one call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// A finished call.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) seen: Seen,
    pub(crate) hit: bool,
    /// Why the lookup was no hit.
    pub(crate) reason: String,
    /// Why nothing was stored.
    pub(crate) not_stored: Option<String>,
}

/// The tool's run, before it is published.
pub(crate) struct Ran {
    pub(crate) seen: Seen,
    started: u64,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tmp", "work"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let clock = Arc::new(SystemClock);
        let board = Arc::new(Board::new(0, &["compile"]));
        let context = Context {
            clock: clock.clone(),
            board: Arc::clone(&board),
            tmp: folder.path().join("tmp"),
            filesystem_view: (1, 2, 3),
        };
        let root = folder.path().join("store");
        let config = StoreConfig { root, limit_bytes: 1 << 30, memory_bytes: 1 << 20, clock: clock.clone() };
        let store = Arc::new(Store::open(config).unwrap().0);
        let fingerprints = Arc::new(Fingerprints::new(clock, 10_000));
        let service = Arc::new(Compile::new(context, store, fingerprints));
        Self { folder, service, board, connections: AtomicU64::new(1) }
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.work().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn remove(&self, name: &str) {
        std::fs::remove_file(self.work().join(name)).unwrap();
    }

    pub(crate) fn client(&self, tool: &str) -> Client {
        let tool = if tool.starts_with('/') { PathBuf::from(tool) } else { Path::new("/usr/bin").join(tool) };
        let name = tool.file_name().unwrap().as_bytes().to_vec();
        Client {
            service: Arc::clone(&self.service),
            connection: Connection {
                id: self.connections.fetch_add(1, Ordering::Relaxed),
                peer_pid: std::process::id(),
            },
            tool,
            name,
            cwd: self.work(),
            env: vec![("PATH".into(), "/usr/bin:/bin".into()), ("LC_ALL".into(), "C".into())],
            view: (1, 2, 3),
        }
    }

    pub(crate) fn stats(&self) -> ServiceStats {
        self.board.stats(0).services.remove(0)
    }

    /// Reason and detail of the latest record.
    pub(crate) fn latest(&self) -> (String, String) {
        let record = self.board.stats(1).records.remove(0);
        (record.reason, record.detail)
    }

    /// Lists left behind for learning inputs.
    pub(crate) fn leftovers(&self) -> usize {
        std::fs::read_dir(self.folder.path().join("tmp")).unwrap().count()
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    service: Arc<Compile>,
    pub(crate) connection: Connection,
    pub(crate) tool: PathBuf,
    pub(crate) name: Vec<u8>,
    pub(crate) cwd: PathBuf,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) view: (u64, u64, u64),
}

impl Client {
    pub(crate) fn in_folder(mut self, folder: PathBuf) -> Self {
        self.cwd = folder;
        self
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.into(), value.into()));
        self
    }

    /// Looks up, then restores or runs and publishes.
    pub(crate) async fn compile(&self, args: &[&str]) -> Done {
        settle();
        self.compile_at_once(args).await
    }

    /// As [`Client::compile`], without letting the clock of files move on first.
    pub(crate) async fn compile_at_once(&self, args: &[&str]) -> Done {
        match self.lookup(args).await {
            Reply::Hit(hit) => {
                let seen = self.restore(&hit);
                Done { seen, hit: true, reason: String::new(), not_stored: None }
            }
            Reply::Run(run) => {
                let ran = self.run(&run, args);
                let reason = run.reason.clone();
                let not_stored = match run.lease {
                    0 => Some(run.reason.clone()),
                    _ => {
                        let published = self.publish(&run, &ran).await;
                        (!published.stored).then_some(published.reason)
                    }
                };
                Done { seen: ran.seen, hit: false, reason, not_stored }
            }
            other => panic!("no answer to a lookup: {other:?}"),
        }
    }

    pub(crate) async fn lookup(&self, args: &[&str]) -> Reply {
        let mut env: Vec<_> = self
            .env
            .iter()
            .filter(|(name, _)| compile_env::is_carried(name.as_bytes()))
            .map(|(name, value)| EnvVar { name: name.as_bytes().to_vec(), value: value.as_bytes().to_vec() })
            .collect();
        env.sort_by(|a, b| a.name.cmp(&b.name));
        self.ask(Request::Lookup(Lookup {
            stdin_null: false,
            cwd: self.cwd.as_os_str().as_bytes().to_vec(),
            tool: self.tool.as_os_str().as_bytes().to_vec(),
            tool_name: self.name.clone(),
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            env,
            stderr_terminal: false,
            terminal_columns: 0,
            mount_namespace: self.view.0,
            root_device: self.view.1,
            root_inode: self.view.2,
            parent_pid: 0,
            session: String::new(),
            portable: Vec::new(),
        }))
        .await
    }

    /// Runs the tool as `run` wants it.
    pub(crate) fn run(&self, run: &Run, args: &[&str]) -> Ran {
        let started = SystemClock.file_time_ns();
        let given: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        let seen = self.execute(if run.args.is_empty() { &given } else { &run.args });
        if !run.discovery_args.is_empty() && seen.code == 0 {
            self.execute(&run.discovery_args);
        }
        Ran { seen, started }
    }

    pub(crate) async fn publish(&self, run: &Run, ran: &Ran) -> Published {
        let publish = Publish {
            lease: run.lease,
            exit_code: ran.seen.code,
            stdout: ran.seen.stdout.clone(),
            stderr: ran.seen.stderr.clone(),
            started_unix_ns: ran.started,
            tool_us: 1000,
        };
        match self.ask(Request::Publish(publish)).await {
            Reply::Published(published) => published,
            other => panic!("no answer to a publish: {other:?}"),
        }
    }

    pub(crate) async fn abandon(&self, run: &Run) {
        self.ask(Request::Abandon(Abandon { lease: run.lease })).await;
    }

    pub(crate) fn close(&self) {
        self.service.closed(self.connection.id);
    }

    /// The tool as if there were no larder.
    pub(crate) fn alone(&self, args: &[&str]) -> Seen {
        self.execute(&args.iter().map(|arg| arg.as_bytes().to_vec()).collect::<Vec<_>>())
    }

    async fn ask(&self, request: Request) -> Reply {
        let request = CompileRequest {
            protocol: PROTOCOL_VERSION,
            client_version: "0.0.0".into(),
            request: Some(request),
        };
        let bytes = self.service.call(&self.connection, &request.encode_to_vec()).await;
        CompileReply::decode(bytes.as_slice()).unwrap().reply.unwrap()
    }

    fn execute(&self, args: &[Vec<u8>]) -> Seen {
        let output = Command::new(&self.tool)
            .arg0(OsStr::from_bytes(&self.name))
            .args(args.iter().map(|arg| OsStr::from_bytes(arg)))
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.cwd)
            .output()
            .unwrap();
        Seen { code: output.status.code().unwrap_or(128), stdout: output.stdout, stderr: output.stderr }
    }

    fn restore(&self, hit: &Hit) -> Seen {
        for output in &hit.outputs {
            let path = self.cwd.join(OsStr::from_bytes(&output.path));
            let content = if output.blob.is_empty() {
                output.inline.clone()
            } else {
                std::fs::read(OsStr::from_bytes(&output.blob)).unwrap()
            };
            assert_eq!(content.len() as u64, output.size, "{}", path.display());
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(output.mode);
            if output.style() == WriteStyle::Replace {
                let _ = std::fs::remove_file(&path);
            }
            std::io::Write::write_all(&mut options.open(&path).unwrap(), &content).unwrap();
        }
        Seen { code: hit.exit_code, stdout: hit.stdout.clone(), stderr: hit.stderr.clone() }
    }
}

impl Done {
    #[track_caller]
    pub(crate) fn expect_hit(self) -> Self {
        assert!(self.hit, "ran the tool because {}", self.reason);
        self
    }

    #[track_caller]
    pub(crate) fn expect_stored(self, reason: &str) -> Self {
        assert!(!self.hit, "was a hit");
        assert_eq!(self.not_stored, None, "was not stored: {:?}", String::from_utf8_lossy(&self.seen.stderr));
        assert_eq!(self.reason, reason);
        self
    }

    #[track_caller]
    pub(crate) fn expect_not_stored(self, reason: &str) -> Self {
        assert!(!self.hit, "was a hit");
        assert_eq!(self.not_stored.as_deref(), Some(reason));
        self
    }
}

/// Lets the clock that stamps files move past everything written so far.
pub(crate) fn settle() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let meta = file.as_file().metadata().unwrap();
    let written = meta.ctime() as u64 * 1_000_000_000 + meta.ctime_nsec() as u64;
    while SystemClock.file_time_ns() <= written {
        std::thread::yield_now();
    }
}
