//! `larder store put|get|has`

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use larder_glue::folders::Folders;
use larder_proto::v1::{
    ArtifactFound, ArtifactLookup, ArtifactStore, artifact_reply::Reply, artifact_request::Request,
};

use crate::artifact::{self, ArtifactError, Artifacts};
use crate::blob::Blob;
use crate::run::restore;
use crate::session::{self, Way};

/// Namespaces that begin with this are larder's own.
const OWN: &str = "larder.";

/// How long a daemon may load its state before that is an error.
const LOADING: Duration = Duration::from_secs(10);

/// Pause between two questions to a daemon that loads its state; there is nothing to be notified by.
const RETRY: Duration = Duration::from_millis(20);

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Keep files under KEY: 0 kept, or there already and the same; 3 there already and another
    Put {
        #[command(flatten)]
        key: KeyArgs,
        /// Files, named by their relative paths
        #[arg(required_unless_present = "stdin")]
        files: Vec<PathBuf>,
        /// Keep standard input, as the output "stdin"
        #[arg(long, conflicts_with = "files")]
        stdin: bool,
        /// Keep the content of this file as standard output
        #[arg(long, value_name = "FILE")]
        stdout: Option<PathBuf>,
        /// Keep the content of this file as standard error
        #[arg(long, value_name = "FILE")]
        stderr: Option<PathBuf>,
        /// Keep this exit code
        #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(i32).range(0..=255))]
        exit_code: i32,
    },
    /// Get what is kept under KEY; without --into its only output, on standard output. 1: nothing is kept
    Get {
        #[command(flatten)]
        key: KeyArgs,
        /// Write the outputs below this folder, in place of what is there
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
        /// Write the kept streams, and end with the kept exit code
        #[arg(long, requires = "into")]
        replay: bool,
    },
    /// Tell whether anything is kept under KEY: 0 yes, 1 no
    Has {
        #[command(flatten)]
        key: KeyArgs,
    },
}

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    /// 1 to 512 bytes without control characters
    key: String,
    /// Keys of different namespaces have nothing to do with each other
    #[arg(long, default_value = "default")]
    namespace: String,
}

/// Exit code 2 where larder could not do it: 1 says that nothing is kept.
pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let done = match command {
        Command::Put { key, files, stdin, stdout, stderr, exit_code } => {
            put(key, files, *stdin, [stdout.as_deref(), stderr.as_deref()], *exit_code)
        }
        Command::Get { key, into, replay } => get(key, into.as_deref(), *replay),
        Command::Has { key } => has(key),
    };
    match done {
        Err(error) if !super::is_broken_pipe(&error) => {
            super::say(&format!("{error:#}"));
            Ok(ExitCode::from(2))
        }
        done => done,
    }
}

/// The first question, asked again while the daemon loads its state.
fn ask(request: &Request) -> anyhow::Result<(Artifacts, Reply)> {
    let (runtime, folders) = (session::runtime()?, Folders::from_env()?);
    let deadline = Instant::now() + LOADING;
    loop {
        match Artifacts::ask(&runtime, &folders, &[Way::Command, Way::Command], request.clone()) {
            Err(ArtifactError::Refused(failure))
                if failure.id == "starting_up" && Instant::now() < deadline =>
            {
                std::thread::sleep(RETRY);
            }
            Err(ArtifactError::Refused(failure)) if failure.id == "request_malformed" => {
                bail!("{}\nhint: larder store --help", failure.sentence)
            }
            Err(error) => bail!("{error}\nhint: larder doctor"),
            Ok(answered) => return Ok(answered),
        }
    }
}

fn lookup(key: &KeyArgs, only_presence: bool) -> anyhow::Result<Option<(Artifacts, ArtifactFound)>> {
    let mut name = artifact::name(&key.namespace, &key.key);
    "store".clone_into(&mut name.tool);
    let request = Request::Lookup(ArtifactLookup { name: Some(name), parts: None, only_presence });
    match ask(&request)? {
        (artifacts, Reply::Found(found)) => Ok(Some((artifacts, found))),
        (_, Reply::Absent(_)) => Ok(None),
        _ => Err(ArtifactError::Nonsense.into()),
    }
}

fn has(key: &KeyArgs) -> anyhow::Result<ExitCode> {
    Ok(if lookup(key, true)?.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn put(
    key: &KeyArgs,
    files: &[PathBuf],
    stdin: bool,
    streams: [Option<&Path>; 2],
    exit_code: i32,
) -> anyhow::Result<ExitCode> {
    ensure!(
        !key.namespace.starts_with(OWN),
        "failed to use the namespace {:?}: those that begin with {OWN:?} are larder's own\nhint: --namespace NAME",
        key.namespace
    );
    let [stdout, stderr] = streams.map(|stream| match stream {
        Some(path) => std::fs::read(path).with_context(|| format!("failed to read {}", path.display())),
        None => Ok(Vec::new()),
    });
    let (stdout, stderr) = (stdout?, stderr?);
    // Looked at before anything is copied: opening a pipe or a device can have effects.
    for file in files {
        let plain = file.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        ensure!(
            plain && file.to_str().is_some(),
            "failed to use {} as an output's name: it must be a relative path without '..'\nhint: cd to its folder first",
            file.display()
        );
        let metadata = file.metadata().with_context(|| format!("failed to read {}", file.display()))?;
        ensure!(metadata.is_file(), "failed to keep {}: it is not an ordinary file", file.display());
    }
    let (mut artifacts, _) = ask(&Request::Open(larder_proto::v1::ArtifactOpen {}))?;
    let mut outputs = Vec::with_capacity(files.len());
    if stdin {
        outputs.push(artifacts.stage("stdin", 0o644, io::stdin().lock())?);
    }
    for path in files {
        let file = File::open(path).with_context(|| format!("failed to read {}", path.display()))?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        outputs.push(artifacts.stage(path.to_str().unwrap_or_default(), mode, file)?);
    }
    let mut name = artifact::name(&key.namespace, &key.key);
    "store".clone_into(&mut name.tool);
    let store =
        ArtifactStore { name: Some(name), outputs, stdout, stderr, exit_code, tool_us: 0, parts: None };
    match artifacts.request(Request::Store(store)) {
        Ok(Reply::Stored(stored)) => {
            super::print(&format!("stored {} ({} bytes)\n", key.key, stored.bytes))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Reply::AlreadyExists(exists)) if exists.same => {
            super::print(&format!("{} is there already, and is the same\n", key.key))?;
            Ok(ExitCode::SUCCESS)
        }
        Ok(Reply::AlreadyExists(_)) => {
            super::say(&format!(
                "{} is there already, and is another; it stays\nhint: use another key",
                key.key
            ));
            Ok(ExitCode::from(3))
        }
        Ok(_) => Err(ArtifactError::Nonsense.into()),
        Err(error) => bail!("{error}\nhint: larder store put --help"),
    }
}

fn get(key: &KeyArgs, into: Option<&Path>, replay: bool) -> anyhow::Result<ExitCode> {
    // The connection holds what it was handed.
    let Some((_held, found)) = lookup(key, false)? else {
        super::say(&format!("nothing is kept under {}", key.key));
        return Ok(ExitCode::FAILURE);
    };
    let Some(into) = into else {
        let [only] = found.outputs.as_slice() else {
            bail!("failed to print {}: it has {} outputs\nhint: --into DIR", key.key, found.outputs.len());
        };
        let content = Blob::from(only).read()?;
        io::stdout().lock().write_all(&content)?;
        return Ok(ExitCode::SUCCESS);
    };
    let places = found.outputs.iter().map(|output| into.join(&output.name)).collect::<Vec<_>>();
    let pairs = found.outputs.iter().zip(&places).map(|(output, place)| (output, place.as_path()));
    restore::all(pairs).with_context(|| format!("failed to write below {}", into.display()))?;
    if !replay {
        return Ok(ExitCode::SUCCESS);
    }
    io::stdout().lock().write_all(&found.stdout)?;
    io::stderr().lock().write_all(&found.stderr)?;
    Ok(ExitCode::from(u8::try_from(found.exit_code).unwrap_or(1)))
}
