//! Links: through a compiler's driver or by the linker itself, from the command line to what is stored.
//!
//! The linker lists what it read. What it looked for in vain follows from the names of what it found and of what it
//! was asked for, held against every folder that it may have looked into.

mod args;
mod options;
mod prepare;
mod publish;
mod study;

use std::path::PathBuf;
use std::sync::Arc;

use larder_proto::v1::WriteStyle;
use larder_service::Key;

pub(crate) use self::args::{Request, driver, linker};
pub(crate) use self::study::{Study, study};
use crate::call::Call;
use crate::hit::DEPFILE;
use crate::identity::{Linker, Tool};

/// Name of the program, library or object in an action result.
const LINKED: &str = "linked";

/// A link that can be cached, and what its key is made of.
#[derive(Clone, Debug)]
pub(crate) struct Linking {
    pub(crate) call: Arc<Call>,
    pub(crate) tool: Arc<Tool>,
    pub(crate) linker: Arc<Linker>,
    pub(crate) arguments: Arc<crate::arguments::Arguments>,
    pub(crate) request: Arc<Request>,
    pub(crate) base: Key,
}

/// A link under way.
#[derive(Debug)]
pub(crate) struct Joining {
    pub(crate) linking: Linking,
    /// The list of files that the linker read.
    pub(crate) list: PathBuf,
    /// The list is the daemon's own, to be removed.
    pub(crate) list_is_ours: bool,
}

impl Linking {
    /// How many files it writes.
    pub(crate) fn outputs(&self) -> usize {
        1 + usize::from(self.request.list.is_some())
    }

    /// Where the output called `name` goes, and how it is written there.
    pub(crate) fn place(&self, name: &str) -> Option<(&[u8], WriteStyle)> {
        match (name, &self.request.list) {
            (LINKED, _) => Some((&self.request.output, WriteStyle::Replace)),
            (DEPFILE, Some(list)) => Some((list, WriteStyle::Rewrite)),
            _ => None,
        }
    }

    /// The caller's arguments with those added that make the linker list what it reads in `list`.
    pub(crate) fn with_list(&self, list: &[u8]) -> Vec<Vec<u8>> {
        let option = [b"--dependency-file=", list].concat();
        let handed_on = matches!(*self.tool, Tool::Compiler(_)).then(|| b"-Xlinker".to_vec());
        self.call.args.iter().cloned().chain(handed_on).chain([option]).collect()
    }
}
