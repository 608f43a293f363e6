//! `larder build -- COMMAND…`: a build whose compilers are called through larder, in a session of its own.

mod keep_going;
mod progress;
mod watch;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use larder_glue::folders::Folders;
use larder_glue::wire::Wire;
use larder_proto::v1::SessionReport;
use tokio::process::Command;
use tokio::runtime::Runtime;

use super::session::Keep;
use crate::session::{self, SessionError, VARIABLE, Way};
use crate::wrapper::run_tool::{Forwarded, exit_as};
use crate::{complaint, script};
use watch::Watch;

#[derive(Debug, Args)]
pub(super) struct Build {
    /// Append a JSON object to this file for each call; its name ends in .jsonl
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,
    /// Append a line for people to this file for each call
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Tell make, ninja, cargo or go to build what it can after a failure
    #[arg(long)]
    keep_going: bool,
    /// Show the summary as JSON, on standard error
    #[arg(long)]
    json: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

/// What makes build systems call their tools through larder, each only where the caller has not set it: a variable,
/// and what stands behind the path of larder in it.
const WRAPPERS: &[(&str, &str)] = &[
    ("CC", " cc"),
    ("CXX", " c++"),
    ("CMAKE_C_COMPILER_LAUNCHER", ""),
    ("CMAKE_CXX_COMPILER_LAUNCHER", ""),
    ("GOCACHEPROG", " go"),
    ("RUSTC_WRAPPER", ""),
];

/// Cargo keeps results of its own between incremental compiles, which no cache can serve.
const INCREMENTAL: &str = "CARGO_INCREMENTAL";

pub(super) fn run(build: &Build) -> anyhow::Result<ExitCode> {
    let Some((program, args)) = build.command.split_first() else {
        anyhow::bail!("no command is given\nhint: larder build -- cargo build");
    };
    let keep = Keep::open(build.log.as_deref(), build.journal.as_deref(), false)?.of(&build.command);
    let larder = std::env::current_exe()?;
    let args = if build.keep_going { keep_going::with(program, args) } else { args.to_vec() };
    let mut variables: Vec<(&str, OsString)> = Vec::new();
    for (name, rest) in WRAPPERS.iter().filter(|(name, _)| std::env::var_os(name).is_none()) {
        let mut value = larder.clone().into_os_string();
        value.push(rest);
        variables.push((name, value));
    }
    let is_cargo = Path::new(program).file_name().is_some_and(|name| name == "cargo");
    if std::env::var_os(INCREMENTAL).is_none() {
        variables.push((INCREMENTAL, "0".into()));
        if is_cargo {
            super::say("incremental compiles are off for this build (CARGO_INCREMENTAL=1 keeps them)");
        }
    }
    let runtime = session::runtime()?;
    let watch = begin(&runtime, &keep)?;
    if let Some(watch) = &watch {
        variables.push((VARIABLE, watch.session().into()));
    }
    // The daemon has its own descriptors of them; while these are open the files would look busy.
    drop(keep);
    let status = runtime
        .block_on(async {
            let mut forwarded = Forwarded::listen()?;
            let mut child = script::start(program, program, &args, |command| {
                Command::from(command).envs(variables.iter().map(|(name, value)| (name, value))).spawn()
            })?;
            forwarded.wait(&mut child).await
        })
        .with_context(|| format!("failed to run {}", program.display()));
    // Also without a command the session is to end now.
    let report = watch.map(Watch::end);
    let status = status?;
    match report {
        Some(Ok(report)) => tell(&report, build.json),
        Some(Err(error)) => super::say(&format!("there is no summary: {}", first_line(&error))),
        None => {}
    }
    Ok(exit_as(status))
}

/// Opens the session; `None` where there can be none: the build goes on without.
fn begin(runtime: &Runtime, keep: &Keep) -> anyhow::Result<Option<Watch>> {
    let folders = Folders::from_env()?;
    let opened = match session::adopt(runtime, &folders, Way::Command) {
        Ok(wire) => open(wire, keep),
        Err(SessionError::Disabled) => return Ok(None),
        Err(error) => Err(error.into()),
    };
    match opened {
        Ok(watch) => Ok(Some(watch)),
        Err(error) => {
            let sentence = format!("{}; building without a summary", first_line(&error));
            complaint::say_once(&folders, &sentence);
            Ok(None)
        }
    }
}

fn open(mut wire: Wire, keep: &Keep) -> anyhow::Result<Watch> {
    let id = super::session::start(&mut wire, std::process::id(), keep)?;
    Ok(Watch::begin(wire, id)?)
}

fn tell(report: &SessionReport, json: bool) {
    let text = match serde_json::to_string(report) {
        Ok(text) if json => text + "\n",
        _ => super::render::session(report),
    };
    // The summary stays out of what the command wrote; a closed stream is no failure of the build's.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}

fn first_line(error: &anyhow::Error) -> String {
    format!("{error:#}").lines().next().unwrap_or_default().to_owned()
}
