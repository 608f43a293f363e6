//! A call's arguments with its response files read.

use std::io::Read as _;
use std::path::PathBuf;

use larder_fingerprint::Stamp;
use larder_service::Reason;

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
        // What is no file stays an argument, which is then refused.
        let all = response::expand(&call.args, |name| read(call, name, &mut files))?;
        Ok(Self { all, files })
    }

    /// Reads the argument files that `call`, one of `rustc`, names: one argument a line, not one file within another.
    pub(crate) fn of_rustc(call: &Call) -> Result<Self, Refusal> {
        let mut files = Vec::new();
        let mut all = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            let Some(name) = arg.strip_prefix(b"@") else {
                all.push(arg.clone());
                continue;
            };
            let content = read(call, name, &mut files).filter(|content| content.len() as u64 <= MAX_BYTES);
            let content =
                content.ok_or_else(|| Refusal { reason: Reason::ResponseFile, detail: paths::text(name) })?;
            let text = content.strip_suffix(b"\n").unwrap_or(&content);
            all.extend(
                text.split(|byte| *byte == b'\n')
                    .map(|line| line.strip_suffix(b"\r").unwrap_or(line).to_vec()),
            );
        }
        Ok(Self { all, files })
    }
}

/// The content of the file `name`, noted among `files`. `None` where there is none.
fn read(call: &Call, name: &[u8], files: &mut Vec<(PathBuf, Stamp)>) -> Option<Vec<u8>> {
    let path = paths::resolve(&call.cwd, name);
    // A pipe must not even be opened.
    if paths::is_a_process_own(&path) || !path.is_file() {
        return None;
    }
    let file = std::fs::File::open(&path).ok()?;
    let meta = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let mut content = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut content).ok()?;
    files.push((path, Stamp::of(&meta)));
    Some(content)
}
