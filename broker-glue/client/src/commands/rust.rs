//! `larder rust list`

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Subcommand;
use larder_proto::v1::{CompileReply, CompileRequest, ListRustArtifacts, compile_reply, compile_request};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;

use crate::running::Running;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all cached crates: name, version, kind, size, age, files
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<ExitCode> {
    let Command::List { json } = command;
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running\nhint: larder start");
    };
    let request = CompileRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(compile_request::Request::ListRustArtifacts(ListRustArtifacts {})),
    };
    let reply = CompileReply::decode(daemon.request(lane::COMPILE, request.encode_to_vec())?.as_slice())?;
    let artifacts = match reply.reply {
        Some(compile_reply::Reply::RustArtifacts(artifacts)) => artifacts,
        Some(compile_reply::Reply::Failure(failure)) => anyhow::bail!("{}", failure.sentence),
        _ => anyhow::bail!(
            "the daemon (version {}) does not know this request\nhint: larder stop",
            reply.daemon_version
        ),
    };
    let text = if *json {
        serde_json::to_string_pretty(&artifacts)? + "\n"
    } else if artifacts.artifacts.is_empty() {
        "nothing of Rust is cached yet\nhint: RUSTC_WRAPPER=larder cargo build\n".to_owned()
    } else {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        super::render::artifacts(&artifacts, u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
