//! Asking the daemon.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use larder_glue::folders::Folders;
use larder_proto::v1::{
    FingerprintCheck, FingerprintDepth, FingerprintInvalidate, FingerprintMarkFailure,
    FingerprintMarkSuccess, FingerprintPlace, FingerprintReply, FingerprintRequest, FingerprintSelection,
    fingerprint_reply::Reply, fingerprint_request::Request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use larder_tree::{Depth, MAGIC};
use prost::Message as _;

use super::{Done, Verb};
use crate::{ask, session};

/// The daemon is no help.
pub(super) enum Aside {
    /// As it should be.
    Quietly,
    /// Because larder failed, and a person should know why.
    Because(String),
}

/// Failures of the daemon itself; all others are said better by who does the same alone.
const BROKEN: [&str; 2] = ["internal_error", "store_failed"];

pub(super) fn daemon(verb: &Verb, cache: &Path) -> Result<Done, Aside> {
    let folders = Folders::from_env().map_err(|_| Aside::Quietly)?;
    let runtime = session::runtime().map_err(because)?;
    let payload = FingerprintRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(request(verb, cache)),
    }
    .encode_to_vec();
    match ask::ask(&runtime, &folders, ask::BUILDS, lane::FINGERPRINT, &payload) {
        // The connection stays until the reply's file is read, and so does that file.
        Ok((_wire, reply)) => done(&reply),
        Err(error) if error.is_as_it_should_be() => Err(Aside::Quietly),
        Err(error) => Err(because(error)),
    }
}

fn request(verb: &Verb, cache: &Path) -> Request {
    let (mount_namespace, root_device, root_inode) = ask::filesystem_view();
    let place = Some(FingerprintPlace {
        cache: cache.as_os_str().as_bytes().to_vec(),
        mount_namespace,
        root_device,
        root_inode,
        session: session::current().unwrap_or_default(),
    });
    match verb {
        Verb::Success => Request::Success(FingerprintMarkSuccess { place }),
        Verb::Failure => Request::Failure(FingerprintMarkFailure { place }),
        Verb::Invalidate => Request::Invalidate(FingerprintInvalidate { place }),
        Verb::Check(selection, depth) => {
            let choice = selection.choice().clone();
            let depth = match depth {
                Depth::TwoLayer => FingerprintDepth::TwoLayer,
                Depth::Content => FingerprintDepth::Content,
            };
            let selection = FingerprintSelection {
                root: selection.root().as_os_str().as_bytes().to_vec(),
                extensions: choice.extensions,
                include: choice.include,
                exclude: choice.exclude,
                ignore_rules: choice.ignore_rules,
            };
            Request::Check(FingerprintCheck { selection: Some(selection), depth: depth.into(), place })
        }
    }
}

fn done(reply: &[u8]) -> Result<Done, Aside> {
    let reply = FingerprintReply::decode(reply).map_err(because)?;
    if reply.protocol != PROTOCOL_VERSION || reply.daemon_version != LARDER_VERSION {
        return Err(Aside::Because(format!(
            "the daemon is of version {} and this client of version {LARDER_VERSION} (hint: larder stop)",
            reply.daemon_version
        )));
    }
    match reply.reply {
        Some(Reply::Checked(checked)) => {
            let state = fetched(&checked.state)?;
            Ok(Done { checked: Some(checked), state })
        }
        Some(Reply::Marked(marked)) => Ok(Done { checked: None, state: fetched(&marked.state)? }),
        Some(Reply::Failure(failure)) if BROKEN.contains(&failure.id.as_str()) => {
            Err(Aside::Because(failure.sentence))
        }
        Some(Reply::Failure(_)) => Err(Aside::Quietly),
        None => Err(Aside::Because("the daemon's answer makes no sense".to_owned())),
    }
}

/// What the daemon has left at `path` for the cache file.
fn fetched(path: &[u8]) -> Result<Option<Vec<u8>>, Aside> {
    if path.is_empty() {
        return Ok(None);
    }
    let state = std::fs::read(OsStr::from_bytes(path)).map_err(because)?;
    if !state.starts_with(MAGIC) {
        return Err(Aside::Because("the daemon's answer makes no sense".to_owned()));
    }
    Ok(Some(state))
}

fn because(error: impl std::fmt::Display) -> Aside {
    Aside::Because(error.to_string().lines().next().unwrap_or_default().to_owned())
}
