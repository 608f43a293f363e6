//! The artifact lane, as its commands use it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use larder_glue::folders::Folders;
use larder_glue::wire::{Wire, WireError};
use larder_proto::v1::{
    ArtifactFailure, ArtifactName, ArtifactOpen, ArtifactOutput, ArtifactReply, ArtifactRequest,
    artifact_reply, artifact_request,
};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use crate::ask::{self, AskError};
use crate::session::{self, Way};
use crate::wrapper::first_line;

/// Why the lane is of no help.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// There is no daemon, or no first answer.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The connection failed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The daemon says why.
    #[error("{}", .0.sentence)]
    Refused(ArtifactFailure),
    /// It is of another version.
    #[error(
        "the daemon is of version {0} and this client of version {LARDER_VERSION} (hint: larder restart)"
    )]
    Version(String),
    /// What it answers has no place here.
    #[error("the daemon's answer makes no sense")]
    Nonsense,
    /// A file could not be handed in.
    #[error("failed to hand in {what}: {error}")]
    Staging {
        /// The file.
        what: String,
        /// What the operating system says.
        error: io::Error,
    },
}

impl ArtifactError {
    /// Nothing is wrong with larder, and nobody need be told.
    pub(crate) fn is_as_it_should_be(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_as_it_should_be(),
            Self::Refused(failure) => {
                ["starting_up", "draining", "other_filesystem_view"].contains(&failure.id.as_str())
            }
            _ => false,
        }
    }

    pub(crate) fn first_line(&self) -> String {
        first_line(self)
    }
}

/// A connection to the artifact lane.
pub(crate) struct Artifacts {
    wire: Wire,
    staging: Option<PathBuf>,
    files: u64,
}

impl Artifacts {
    /// Connects by `ways`, one after the other, until `request` is answered.
    pub(crate) fn ask(
        runtime: &Runtime,
        folders: &Folders,
        ways: &[Way],
        request: artifact_request::Request,
    ) -> Result<(Self, artifact_reply::Reply), ArtifactError> {
        let (wire, bytes) = ask::ask(runtime, folders, ways, lane::ARTIFACT, &message(request))?;
        let mut this = Self { wire, staging: None, files: 0 };
        let reply = this.answer(&bytes)?;
        Ok((this, reply))
    }

    /// One request.
    pub(crate) fn request(
        &mut self,
        request: artifact_request::Request,
    ) -> Result<artifact_reply::Reply, ArtifactError> {
        let bytes = self.wire.request(lane::ARTIFACT, message(request))?;
        self.answer(&bytes)
    }

    fn answer(&mut self, bytes: &[u8]) -> Result<artifact_reply::Reply, ArtifactError> {
        let reply = ArtifactReply::decode(bytes).map_err(|_| ArtifactError::Nonsense)?;
        if reply.protocol != PROTOCOL_VERSION || reply.daemon_version != LARDER_VERSION {
            return Err(ArtifactError::Version(reply.daemon_version));
        }
        match reply.reply {
            Some(artifact_reply::Reply::Failure(failure)) => Err(ArtifactError::Refused(failure)),
            Some(artifact_reply::Reply::NotSupported(_)) => Err(ArtifactError::Version(reply.daemon_version)),
            Some(reply) => {
                if let artifact_reply::Reply::Opened(opened) = &reply {
                    self.staging = Some(PathBuf::from(std::ffi::OsString::from_vec(opened.staging.clone())));
                }
                Ok(reply)
            }
            None => Err(ArtifactError::Nonsense),
        }
    }

    /// Copies what `from` gives into the folder that the daemon has named, as the output `name`.
    pub(crate) fn stage(
        &mut self,
        name: &str,
        mode: u32,
        mut from: impl Read,
    ) -> Result<ArtifactOutput, ArtifactError> {
        if self.staging.is_none() {
            self.request(artifact_request::Request::Open(ArtifactOpen {}))?;
        }
        let staging = self.staging.clone().ok_or(ArtifactError::Nonsense)?;
        self.files += 1;
        let file = self.files.to_string();
        let failed = |error| ArtifactError::Staging { what: name.to_owned(), error };
        let path = staging.join(&file);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let (hash, size) = made.and_then(|made| copy(&mut from, made)).map_err(failed)?;
        let (name, file) = (name.to_owned(), file.into_bytes());
        Ok(ArtifactOutput { name, file, size, mode, hash, ..ArtifactOutput::default() })
    }
}

fn message(request: artifact_request::Request) -> Vec<u8> {
    let client_version = LARDER_VERSION.to_owned();
    ArtifactRequest { protocol: PROTOCOL_VERSION, client_version, request: Some(request) }.encode_to_vec()
}

fn copy(from: &mut impl Read, mut to: File) -> io::Result<(Vec<u8>, u64)> {
    let (mut hasher, mut size, mut chunk) = (Sha256::new(), 0, vec![0; 128 << 10]);
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok((hasher.finalize().to_vec(), size)),
            Ok(count) => {
                hasher.update(&chunk[..count]);
                to.write_all(&chunk[..count])?;
                size += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The artifact `key` of `space`, asked for by this process.
pub(crate) fn name(space: &str, key: &str) -> ArtifactName {
    let (mount_namespace, root_device, root_inode) = ask::filesystem_view();
    ArtifactName {
        space: space.to_owned(),
        key: key.to_owned(),
        cwd: std::env::current_dir().map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default(),
        parent_pid: std::os::unix::process::parent_id(),
        mount_namespace,
        root_device,
        root_inode,
        session: session::current().unwrap_or_default(),
        ..ArtifactName::default()
    }
}
