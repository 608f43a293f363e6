//! The reply to a call whose result is known.

use std::os::unix::ffi::OsStrExt as _;

use larder_proto::v1::{Hit, OutputFile, WriteStyle};
use larder_service::Reason;

use crate::args::{Invocation, Refusal};
use crate::lookup::Known;
use crate::record::bare;
use crate::state::Core;

/// Names of outputs in an action result.
pub(crate) const OBJECT: &str = "object";
/// See [`OBJECT`].
pub(crate) const DEPFILE: &str = "depfile";

/// Largest output that travels in the reply itself, bytes.
const MAX_INLINE: u64 = 16 * 1024;

impl Core {
    /// What the client writes and replays; without its record's number. Refused when an output is gone after all.
    pub(crate) fn hit(&self, invocation: &Invocation, known: &Known) -> Result<Hit, Refusal> {
        let gone = || bare(Reason::ResultGone);
        let failed = |error: larder_store::StoreError| {
            tracing::warn!(%error, "failed to read an output");
            bare(Reason::StoreFailed)
        };
        let mut outputs = Vec::with_capacity(known.result.outputs.len());
        for output in &known.result.outputs {
            let (path, in_place) = match (output.name.as_str(), &invocation.depfile) {
                (OBJECT, _) => (&invocation.object, invocation.object_in_place),
                (DEPFILE, Some(depfile)) => (&depfile.path, true),
                (name, _) => {
                    let side = invocation.side.iter().find(|side| side.suffix == name).ok_or_else(gone)?;
                    (&side.path, side.in_place)
                }
            };
            let style = if in_place { WriteStyle::Rewrite } else { WriteStyle::Replace };
            let mut file = OutputFile {
                path: path.clone(),
                size: output.digest.size,
                mode: output.mode,
                style: style.into(),
                ..Default::default()
            };
            if output.digest.size <= MAX_INLINE {
                let content = self.store.read_blob(&output.digest, MAX_INLINE).map_err(failed)?;
                file.inline = content.ok_or_else(gone)?;
            } else {
                let blob = self.store.blob(&output.digest).map_err(failed)?.ok_or_else(gone)?;
                file.blob = blob.as_os_str().as_bytes().to_vec();
            }
            outputs.push(file);
        }
        if outputs.len() != invocation.outputs().count() {
            return Err(gone());
        }
        Ok(Hit {
            outputs,
            stdout: known.result.stdout.clone(),
            stderr: known.result.stderr.clone(),
            exit_code: known.result.exit_code,
            record: 0,
        })
    }
}
