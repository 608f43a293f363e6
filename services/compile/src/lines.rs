//! Files that GCC reads because a `#line` names them: it quotes their lines in its messages, and looks up where on
//! them something stands before it warns of an indentation. No list has them.

use std::collections::HashSet;

use larder_service::Reason;

use crate::args::{Family, Invocation, Language, Refusal};
use crate::files::{self, Node};
use crate::inputs::{ReadFile, Reader, about};
use crate::manifest::Input;
use crate::paths;
use crate::places::Asked;

/// The named files that are there, as inputs; those that are not are added to `asked`.
pub(crate) fn named(
    reader: &Reader<'_>,
    family: Family,
    invocation: &Invocation,
    files: &[ReadFile],
    asked: &mut Asked,
) -> Result<Vec<Input>, Refusal> {
    if family != Family::Gcc || invocation.language == Language::Assembler {
        return Ok(Vec::new());
    }
    let compiled = matches!(invocation.language, Language::C | Language::Cxx);
    let mut known: HashSet<&[u8]> = files.iter().map(|file| file.input.path.as_slice()).collect();
    let mut inputs = Vec::new();
    for file in files {
        // In assembly, what begins with a number is most often a comment.
        if compiled && file.asks.computed_line {
            return Err(about(Reason::IncludeComputed, &file.input.path));
        }
        for name in file.asks.lines_of.iter().filter(|name| known.insert(name.as_slice())) {
            let path = paths::resolve(reader.cwd, name);
            let Node::File(_) = files::node(reader.fingerprints, &path)? else {
                let (folder, name) = paths::split(name);
                asked.add_local(folder, name, false);
                continue;
            };
            let fingerprint = files::fingerprint(reader.fingerprints, &path)?;
            if files::young(&fingerprint.stamp, reader.started) {
                return Err(about(Reason::InputsChangedMeanwhile, name));
            }
            inputs.push(Input { path: name.clone(), digest: fingerprint.digest, code: None });
        }
    }
    Ok(inputs)
}
