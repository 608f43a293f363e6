//! A larder of a demonstration's or a measurement's own: folders, broker and daemon that nobody else uses.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::run;

/// The folder variables and their folders. The names are short since a socket's path has at most 107 bytes, of which
/// running-process takes 88.
const FOLDERS: [(&str, &str); 6] = [
    ("XDG_RUNTIME_DIR", "r"),
    ("XDG_CACHE_HOME", "c"),
    ("XDG_CONFIG_HOME", "g"),
    ("XDG_DATA_HOME", "d"),
    ("XDG_STATE_HOME", "s"),
    ("HOME", "h"),
];

/// Variables that would change what is compiled, or which larder is asked.
const FOREIGN: [&str; 16] = [
    "CPATH",
    "C_INCLUDE_PATH",
    "GCC_COLORS",
    "GCC_EXEC_PREFIX",
    "COMPILER_PATH",
    "DEPENDENCIES_OUTPUT",
    "LARDER_IDLE_SECONDS",
    "LARDER_LOG",
    "LARDER_LOG_FORMAT",
    "LARDER_SIZE_LIMIT",
    // `cargo run` puts its own folders here.
    "LD_LIBRARY_PATH",
    "MAKEFLAGS",
    "RUNNING_PROCESS_DISABLE",
    "RUNNING_PROCESS_MANIFEST_DIR",
    "RUNNING_PROCESS_SERVICE_DEF_DIR",
    "SOURCE_DATE_EPOCH",
];

/// What the compile service has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) uncacheable: u64,
    pub(crate) errors: u64,
    pub(crate) bypasses: u64,
}

impl Counts {
    /// What was counted since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            uncacheable: self.uncacheable.saturating_sub(before.uncacheable),
            errors: self.errors.saturating_sub(before.errors),
            bypasses: self.bypasses.saturating_sub(before.bypasses),
        }
    }

    fn of(stats: &Value) -> Self {
        let services = stats["services"].as_array();
        let compile = services.into_iter().flatten().find(|service| service["service"] == "compile");
        let count = |name: &str| compile.and_then(|service| service[name].as_u64()).unwrap_or(0);
        Self {
            hits: count("hits"),
            misses: count("misses"),
            uncacheable: count("uncacheable"),
            errors: count("errors"),
            bypasses: count("bypasses"),
        }
    }
}

/// Ends daemon and broker, and removes the folders, when dropped.
pub(crate) struct House {
    folder: Option<tempfile::TempDir>,
    root: PathBuf,
    larder: PathBuf,
    broker: String,
    started: bool,
}

impl House {
    pub(crate) fn new(programs: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("larder-")
            .rand_bytes(4)
            .tempdir_in("/tmp")
            .context("failed to make a folder in /tmp")?;
        let root = folder.path().to_owned();
        for name in FOLDERS.iter().map(|(_, name)| *name).chain(["w"]) {
            fs::DirBuilder::new().mode(0o700).create(root.join(name))?;
        }
        let broker = format!("xtask-{}", std::process::id());
        Ok(Self { folder: Some(folder), root, larder: programs.join("larder"), broker, started: false })
    }

    /// Below which everything lies.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the compilers run.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("w")
    }

    /// A command in this house, and no other larder's.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        for name in FOREIGN {
            command.env_remove(name);
        }
        for (name, folder) in FOLDERS {
            command.env(name, self.root.join(folder));
        }
        command.env("LARDER_BROKER", &self.broker).env("LC_ALL", "C.UTF-8").current_dir(&self.root);
        command
    }

    /// gcc, through larder once that has been started.
    pub(crate) fn gcc(&self) -> Command {
        if self.started {
            let mut command = self.command(&self.larder);
            command.arg("gcc");
            command
        } else {
            self.command("gcc")
        }
    }

    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        self.started = true;
        run::output(self.command(&self.larder).arg("start")).context("failed to start larder")?;
        Ok(())
    }

    /// Ends the daemon; the broker stays, and the next call starts another one.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        run::output(self.command(&self.larder).arg("stop")).context("failed to stop larder")?;
        Ok(())
    }

    pub(crate) fn status(&self) -> anyhow::Result<Value> {
        let status = self.json(&["status", "--json"])?;
        if status["running"] != true {
            bail!(
                "the daemon is not running any more\nhint: its log is in {}",
                self.root.join("s/larder").display()
            );
        }
        Ok(status)
    }

    /// What has been counted until now; `None` before larder was started.
    pub(crate) fn counts(&self) -> anyhow::Result<Option<Counts>> {
        if !self.started {
            return Ok(None);
        }
        Ok(Some(Counts::of(&self.json(&["stats", "--json"])?)))
    }

    /// Which of the latest `count` calls were no hits, and why.
    pub(crate) fn not_hits(&self, count: u64) -> anyhow::Result<Vec<String>> {
        let stats = self.json(&["stats", "--json", "--records", &count.min(1000).to_string()])?;
        let records = stats["records"].as_array().into_iter().flatten();
        Ok(records
            .filter(|record| record["outcome"] != "hit")
            .map(|record| {
                let field = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
                format!("{}: {}, {} {}", field("source"), field("outcome"), field("reason"), field("detail"))
            })
            .collect())
    }

    fn json(&self, args: &[&str]) -> anyhow::Result<Value> {
        let output = run::output(self.command(&self.larder).args(args))?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("failed to read what larder {} says", args.join(" ")))
    }

    /// Leaves everything as it is, and gives the command that ends and removes it.
    pub(crate) fn leave(mut self) -> String {
        if let Some(folder) = self.folder.take() {
            let _ = folder.keep();
        }
        self.started = false;
        let root = self.root.display();
        let variables: Vec<_> =
            FOLDERS.iter().map(|(name, folder)| format!("{name}={root}/{folder}")).collect();
        format!(
            "{} LARDER_BROKER={} {} stop --broker && rm -r {root}",
            variables.join(" "),
            self.broker,
            self.larder.display()
        )
    }

    /// Ends what was started and removes the folders.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        self.started = false;
        run::output(self.command(&self.larder).args(["stop", "--broker"]))?;
        let left = processes_of(&self.root);
        if !left.is_empty() {
            let names: Vec<String> = left.iter().map(|pid| name_of(*pid)).collect();
            kill(&left);
            bail!("larder stop --broker left processes behind, which were ended: {}", names.join(", "));
        }
        if let Some(folder) = self.folder.take() {
            folder.close().with_context(|| format!("failed to remove {}", self.root.display()))?;
        }
        Ok(())
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if self.started {
            let _ = self.command(&self.larder).args(["stop", "--broker"]).output();
            kill(&processes_of(&self.root));
        }
    }
}

/// Processes of this user whose runtime folder is that of the house.
fn processes_of(root: &Path) -> Vec<i32> {
    let variable = format!("XDG_RUNTIME_DIR={}/r", root.display()).into_bytes();
    let uid = rustix::process::geteuid().as_raw();
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|meta| meta.uid() == uid))
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            // That of a process that has ended is empty.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|entry| entry == variable)
        })
        .collect()
}

/// What was started as the process `pid`, for a person.
fn name_of(pid: i32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} ({})", String::from_utf8_lossy(&line).replace('\0', " ").trim_end())
}

fn kill(pids: &[i32]) {
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::process::Stdio;

    #[test]
    fn counts_are_those_of_the_compile_service_since_a_moment() {
        let stats = serde_json::json!({"services": [
            {"service": "gocache", "hits": 9},
            {"service": "compile", "hits": 5, "misses": 3, "uncacheable": 0, "errors": 0, "bypasses": 1},
        ]});
        let counts = Counts::of(&stats);
        assert_eq!((counts.hits, counts.misses, counts.bypasses), (5, 3, 1));
        assert_eq!(counts.since(Counts { hits: 2, ..Counts::default() }).hits, 3);
        assert_eq!(Counts::of(&serde_json::json!({})), Counts::default());
    }

    #[test]
    fn the_folder_leaves_room_for_the_names_of_sockets() {
        let house = House::new(Path::new("/p")).expect("a folder in /tmp");
        assert!(house.root().join("r").as_os_str().len() + 88 <= 107, "{}", house.root().display());
    }

    #[test]
    fn the_command_that_ends_a_kept_house_names_its_folders_and_broker() {
        let house = House::new(Path::new("/p")).expect("a folder in /tmp");
        let (root, broker) = (house.root().to_owned(), house.broker.clone());
        let command = house.leave();
        assert!(root.is_dir(), "it is kept");
        fs::remove_dir_all(&root).expect("ours");
        for part in [&format!("XDG_RUNTIME_DIR={}/r", root.display()), &format!("LARDER_BROKER={broker}")] {
            assert!(command.contains(part.as_str()), "{command}");
        }
        assert!(command.contains("/p/larder stop --broker"), "{command}");
    }

    #[test]
    fn processes_of_a_house_are_found_and_ended() {
        let house = House::new(Path::new("/p")).expect("a folder in /tmp");
        let mut cat = house.command("cat");
        let mut child = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat starts");
        // Only a program that answers is known to have its environment.
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(b"x").expect("cat reads");
        child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("cat answers");
        assert_eq!(processes_of(house.root()), [i32::try_from(child.id()).expect("a pid")]);
        kill(&processes_of(house.root()));
        assert!(!child.wait().expect("our child").success());
        assert!(processes_of(house.root()).is_empty(), "it has ended");
    }
}
