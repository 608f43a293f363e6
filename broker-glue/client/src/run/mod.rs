//! `larder run`: a command whose result is kept under all that it is said to depend on.
//!
//! Whatever goes wrong with larder, the command runs.

mod inputs;
mod key;
mod lock;
mod plan;
pub(crate) mod restore;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{ExitCode, Stdio};

use larder_glue::folders::Folders;
use larder_proto::v1::{
    ArtifactFound, ArtifactLookup, ArtifactName, ArtifactOutput, ArtifactParts, ArtifactSkip, ArtifactStore,
    artifact_reply::Reply, artifact_request::Request,
};
use larder_tree::Stamp;
use running_process::broker::client::broker_disabled_by_env;
use tokio::runtime::Runtime;

use crate::artifact::{self, ArtifactError, Artifacts};
use crate::ask::BUILDS;
use crate::blob::BlobError;
use crate::complaint;
use crate::script;
use crate::session;
use crate::wrapper::run_tool::{self, Ran, Streams};
use crate::wrapper::{ToolCall, resolve, streams};
use inputs::Input;
use key::RunKey;
use lock::LockError;
pub(crate) use lock::folder as locks_folder;
pub(crate) use plan::{Options, Plan};

/// Where the results are kept.
const SPACE: &str = "larder.run";

/// Runs `command`, or does what it did. Exit code 2: what was said about it makes no sense, and it did not run.
pub(crate) fn run(options: Options, command: &[OsString]) -> ExitCode {
    let Some((name, args)) = command.split_first() else { return ExitCode::from(2) };
    let plan = match Plan::new(options) {
        Ok(plan) => plan,
        Err(error) => {
            complaint::say(&format!("{error:#}"));
            return ExitCode::from(2);
        }
    };
    let (tool, call) = match resolve(&ToolCall { name: name.clone(), args: args.to_vec() }) {
        Ok(resolved) => resolved,
        Err(error) => {
            complaint::say(&error);
            return ExitCode::from(127);
        }
    };
    let Ok(folders) = Folders::from_env() else { return exec(&call, &tool) };
    match cached(&plan, &call, &tool, &folders) {
        Ok(code) => code,
        Err(Aside::Quietly) => exec(&call, &tool),
        Err(Aside::Because(reason)) => {
            complaint::say_once(&folders, &format!("{reason}; running {} directly", call.name.display()));
            exec(&call, &tool)
        }
    }
}

/// The command takes this process's place.
fn exec(call: &ToolCall, tool: &OsStr) -> ExitCode {
    let error = script::exec(tool, &call.name, &call.args, Some(Stdio::null));
    complaint::say(&format!("failed to run {}: {error}", call.name.display()));
    ExitCode::from(if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 })
}

/// The cache is no help with this command.
enum Aside {
    /// As it should be.
    Quietly,
    /// Because larder failed, and a person should know why.
    Because(String),
}

impl From<ArtifactError> for Aside {
    fn from(error: ArtifactError) -> Self {
        if error.is_as_it_should_be() { Self::Quietly } else { Self::Because(error.first_line()) }
    }
}

impl From<io::Error> for Aside {
    fn from(error: io::Error) -> Self {
        Self::Because(error.to_string())
    }
}

/// Why nothing is kept: id of the reason, and what it is about.
struct Why(&'static str, String);

impl Why {
    fn of(reason: &'static str, path: &Path) -> Self {
        Self(reason, path.display().to_string())
    }
}

fn cached(plan: &Plan, call: &ToolCall, tool: &OsStr, folders: &Folders) -> Result<ExitCode, Aside> {
    // Switched off is switched off before anything is read.
    if broker_disabled_by_env().unwrap_or(false) {
        return Err(Aside::Quietly);
    }
    let runtime = session::runtime()?;
    let locked = match locks(plan, call, folders) {
        Ok(locked) => locked,
        Err(LockError::Ancestor) => return Err(Aside::Quietly),
        Err(LockError::Io(error)) => {
            return Err(Aside::Because(format!("failed to lock the outputs: {error}")));
        }
    };
    let mut name = artifact::name(SPACE, "");
    name.tool = call.name.to_string_lossy().into_owned();
    name.source = plan.patterns.first().map(inputs::Pattern::shown).unwrap_or_default();
    name.output = plan.outputs.first().map(|output| output.shown.display().to_string()).unwrap_or_default();
    let stamped = |output: &plan::Output| output.place.symlink_metadata().ok().map(|there| Stamp::of(&there));
    let before = plan.outputs.iter().map(stamped).collect();
    let (inputs, key) = match look(plan, call, tool) {
        Ok(looked) => looked,
        Err(Why(reason, detail)) => {
            let skip =
                ArtifactSkip { name: Some(name), reason: reason.into(), detail, ..ArtifactSkip::default() };
            Artifacts::ask(&runtime, folders, BUILDS, Request::Skip(skip))?;
            return Err(Aside::Quietly);
        }
    };
    name.key.clone_from(&key.key);
    let lookup = ArtifactLookup { name: Some(name.clone()), parts: key.parts.clone(), only_presence: false };
    let (mut artifacts, reply) = Artifacts::ask(&runtime, folders, BUILDS, Request::Lookup(lookup))?;
    match reply {
        Reply::Found(found) => match take(plan, &found) {
            Ok(()) => Ok(replay(&found)),
            Err(reason) => {
                let (name, reason) = (Some(name), reason.to_owned());
                let told = ArtifactSkip { name, reason, record: found.record, ..ArtifactSkip::default() };
                // It has been counted as a hit. The command, which writes all outputs anew, runs whether that is put
                // right or not.
                let _ = artifacts.request(Request::Skip(told));
                Err(Aside::Quietly)
            }
        },
        Reply::Absent(_) => {
            let RunKey { parts, programs, .. } = key;
            let mut miss = Miss { plan, call, tool, inputs, programs, before, name, parts, artifacts };
            let ended = miss.run(&runtime);
            drop(locked);
            match ended {
                Some(ran) => Ok(run_tool::exit_as(ran.status)),
                // What cannot be run with its streams kept may still run without.
                None => Err(Aside::Quietly),
            }
        }
        _ => Err(ArtifactError::Nonsense.into()),
    }
}

fn locks(plan: &Plan, call: &ToolCall, folders: &Folders) -> Result<lock::Locks, LockError> {
    let outputs = plan.outputs.iter().map(|output| output.place.as_os_str().as_encoded_bytes());
    if !plan.outputs.is_empty() {
        return lock::take(folders, outputs);
    }
    let words = std::iter::once(&call.name).chain(&call.args).map(|word| word.as_encoded_bytes());
    let command = [plan.folder.as_os_str().as_encoded_bytes()].into_iter().chain(words).collect::<Vec<_>>();
    lock::take(folders, std::iter::once(command.join(&0).as_slice()))
}

/// Reads all that the command is said to depend on.
fn look(plan: &Plan, call: &ToolCall, tool: &OsStr) -> Result<(Vec<Input>, RunKey), Why> {
    for output in &plan.outputs {
        let there = output.place.symlink_metadata();
        if there.is_ok_and(|there| !there.is_file() || there.nlink() != 1) {
            return Err(Why::of("output_not_a_file", &output.shown));
        }
    }
    let found = inputs::expand(&plan.patterns).map_err(|error| Why("input_unreadable", error.to_string()))?;
    let mut inputs = Vec::with_capacity(found.len());
    for path in found {
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            return Err(Why::of("input_not_a_file", &path));
        }
        let read = Input::read(path.clone());
        inputs.push(read.map_err(|_| Why::of("input_unreadable", &path))?);
    }
    let key = RunKey::of(plan, call, tool, &inputs);
    let key = key.map_err(|_| Why::of("input_unreadable", Path::new(tool)))?;
    Ok((inputs, key))
}

/// Puts what was found in place; else the id of the reason why that is not possible.
fn take(plan: &Plan, found: &ArtifactFound) -> Result<(), &'static str> {
    let mut pairs = Vec::with_capacity(plan.outputs.len());
    for (number, output) in plan.outputs.iter().enumerate() {
        let number = number.to_string();
        let kept = found.outputs.iter().find(|kept| kept.name == number);
        let kept = kept.filter(|kept| restore::gives_way(&output.place, kept.mode));
        pairs.push((kept.ok_or("output_not_a_file")?, output.place.as_path()));
    }
    restore::all(pairs.into_iter()).map_err(|error| match error {
        BlobError::Changed => "result_gone",
        BlobError::Write(_) => "restore_failed",
    })
}

/// The streams and the exit code of a result that has been restored.
fn replay(found: &ArtifactFound) -> ExitCode {
    // A reader that has gone away is no failure of the command's.
    let _ = io::stdout().write_all(&found.stdout).and_then(|()| io::stdout().flush());
    let _ = io::stderr().write_all(&found.stderr);
    ExitCode::from(u8::try_from(found.exit_code).unwrap_or(1))
}

/// A command whose result is not known.
struct Miss<'a> {
    plan: &'a Plan,
    call: &'a ToolCall,
    tool: &'a OsStr,
    inputs: Vec<Input>,
    programs: Vec<Input>,
    /// The outputs as they were.
    before: Vec<Option<Stamp>>,
    name: ArtifactName,
    parts: Option<ArtifactParts>,
    artifacts: Artifacts,
}

impl Miss<'_> {
    /// Runs it and hands the result in; `None` where it could not be started.
    fn run(&mut self, runtime: &Runtime) -> Option<Ran> {
        let shape = if self.plan.one_output { Streams::NoInputOneOutput } else { Streams::NoInput };
        let mut ran = run_tool::run(runtime, self.call, self.tool, &self.call.args, shape).ok()?;
        let request = self.result(&mut ran).unwrap_or_else(|Why(reason, detail)| {
            let (name, reason, tool_us) = (Some(self.name.clone()), reason.to_owned(), ran.tool_us);
            Request::Skip(ArtifactSkip { name, reason, detail, tool_us, record: 0 })
        });
        // The command has done its work: a daemon that has gone away by now costs the build nothing.
        let _ = self.artifacts.request(request);
        Some(ran)
    }

    /// What is to be stored, or why nothing is.
    fn result(&mut self, ran: &mut Ran) -> Result<Request, Why> {
        let nothing = |reason| Err(Why(reason, String::new()));
        if !ran.status.success() {
            return nothing("tool_failed");
        }
        if !ran.complete {
            return nothing("streams_left_open");
        }
        if ran.stdout.len().max(ran.stderr.len()) >= streams::KEPT {
            return nothing("streams_too_large");
        }
        let program = self.programs.iter().find(|program| !program.is_unchanged());
        let program = program.map(|program| program.path.clone());
        if let Some(path) = program.or_else(|| inputs::changed(&self.plan.patterns, &self.inputs)) {
            return Err(Why::of("inputs_changed_meanwhile", &path));
        }
        let mut outputs = Vec::with_capacity(self.plan.outputs.len());
        for (number, output) in self.plan.outputs.iter().enumerate() {
            outputs.push(self.stage(number, output)?);
        }
        Ok(Request::Store(ArtifactStore {
            name: Some(self.name.clone()),
            outputs,
            stdout: std::mem::take(&mut ran.stdout),
            stderr: std::mem::take(&mut ran.stderr),
            exit_code: 0,
            tool_us: ran.tool_us,
            parts: self.parts.take(),
        }))
    }

    fn stage(&mut self, number: usize, output: &plan::Output) -> Result<ArtifactOutput, Why> {
        let why = |reason| Why::of(reason, &output.shown);
        let metadata = output.place.symlink_metadata().map_err(|_| why("output_missing"))?;
        if !metadata.is_file() || metadata.nlink() != 1 {
            return Err(why("output_not_a_file"));
        }
        let stamp = Stamp::of(&metadata);
        // What was there before may be another one the next time.
        if self.before.get(number).is_some_and(|before| *before == Some(stamp)) {
            return Err(why("output_not_written"));
        }
        let file = std::fs::File::open(&output.place).map_err(|_| why("output_missing"))?;
        let mode = metadata.permissions().mode() & 0o7777;
        let staged = self.artifacts.stage(&number.to_string(), mode, file);
        let staged = staged.map_err(|_| why("store_failed"))?;
        let now = output.place.symlink_metadata().map(|now| Stamp::of(&now));
        if now.ok() != Some(stamp) {
            return Err(why("output_not_a_file"));
        }
        Ok(staged)
    }
}
