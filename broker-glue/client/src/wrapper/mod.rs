//! `larder gcc -c x.c`: the call goes to the cache, and to the tool where the cache cannot serve it.
//!
//! Whatever goes wrong with larder, the tool runs.

mod call;
mod direct;
pub(crate) mod outputs;
pub(crate) mod run_tool;
pub(crate) mod streams;
mod tool;

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use larder_glue::folders::Folders;
use larder_glue::wire::Wire;
use larder_proto::lane;
use larder_proto::v1::{
    Abandon, CompileReply, CompileRequest, Hit, Lookup, NotRestored, Publish, Run, compile_reply,
    compile_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION};
use prost::Message as _;
use tokio::runtime::Runtime;

use crate::{ask, complaint, session, settings};

pub(crate) use tool::resolve;
pub use tool::{ToolCall, tool_of};

/// How long the daemon may take to read what the tool has made. A build goes on then, and nothing is stored.
const LONGEST_PUBLISH: Duration = Duration::from_secs(10);

/// Runs one wrapped call and returns what the tool would have returned.
#[must_use]
pub fn run(call: &ToolCall) -> ExitCode {
    let (tool, call) = match resolve(call) {
        Ok(resolved) => resolved,
        Err(error) => {
            complaint::say(&error);
            return ExitCode::from(127);
        }
    };
    let Ok(folders) = Folders::from_env() else { return direct::exec(&call, &tool, None) };
    let Ok(runtime) = session::runtime() else { return direct::exec(&call, &tool, None) };
    // The process ends after this call: to wait for the runtime's thread would only make it end later.
    let runtime = std::mem::ManuallyDrop::new(runtime);
    match cached(&call, &tool, (&folders, &runtime), |lookup| ask(&folders, &runtime, lookup)) {
        Ok(code) => code,
        Err(Aside::Quietly) => direct::exec(&call, &tool, None),
        Err(Aside::Because(reason)) => {
            complaint::say_once(&folders, &format!("{reason}; running {} directly", call.name.display()));
            direct::exec(&call, &tool, None)
        }
    }
}

/// The cache is no help with this call.
pub(crate) enum Aside {
    /// As it should be.
    Quietly,
    /// Because larder failed, and a person should know why.
    Because(String),
}

/// Serves `call` as the daemon says, whom `ask` asks.
pub(crate) fn cached(
    call: &ToolCall,
    tool: &OsStr,
    (folders, runtime): (&Folders, &Runtime),
    ask: impl FnOnce(Lookup) -> Result<(Wire, compile_reply::Reply), Aside>,
) -> Result<ExitCode, Aside> {
    let settings = settings::own(folders);
    let portable = settings.portable.as_deref();
    let lookup = call::lookup(call, tool, portable).map_err(|error| Aside::Because(error.to_string()))?;
    let (mut wire, reply) = ask(lookup)?;
    if let Some(complaint) = &settings.complaint {
        complaint::say_once(folders, complaint);
    }
    match reply {
        compile_reply::Reply::Hit(hit) => match outputs::restore(&hit) {
            Ok(()) => Ok(replay(&hit)),
            // Nothing was put in place that the tool does not overwrite.
            Err(cause) => {
                let told = NotRestored { record: hit.record, cause: cause.into() };
                // It has been counted as a hit. The tool runs whether that is put right or not.
                let _ = wire.request(lane::COMPILE, request(compile_request::Request::NotRestored(told)));
                Err(Aside::Quietly)
            }
        },
        compile_reply::Reply::Run(run) if run.lease == 0 => Err(Aside::Quietly),
        compile_reply::Reply::Run(run) => Ok(miss(call, tool, (folders, runtime), &mut wire, &run)),
        compile_reply::Reply::Failure(failure) => Err(Aside::Because(failure.sentence)),
        compile_reply::Reply::NotSupported(no) => Err(Aside::Because(no.sentence)),
        compile_reply::Reply::Published(_) | compile_reply::Reply::RustArtifacts(_) => {
            Err(Aside::Because("the daemon's answer makes no sense".to_owned()))
        }
    }
}

fn ask(folders: &Folders, runtime: &Runtime, lookup: Lookup) -> Result<(Wire, compile_reply::Reply), Aside> {
    let payload = request(compile_request::Request::Lookup(lookup));
    match ask::ask(runtime, folders, ask::BUILDS, lane::COMPILE, &payload) {
        Ok((wire, reply)) => decode(&reply).map(|reply| (wire, reply)),
        Err(error) if error.is_as_it_should_be() => Err(Aside::Quietly),
        Err(error) => Err(Aside::Because(first_line(&error))),
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<compile_reply::Reply, Aside> {
    match CompileReply::decode(bytes) {
        Ok(CompileReply { reply: Some(reply), protocol: PROTOCOL_VERSION, daemon_version })
            if daemon_version == LARDER_VERSION =>
        {
            Ok(reply)
        }
        Ok(reply) => Err(Aside::Because(format!(
            "the daemon is of version {} and this client of version {LARDER_VERSION} (hint: larder stop)",
            reply.daemon_version
        ))),
        Err(error) => Err(Aside::Because(format!("failed to read the daemon's answer: {error}"))),
    }
}

pub(crate) fn request(request: compile_request::Request) -> Vec<u8> {
    CompileRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(request),
    }
    .encode_to_vec()
}

/// The streams and the exit code of a result that has been restored.
fn replay(hit: &Hit) -> ExitCode {
    // A reader that has gone away is no failure of the tool's.
    let _ = std::io::stdout().write_all(&hit.stdout).and_then(|()| std::io::stdout().flush());
    let _ = std::io::stderr().write_all(&hit.stderr);
    ExitCode::from(u8::try_from(hit.exit_code).unwrap_or(1))
}

/// Runs the tool under a lease and hands the result in.
fn miss(
    call: &ToolCall,
    tool: &OsStr,
    (folders, runtime): (&Folders, &Runtime),
    wire: &mut Wire,
    run: &Run,
) -> ExitCode {
    let args: Vec<OsString> = if run.args.is_empty() {
        call.args.clone()
    } else {
        run.args.iter().map(|arg| call::os(arg)).collect()
    };
    let ran = match run_tool::run(runtime, call, tool, &args, run_tool::Streams::Callers) {
        Ok(ran) => ran,
        // What cannot be run with its streams kept may still run without.
        Err(_) => return direct::exec(call, tool, None),
    };
    let added = !run.args.is_empty() && !run.list_folder.is_empty();
    if added && !ran.status.success() && !outputs::has_room(Path::new(&call::os(&run.list_folder))) {
        // It may have failed for what it was to write there, which is none of the caller's affair.
        let abandon = compile_request::Request::Abandon(Abandon { lease: run.lease });
        let _ = wire.request_within(lane::COMPILE, request(abandon), LONGEST_PUBLISH);
        let name = call.name.display();
        complaint::say_once(
            folders,
            &format!("the cache's disk takes no more; running {name} again without it"),
        );
        return direct::exec(call, tool, None);
    }
    let discovered = run.discovery_args.is_empty()
        || !ran.status.success()
        || run_tool::discover(tool, &call.name, &run.discovery_args);
    let message = if ran.complete && discovered {
        compile_request::Request::Publish(Publish {
            lease: run.lease,
            exit_code: run_tool::exit_code(ran.status),
            stdout: ran.stdout,
            stderr: ran.stderr,
            started_unix_ns: ran.started_unix_ns,
            tool_us: ran.tool_us,
        })
    } else {
        compile_request::Request::Abandon(Abandon { lease: run.lease })
    };
    // The tool has done its work: a daemon that has gone away by now costs the build nothing.
    let _ = wire.request_within(lane::COMPILE, request(message), LONGEST_PUBLISH);
    run_tool::exit_as(ran.status)
}

pub(crate) fn first_line(error: &dyn std::error::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
