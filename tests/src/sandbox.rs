//! A larder of its own: folders, broker, daemon and work folder of one test.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::{alive, processes_of, wait_until};

/// Variables of the caller's environment that must not reach a test.
const FOREIGN: [&str; 19] = [
    "CARGO_TARGET_DIR",
    "CC",
    "CFLAGS",
    "CPATH",
    "C_INCLUDE_PATH",
    "GCC_COLORS",
    "LARDER_BROKER",
    "LARDER_IDLE_SECONDS",
    "LARDER_LOG",
    "LARDER_LOG_FORMAT",
    "LARDER_PORTABLE",
    "LARDER_SESSION",
    "LARDER_SIZE_LIMIT",
    "MAKEFLAGS",
    "RUNNING_PROCESS_DISABLE",
    "RUNNING_PROCESS_MANIFEST_DIR",
    "RUNNING_PROCESS_SERVICE_DEF_DIR",
    "RUSTUP_TOOLCHAIN",
    "SOURCE_DATE_EPOCH",
];

/// Folders, broker and daemon of one test. Everything ends when it is dropped.
pub struct Sandbox {
    folder: tempfile::TempDir,
    programs: PathBuf,
}

/// What the compile service has counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Results from the cache.
    pub hits: u64,
    /// Tool runs that can be stored.
    pub misses: u64,
    /// Tool runs that cannot.
    pub uncacheable: u64,
    /// Failures of larder's.
    pub errors: u64,
    /// Calls larder had nothing to do with.
    pub bypasses: u64,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// An empty machine: no broker, no daemon, no definition, empty folders.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::with_programs(&program("larder"))
    }

    /// A machine on which a daemon has loaded its state: one that is still loading lets a call pass by.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn started() -> Self {
        let sandbox = Self::new();
        sandbox.start();
        sandbox
    }

    /// The same with programs that lie beside `larder`.
    ///
    /// # Panics
    /// When the folders cannot be made.
    #[must_use]
    pub fn with_programs(larder: &Path) -> Self {
        // Socket paths are bounded to 108 bytes, so the folder's own path is kept short.
        let folder = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder in /tmp");
        for name in ["r", "c", "g", "d", "s", "h", "w"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).expect("a fresh folder");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("our own folder");
        }
        let programs = larder.parent().expect("a program lies in a folder").to_owned();
        Self { folder, programs }
    }

    /// The folder above all others.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The work folder, in which commands run.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.root().join("w")
    }

    /// The runtime folder (`XDG_RUNTIME_DIR`).
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.root().join("r")
    }

    /// The daemon's store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root().join("c/larder/v1")
    }

    /// Where service definitions lie.
    #[must_use]
    pub fn definitions(&self) -> PathBuf {
        self.root().join("g/running-process/services")
    }

    /// Where cache manifests are published centrally.
    #[must_use]
    pub fn manifests(&self) -> PathBuf {
        self.root().join("d/running-process/manifests")
    }

    /// Writes a file below the work folder.
    ///
    /// # Panics
    /// When that is not possible.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        std::fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("our own folder");
        std::fs::write(&path, content).expect("our own folder");
        path
    }

    /// Writes a source or header and lets it grow old enough for a result that reads it to be stored: an input that
    /// changed within the clock tick in which the compiler starts is rightly not trusted.
    pub fn write_settled(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.write(name, content);
        self.settle();
        path
    }

    /// Lets everything that was changed so far grow that old: until the clock that is read when a tool starts has passed
    /// the time of a file. File systems may give finer times than that clock's.
    pub fn settle(&self) {
        use std::os::unix::fs::MetadataExt as _;
        let probe = self.root().join("tick");
        let changed = wait_until("a file to be written", || {
            std::fs::write(&probe, "").ok()?;
            let metadata = probe.metadata().ok()?;
            Some((metadata.ctime(), metadata.ctime_nsec()))
        });
        wait_until("the clock to tick", || {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
            ((now.tv_sec, now.tv_nsec) > changed).then_some(())
        });
    }

    /// A command in this sandbox: its folders, its work folder, nothing of the caller's larder.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in FOREIGN {
            command.env_remove(name);
        }
        let root = self.root();
        command
            .current_dir(self.work())
            .env("PWD", self.work())
            .env("LC_ALL", "C.UTF-8")
            .env("HOME", root.join("h"))
            .env("XDG_RUNTIME_DIR", root.join("r"))
            .env("XDG_CACHE_HOME", root.join("c"))
            .env("XDG_CONFIG_HOME", root.join("g"))
            .env("XDG_DATA_HOME", root.join("d"))
            .env("XDG_STATE_HOME", root.join("s"));
        command
    }

    /// A shell that runs `script` to its first failure, with mounts of its own that go with its last process, and with
    /// the path of `larder` in the variable `LARDER`. Only root may mount.
    pub fn shell_with_mounts(&self, script: &str) -> Command {
        let mut command = self.command("unshare");
        command.args(["-m", "sh", "-ec", script]).env("LARDER", self.programs.join("larder"));
        command
    }

    /// `larder` with `args`, in this sandbox.
    pub fn larder<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = self.command(self.programs.join("larder"));
        command.args(args);
        command
    }

    /// Runs `larder` with `args`.
    ///
    /// # Panics
    /// When it does not succeed.
    pub fn run(&self, args: &[&str]) -> Output {
        let output = self.larder(args).output().expect("larder starts");
        assert!(
            output.status.success(),
            "larder {args:?} ended with {}\nstdout: {}\nstderr: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.log(),
        );
        output
    }

    /// `larder start`, and the status then.
    pub fn start(&self) -> Value {
        self.run(&["start"]);
        self.status().expect("a started daemon has a status")
    }

    /// The daemon's status, or `None` where none runs.
    #[must_use]
    pub fn status(&self) -> Option<Value> {
        let output = self.larder(["status", "--json"]).output().expect("larder starts");
        let status: Value = serde_json::from_slice(&output.stdout).ok()?;
        (status["running"] == Value::Bool(true)).then_some(status)
    }

    /// The statistics.
    ///
    /// # Panics
    /// When no daemon runs.
    #[must_use]
    pub fn stats(&self) -> Value {
        let output = self.run(&["stats", "--json", "--records", "1000"]);
        serde_json::from_slice(&output.stdout).expect("statistics are JSON")
    }

    /// The statistics of one service.
    ///
    /// # Panics
    /// When no daemon runs.
    #[must_use]
    pub fn service(&self, name: &str) -> Value {
        let stats = self.stats();
        let services = stats["services"].as_array().cloned().unwrap_or_default();
        services.into_iter().find(|service| service["service"] == name).expect("it is there")
    }

    /// What the compile service has counted.
    ///
    /// # Panics
    /// When no daemon runs.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let compile = self.service("compile");
        let count = |name: &str| compile[name].as_u64().expect("a count");
        Counts {
            hits: count("hits"),
            misses: count("misses"),
            uncacheable: count("uncacheable"),
            errors: count("errors"),
            bypasses: count("bypasses"),
        }
    }

    /// Reason of the latest compile request.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn last_reason(&self) -> String {
        self.stats()["records"][0]["reason"].as_str().expect("there was a request").to_owned()
    }

    /// Process ids of this sandbox's programs called `name`.
    #[must_use]
    pub fn pids(&self, name: &str) -> Vec<u32> {
        let all = processes_of(&self.runtime());
        all.into_iter().filter(|(pid, program)| program == name && alive(*pid)).map(|(pid, _)| pid).collect()
    }

    /// The only process called `name`.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn pid(&self, name: &str) -> u32 {
        let pids = self.pids(name);
        assert_eq!(pids.len(), 1, "one {name} should run, and these do: {pids:?}\n{}", self.log());
        pids[0]
    }

    /// The logs of daemon and broker, for a failing test's message.
    #[must_use]
    pub fn log(&self) -> String {
        ["larderd.log", "broker.log"]
            .iter()
            .map(|name| {
                let text =
                    std::fs::read_to_string(self.root().join("s/larder").join(name)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().rev().take(40).collect();
                format!("--- {name}, latest first\n{}\n", lines.join("\n"))
            })
            .collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        crate::kill_all(&self.runtime());
    }
}

/// Path of one of the programs built in this workspace.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("this test has a path");
    let path = own.parent().and_then(Path::parent).expect("tests lie in target/<profile>/deps").join(name);
    assert!(
        path.is_file(),
        "{} is not built: run `cargo xtask test`, or `cargo build --workspace`",
        path.display()
    );
    path
}

/// Folder of what `cargo xtask setup` installs.
fn tools() -> PathBuf {
    std::env::var_os("LARDER_TOOLS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("tools/bin"),
        PathBuf::from,
    )
}

/// Folder of sources that `cargo xtask setup` fetches.
///
/// # Panics
/// When they are not there.
#[must_use]
pub fn fetched(name: &str) -> PathBuf {
    let path = tools().with_file_name("sources").join(name);
    assert!(path.is_dir(), "{name} is missing: run `cargo xtask setup`");
    path
}

/// The Python that has Prometheus's own reader of metrics, which `cargo xtask setup` installs.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn prometheus_python() -> PathBuf {
    let path = tools().with_file_name("prometheus-client").join("bin/python");
    assert!(path.is_file(), "{} is missing: run `cargo xtask setup`", path.display());
    path
}

/// Path of a tool of the Rust toolchain that runs these tests: the tool itself, no proxy of it.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn rust_tool(name: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").map(PathBuf::from).expect("cargo runs the tests");
    let path = cargo.with_file_name(name);
    assert!(path.is_file(), "{} is missing: rustup component add clippy rustfmt", path.display());
    path
}

/// Path of one of running-process's stock programs, which `cargo xtask setup` installs.
///
/// # Panics
/// When it is not there.
#[must_use]
pub fn stock_tool(name: &str) -> PathBuf {
    let path = tools().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo xtask setup`", path.display());
    path
}
