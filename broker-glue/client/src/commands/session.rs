//! `larder session start|stats|end`

use std::ffi::OsString;
use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use larder_glue::folders::Folders;
use larder_glue::process;
use larder_glue::wire::Wire;
use larder_proto::v1::{
    SessionEnd, SessionReply, SessionReport, SessionRequest, SessionStart, SessionStats, session_reply,
    session_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;

use super::journal::open;
use crate::session::{self, Way};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Begin a session and print its id: export LARDER_SESSION=$(larder session start)
    Start {
        /// The process that it ends with at the latest [default: the shell that calls]
        #[arg(long)]
        owner: Option<u32>,
        /// Append a line for people to this file for each call
        #[arg(long, value_name = "FILE")]
        log: Option<PathBuf>,
        /// Append a JSON object to this file for each call; its name ends in .jsonl
        #[arg(long, value_name = "FILE")]
        journal: Option<PathBuf>,
        /// Count nothing
        #[arg(long)]
        no_stats: bool,
    },
    /// Show the figures of a session
    Stats {
        /// What `larder session start` printed
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End a session and show its figures
    End {
        /// What `larder session start` printed
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    // A file that cannot be used is refused before anything is started.
    let keep = match command {
        Command::Start { log, journal, no_stats, .. } => {
            Keep::open(log.as_deref(), journal.as_deref(), *no_stats)?
        }
        _ => Keep::default(),
    };
    let mut wire = session::adopt(&session::runtime()?, &Folders::from_env()?, Way::Command)?;
    let (report, json) = match command {
        Command::Start { owner, .. } => {
            let id = start(&mut wire, owner.unwrap_or_else(shell), &keep)?;
            super::print(&format!("{id}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        Command::Stats { id, json } => (stats(&mut wire, id)?, json),
        Command::End { id, json } => (end(&mut wire, id)?, json),
    };
    let text =
        if *json { serde_json::to_string_pretty(&report)? + "\n" } else { super::render::session(&report) };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What a session is to keep besides its figures.
#[derive(Debug, Default)]
pub(super) struct Keep {
    log: Option<File>,
    journal: Option<File>,
    no_stats: bool,
    command: Vec<String>,
}

impl Keep {
    /// Opens the files.
    pub(super) fn open(log: Option<&Path>, journal: Option<&Path>, no_stats: bool) -> anyhow::Result<Self> {
        let journal = journal.map(open::journal).transpose()?;
        Ok(Self { log: log.map(open::log).transpose()?, journal, no_stats, command: Vec::new() })
    }

    /// The same for the build that `command` makes.
    pub(super) fn of(self, command: &[OsString]) -> Self {
        Self { command: command.iter().map(|word| told(&word.to_string_lossy())).collect(), ..self }
    }
}

/// Begins a session that ends with the process `owner` at the latest.
pub(super) fn start(wire: &mut Wire, owner: u32, keep: &Keep) -> anyhow::Result<String> {
    let Some(stat) = process::stat(owner) else { anyhow::bail!("no process {owner} runs") };
    let start = SessionStart {
        owner_pid: owner,
        owner_start: stat.start,
        journal: keep.journal.is_some(),
        log: keep.log.is_some(),
        no_stats: keep.no_stats,
        command: keep.command.clone(),
    };
    let files: Vec<_> = [&keep.journal, &keep.log].into_iter().flatten().map(File::as_fd).collect();
    match ask(wire, session_request::Request::Start(start), &files)? {
        session_reply::Reply::Started(started) => Ok(started.session),
        _ => anyhow::bail!("the daemon's answer makes no sense"),
    }
}

/// The figures of the session `id`.
pub(super) fn stats(wire: &mut Wire, id: &str) -> anyhow::Result<SessionReport> {
    report(wire, session_request::Request::Stats(SessionStats { session: id.to_owned() }))
}

/// Ends the session `id`.
pub(super) fn end(wire: &mut Wire, id: &str) -> anyhow::Result<SessionReport> {
    report(wire, session_request::Request::End(SessionEnd { session: id.to_owned() }))
}

fn report(wire: &mut Wire, request: session_request::Request) -> anyhow::Result<SessionReport> {
    match ask(wire, request, &[])? {
        session_reply::Reply::Report(report) => Ok(report),
        _ => anyhow::bail!("the daemon's answer makes no sense"),
    }
}

fn ask(
    wire: &mut Wire,
    request: session_request::Request,
    files: &[BorrowedFd<'_>],
) -> anyhow::Result<session_reply::Reply> {
    let request = SessionRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(request),
    };
    let reply =
        SessionReply::decode(wire.request_with(lane::SESSION, request.encode_to_vec(), files)?.as_slice())?;
    match reply.reply {
        Some(session_reply::Reply::Failure(failure)) => anyhow::bail!("{}", failure.sentence),
        Some(session_reply::Reply::NotSupported(no)) => {
            anyhow::bail!("{} (it is of version {})\nhint: larder restart", no.sentence, reply.daemon_version)
        }
        Some(reply) => Ok(reply),
        None => anyhow::bail!("the daemon's answer is empty\nhint: larder restart"),
    }
}

/// A word of a command, without the value of a variable that it sets: that may be nobody's business.
fn told(word: &str) -> String {
    let is_name = |name: &str| {
        name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
    };
    match word.split_once('=') {
        Some((name, value)) if is_name(name) && !value.is_empty() => format!("{name}=…"),
        _ => word.to_owned(),
    }
}

/// The shell that calls. A subshell, as command substitutions may make, ends at once: it is told by having the program
/// and the arguments of its parent, and passed over.
fn shell() -> u32 {
    let image = |pid: u32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        Some((std::fs::read_link(format!("/proc/{pid}/exe")).ok()?, arguments))
    };
    let mut pid = std::os::unix::process::parent_id();
    while let Some(parent) = process::stat(pid).map(|stat| stat.parent)
        && parent > 1
        && image(pid).is_some_and(|own| image(parent) == Some(own))
    {
        pid = parent;
    }
    pid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_told_without_what_it_sets_variables_to() {
        for (word, expected) in [
            ("make", "make"),
            ("TOKEN=secret", "TOKEN=…"),
            ("_t2=a=b", "_t2=…"),
            ("CC=", "CC="),
            ("--prefix=/usr", "--prefix=/usr"),
            ("2a=b", "2a=b"),
            ("=", "="),
        ] {
            assert_eq!(told(word), expected);
        }
    }
}
