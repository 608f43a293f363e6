//! The reply to a call whose result is known.

use std::os::unix::ffi::OsStrExt as _;

use larder_proto::v1::{Hit, OutputFile, WriteStyle};
use larder_service::Reason;

use crate::archive::ARCHIVE;
use crate::args::Refusal;
use crate::lookup::{Known, Work};
use crate::portable::list;
use crate::record::bare;
use crate::rust::{
    self,
    outputs::{Form, Outputs},
};
use crate::state::Core;

/// Names of outputs in an action result.
pub(crate) const OBJECT: &str = "object";
/// See [`OBJECT`].
pub(crate) const DEPFILE: &str = "depfile";

/// Largest output that travels in the reply itself, bytes.
const MAX_INLINE: u64 = 64 * 1024;

impl Core {
    /// What the client writes and replays; without its record's number. Refused when an output is gone after all.
    pub(crate) fn hit(&self, work: &Work, known: &Known) -> Result<Hit, Refusal> {
        let gone = || bare(Reason::ResultGone);
        let failed = |error: larder_store::StoreError| {
            tracing::warn!(%error, "failed to read an output");
            bare(Reason::StoreFailed)
        };
        let mut outputs = Vec::with_capacity(known.result.outputs.len());
        for output in known.result.outputs.iter().filter(|output| output.name != rust::list::NAME) {
            let (path, style) = place(work, &output.name).ok_or_else(gone)?;
            let mut file = OutputFile {
                path,
                size: output.digest.size,
                mode: output.mode,
                style: style.into(),
                ..Default::default()
            };
            if is_each_calls_own(work, &output.name) {
                let stored = self.store.read_blob(&output.digest, list::MAX_BYTES).map_err(failed)?;
                file.inline = list_for_this_call(work, &stored.ok_or_else(gone)?).ok_or_else(gone)?;
                file.size = file.inline.len() as u64;
            } else if output.digest.size <= MAX_INLINE {
                let content = self.store.read_blob(&output.digest, MAX_INLINE).map_err(failed)?;
                file.inline = content.ok_or_else(gone)?;
            } else {
                let found = self.store.stamped_blob(&output.digest).map_err(failed)?;
                let (blob, stamp) = found.ok_or_else(gone)?;
                file.blob = blob.as_os_str().as_bytes().to_vec();
                (file.blob_mtime_ns, file.blob_ctime_ns) = (stamp.mtime_ns, stamp.ctime_ns);
                file.blob_inode = stamp.inode;
                if let Work::Rust(work) = work {
                    self.expect_copy(work, &file, output.digest);
                }
            }
            outputs.push(file);
        }
        let expected = match work {
            Work::Compile(prepared) => prepared.invocation.outputs().count(),
            Work::Archive(_) => 1,
            Work::Question(_) => 0,
            Work::Link(linking) => linking.outputs(),
            // The list of sources of one that was refused a feature.
            Work::Rust(_) if known.result.exit_code != 0 => 1,
            // Debug information may stand beside them.
            Work::Rust(work) => outputs.len().max(rust::outputs::expected(&work.request).len()),
        };
        if outputs.len() != expected {
            return Err(gone());
        }
        let stderr = match work {
            Work::Rust(work) => work.outputs.put_in_notes(&known.result.stderr).ok_or_else(gone)?,
            _ => known.result.stderr.clone(),
        };
        Ok(Hit {
            outputs,
            stdout: known.result.stdout.clone(),
            stderr,
            exit_code: known.result.exit_code,
            record: 0,
        })
    }
}

/// Whether the output called `name` is a list that is stored with marks, since it names what each call has elsewhere.
fn is_each_calls_own(work: &Work, name: &str) -> bool {
    match work {
        Work::Compile(prepared) => name == DEPFILE && prepared.shared_root().is_some(),
        Work::Rust(work) => name == rust::outputs::dep_info_name(&work.request),
        Work::Link(_) | Work::Archive(_) | Work::Question(_) => false,
    }
}

/// Such a list as this call's tool would have written it.
fn list_for_this_call(work: &Work, stored: &[u8]) -> Option<Vec<u8>> {
    match work {
        Work::Compile(prepared) => {
            list::put_in(prepared.driver.dialect.family, prepared.shared_root()?, stored)
        }
        Work::Rust(work) => work.outputs.put_in_list(stored),
        Work::Link(_) | Work::Archive(_) | Work::Question(_) => None,
    }
}

/// Where the output called `name` goes, and how it is written there.
fn place(work: &Work, name: &str) -> Option<(Vec<u8>, WriteStyle)> {
    match work {
        Work::Compile(prepared) => {
            let invocation = &prepared.invocation;
            let (path, in_place) = match (name, &invocation.depfile) {
                (OBJECT, _) => (&invocation.object, invocation.object_in_place),
                (DEPFILE, Some(depfile)) => (&depfile.path, true),
                (name, _) => {
                    let side = invocation.side.iter().find(|side| side.suffix == name)?;
                    (&side.path, side.in_place)
                }
            };
            Some((path.clone(), if in_place { WriteStyle::Rewrite } else { WriteStyle::Replace }))
        }
        Work::Link(linking) => linking.place(name).map(|(path, style)| (path.to_vec(), style)),
        Work::Question(_) => None,
        Work::Archive(filing) => (name == ARCHIVE).then(|| (filing.request.archive.clone(), filing.style())),
        Work::Rust(work) => {
            let style = match Outputs::form(name) {
                Form::InPlace => WriteStyle::Rewrite,
                Form::Replaced => WriteStyle::Replace,
            };
            Some((work.outputs.place(name)?, style))
        }
    }
}
