//! A call's arguments with its response files read.

use std::io::Read as _;
use std::path::PathBuf;

use larder_fingerprint::Stamp;

use crate::args::{Refusal, response};
use crate::call::Call;
use crate::paths;

/// Most bytes of one response file.
const MAX_BYTES: u64 = 2 << 20;

/// What a tool would find on its command line. Two are equal when nothing has changed in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arguments {
    /// The arguments, those of response files in their place.
    pub(crate) all: Vec<Vec<u8>>,
    /// The response files as they were when they were read.
    files: Vec<(PathBuf, Stamp)>,
}

impl Arguments {
    /// Reads the response files that `call` names, as they are now.
    pub(crate) fn of(call: &Call) -> Result<Self, Refusal> {
        let mut files = Vec::new();
        let all = response::expand(&call.args, |name| {
            let path = paths::resolve(&call.cwd, name);
            // What is no file stays an argument, which is then refused; a pipe must not even be opened.
            if paths::is_a_process_own(&path) || !path.is_file() {
                return None;
            }
            let file = std::fs::File::open(&path).ok()?;
            let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let mut content = Vec::new();
            file.take(MAX_BYTES + 1).read_to_end(&mut content).ok()?;
            files.push((path, Stamp::of(&meta)));
            Some(content)
        })?;
        Ok(Self { all, files })
    }
}
