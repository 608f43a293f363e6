//! The client's side: all that it does for a hit but for getting its session, with an answer that lies in the socket before
//! it asks.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use larder_client::benching::Wrapping;
use larder_glue::wire::Wire;
use larder_proto::v1::{CompileReply, Hit, OutputFile, WriteStyle, compile_reply};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
use prost::Message as _;
use running_process::broker::protocol::{Frame, encode_framed};

use crate::Result;
use crate::call::{ARGS, Place};

/// The answer to the call that ran in `work`, whose outputs are named from `shown` on: an object that lies at `blob`, and a
/// list of headers.
///
/// # Errors
/// When there is no blob.
pub fn hit(work: &Path, shown: &Path, blob: &Path) -> Result<Hit> {
    let found = blob.metadata()?;
    let path = |name: &str| shown.join(name).into_os_string().into_encoded_bytes();
    let inline = std::fs::read(work.join("build/main.c.d"))?;
    let list = OutputFile {
        path: path("build/main.c.d"),
        size: inline.len() as u64,
        inline,
        mode: 0o666,
        style: WriteStyle::Rewrite.into(),
        ..OutputFile::default()
    };
    let object = OutputFile {
        path: path("build/main.c.o"),
        blob: blob.as_os_str().as_bytes().to_vec(),
        size: found.size(),
        blob_mtime_ns: found.mtime() * 1_000_000_000 + found.mtime_nsec(),
        blob_ctime_ns: found.ctime() * 1_000_000_000 + found.ctime_nsec(),
        blob_inode: found.ino(),
        mode: 0o666,
        style: WriteStyle::Replace.into(),
        ..OutputFile::default()
    };
    Ok(Hit { outputs: vec![list, object], record: 7, ..Hit::default() })
}

/// The message that brings `hit`.
#[must_use]
pub fn reply(hit: Hit) -> CompileReply {
    CompileReply {
        protocol: PROTOCOL_VERSION,
        daemon_version: LARDER_VERSION.to_owned(),
        reply: Some(compile_reply::Reply::Hit(hit)),
    }
}

/// A wrapper that is called again and again.
pub struct Client {
    wrapping: Wrapping,
    args: Vec<OsString>,
    /// The answer, in its frame.
    answer: Vec<u8>,
}

impl Client {
    /// In this process's environment, with the compiler of `root` called `tool`. The process goes where the call's files are.
    ///
    /// # Errors
    /// When the sandbox cannot be made.
    pub fn new(root: &Path, tool: &OsStr) -> Result<Self> {
        let place = Place::lay_out(root)?;
        place.compile()?;
        std::env::set_current_dir(&place.work)?;
        let blob: PathBuf = root.join("blob");
        std::fs::copy(place.work.join("build/main.c.o"), &blob)?;
        // As a daemon names outputs: the way the caller did.
        let answer = reply(hit(&place.work, Path::new(""), &blob)?).encode_to_vec();
        let request = Frame::request(lane::COMPILE.0, Vec::new()).with_request_id(1);
        let answer = encode_framed(&Frame::response_to(&request, answer))?;
        let args = std::iter::once(tool).chain(ARGS.iter().map(OsStr::new)).map(OsString::from).collect();
        Ok(Self { wrapping: Wrapping::new()?, args, answer })
    }

    /// Serves the call once.
    ///
    /// # Errors
    /// When the compiler would have to run.
    pub fn serve(&self) -> Result<ExitCode> {
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all(&self.answer)?;
        let served = self.wrapping.serve(OsStr::new("larder"), &self.args, Wire::new(ours.into())?);
        Ok(served.ok_or("the compiler would have to run")?)
    }
}
