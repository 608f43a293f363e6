//! Archives: `ar` and `ranlib` calls, from the command line to what is stored.
//!
//! All that such a call reads is known before it runs, so a result is found by its key alone, without a manifest.

mod args;
pub(crate) mod contents;
mod prepare;
mod publish;

use std::path::PathBuf;
use std::sync::Arc;

use larder_proto::v1::WriteStyle;
use larder_service::{Digest, Key};

pub(crate) use self::args::{Request, parse};
pub(crate) use self::contents::Contents;
use crate::call::Call;
use crate::identity::Archiver;

/// Name of the one output in an action result.
pub(crate) const ARCHIVE: &str = "archive";

/// An archiver call that can be cached, and what its key is made of.
#[derive(Clone, Debug)]
pub(crate) struct Filing {
    pub(crate) call: Arc<Call>,
    pub(crate) archiver: Arc<Archiver>,
    pub(crate) request: Arc<Request>,
    /// Where the archive lies.
    path: PathBuf,
    /// Content of the archive that is there already.
    existing: Option<Digest>,
    /// Content of each member file, in the order of the request.
    members: Vec<Digest>,
    pub(crate) base: Key,
    /// The call whatever its files hold.
    seen: Key,
    /// All files' contents in one.
    inputs: Digest,
    /// What the archive must hold after the call; worked out only when the tool is to run.
    expected: Option<Contents>,
}

impl Filing {
    /// How the archiver itself would write the archive.
    pub(crate) fn style(&self) -> WriteStyle {
        if self.existing.is_some() && self.archiver.keeps_file {
            WriteStyle::Keep
        } else {
            WriteStyle::Replace
        }
    }
}
