//! What benches need to reach and nobody else may: a hit without the session that it usually takes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::ManuallyDrop;
use std::process::ExitCode;

use larder_glue::folders::Folders;
use larder_glue::wire::Wire;
use larder_proto::lane;
use larder_proto::v1::{Hit, compile_request};
use tokio::runtime::Runtime;

use crate::wrapper::{self, Aside};

/// Whether the outputs of `hit` can be put in place.
#[must_use]
pub fn restore(hit: &Hit) -> bool {
    wrapper::outputs::restore(hit).is_ok()
}

/// A process that wraps calls.
pub struct Wrapping {
    folders: Folders,
    runtime: ManuallyDrop<Runtime>,
}

impl Wrapping {
    /// In this process's environment.
    ///
    /// # Errors
    /// When that names no folders, or the operating system has nothing left.
    pub fn new() -> io::Result<Self> {
        let folders = Folders::from_env().map_err(io::Error::other)?;
        Ok(Self { folders, runtime: ManuallyDrop::new(crate::session::runtime()?) })
    }

    /// Serves the call of the program `own_name` with `args` over `wire`, as if the session had just been adopted. `None`
    /// where the tool would have to run.
    #[must_use]
    pub fn serve(&self, own_name: &OsStr, args: &[OsString], mut wire: Wire) -> Option<ExitCode> {
        let (tool, call) = wrapper::resolve(&wrapper::tool_of(own_name, args)?).ok()?;
        let served = wrapper::cached(&call, &tool, (&self.folders, &self.runtime), |lookup| {
            let request = wrapper::request(compile_request::Request::Lookup(lookup));
            let reply = wire.request(lane::COMPILE, request).map_err(|_| Aside::Quietly)?;
            wrapper::decode(&reply).map(|reply| (wire, reply))
        });
        served.ok()
    }
}
