//! Whether what surrounds larder is as it must be, as far as daemon and client can both tell.
//!
//! One file for each matter. A check looks and changes nothing. Where larder can mend by itself what a check finds, the
//! check says how; nothing is mended here.

mod clock;
mod crashes;
mod daemon;
mod definition;
mod disk;
mod folders;
mod sockets;

use std::path::{Path, PathBuf};

use larder_proto::v1::Status;

use crate::folders::Folders;
use crate::{names, programs};

pub use daemon::LARDER;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Ok,
    /// It does not matter here, or it works less well than it could.
    Note,
    /// Larder cannot serve, or not safely.
    Problem,
}

impl State {
    /// Its name in reports.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// How larder can mend something by itself. Each of them leads to what a new installation would have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fix {
    /// Make a folder that nobody else can enter.
    MakeFolder(PathBuf),
    /// Take from other users what they may do with a folder or socket of this user's, and give this user all.
    Tighten(PathBuf),
    /// Describe the daemon at this path to brokers; a definition that cannot be read is set aside.
    Register(PathBuf),
    /// Remove a socket on which nobody listens.
    RemoveSocket(PathBuf),
    /// Remove a file that speaks of a process that has gone.
    RemoveFile(PathBuf),
    /// Remove a lock file that nobody holds.
    RemoveLock(PathBuf),
    /// Stop the daemon, and start the one beside this program.
    Restart,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it belongs to, for example "go"; at most 7 bytes.
    pub group: &'static str,
    /// What was looked at; at most 13 bytes. Never another for the same thing: scripts read it.
    pub name: &'static str,
    /// How it came out.
    pub state: State,
    /// What was found, in one line.
    pub found: String,
    /// What to do, line by line; empty where there is nothing to be done.
    pub hint: String,
    /// What larder can do about it by itself; also where it is as it should be, and will be done anyway when it is needed.
    pub fixes: Vec<Fix>,
}

impl Check {
    /// It is as it should be.
    pub fn ok(group: &'static str, name: &'static str, found: impl Into<String>) -> Self {
        Self { group, name, state: State::Ok, found: found.into(), hint: String::new(), fixes: Vec::new() }
    }

    /// It is not as it could be.
    pub fn note(
        group: &'static str,
        name: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { state: State::Note, hint: hint.into(), ..Self::ok(group, name, found) }
    }

    /// It must not be so.
    pub fn problem(
        group: &'static str,
        name: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { state: State::Problem, hint: hint.into(), ..Self::ok(group, name, found) }
    }

    /// A problem that an error tells: what is wrong in its first line, and what to do in the next.
    #[must_use]
    pub fn error(group: &'static str, name: &'static str, error: &str) -> Self {
        let (found, hint) = error.split_once('\n').unwrap_or((error, ""));
        Self::problem(group, name, found, hint.trim_start_matches("hint: "))
    }

    /// The same, which larder can mend by itself.
    #[must_use]
    pub fn mended_by(self, fix: Fix) -> Self {
        Self { fixes: [self.fixes, vec![fix]].concat(), ..self }
    }
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// This user's folders.
    pub folders: &'a Folders,
    /// Name of the broker program.
    pub broker: &'a str,
    /// Most bytes that the store may take; 0 where that is not known.
    pub limit_bytes: u64,
    /// What the daemon says of itself, where one runs.
    pub status: Option<&'a Status>,
}

/// Everything that both sides can look at.
#[must_use]
pub fn all(around: &Around<'_>) -> Vec<Check> {
    let store = around.folders.store();
    let used = around.status.and_then(|status| status.store.as_ref()).map_or(0, |store| store.bytes);
    let mut checks = folders::checks(around.folders);
    checks.push(disk::space(&store, around.limit_bytes, used));
    checks.push(disk::kind(&store));
    checks.extend(clock::checks(around.folders));
    checks.push(match programs::beside(programs::DAEMON) {
        Ok(daemon) => definition::check(&daemon),
        Err(error) => Check::error(LARDER, "definition", &error.to_string()),
    });
    checks.push(match names::broker_socket(around.broker) {
        Ok(socket) => Check::ok(LARDER, "socket", socket),
        // A socket's path is bounded, by few bytes.
        Err(error) => Check::error(LARDER, "socket", &error.to_string()),
    });
    checks.push(sockets::broker(around.broker));
    checks.extend(sockets::rights(around));
    if let Some(status) = around.status {
        checks.extend(daemon::checks(status));
    }
    checks.push(crashes::check(&around.folders.state));
    checks
}

/// The nearest folder on the way to `path` that is there, `path` itself if it is.
fn nearest(path: &Path) -> &Path {
    path.ancestors().find(|path| path.symlink_metadata().is_ok()).unwrap_or(path)
}
