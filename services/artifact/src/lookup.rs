//! What is kept under a key.

use std::os::unix::ffi::OsStringExt as _;

use larder_proto::v1::artifact_reply::Reply;
use larder_proto::v1::{
    ArtifactAbsent, ArtifactFound, ArtifactLookup, ArtifactName, ArtifactOutput, ArtifactParts,
};
use larder_service::{ConnectionId, NewRecord, Reason};

use crate::parts;
use crate::service::{Core, Refusal};

impl Core {
    pub(crate) fn lookup(
        &self,
        connection: ConnectionId,
        start: u64,
        name: &ArtifactName,
        lookup: &ArtifactLookup,
    ) -> Result<Reply, Refusal> {
        let key = self.key(name)?;
        if let Some(parts) = &lookup.parts {
            parts::check(parts)?;
        }
        let Some(kept) = self.store.action(&key)? else {
            let (reason, detail) = self.why(name, lookup.parts.as_ref())?;
            return Ok(self.absent(start, name, reason, detail));
        };
        let mut outputs = Vec::with_capacity(kept.outputs.len());
        for output in &kept.outputs {
            self.store.pin(connection, &output.digest)?;
            let Some((blob, stamp)) = self.store.stamped_blob(&output.digest)? else {
                return Ok(self.absent(start, name, Reason::ResultGone, output.name.clone()));
            };
            outputs.push(ArtifactOutput {
                name: output.name.clone(),
                file: blob.into_os_string().into_vec(),
                size: output.digest.size,
                mode: output.mode,
                hash: output.digest.hash.to_vec(),
                blob_mtime_ns: stamp.mtime_ns,
                blob_ctime_ns: stamp.ctime_ns,
                blob_inode: stamp.inode,
            });
        }
        let bytes = if lookup.only_presence { 0 } else { outputs.iter().map(|output| output.size).sum() };
        let record = NewRecord { tool_us: kept.tool_us, bytes, ..NewRecord::default() };
        let record = self.record(start, Reason::ArtifactFound, name, record);
        if lookup.only_presence {
            return Ok(Reply::Found(ArtifactFound::default()));
        }
        Ok(Reply::Found(ArtifactFound {
            outputs,
            stdout: kept.stdout,
            stderr: kept.stderr,
            exit_code: kept.exit_code,
            tool_us: kept.tool_us,
            created_unix_ms: kept.created_unix_ms,
            record,
        }))
    }

    /// Why nothing is kept, as far as what was stored last tells.
    fn why(&self, name: &ArtifactName, asked: Option<&ArtifactParts>) -> Result<(Reason, String), Refusal> {
        let absent = (Reason::ArtifactAbsent, String::new());
        let Some(asked) = asked else { return Ok(absent) };
        let before = self.store.manifest(&parts::slot(&name.space, asked))?;
        let before = before.and_then(|bytes| parts::decode(&bytes));
        // Alike and yet absent: it was evicted.
        Ok(before.map_or(absent, |before| {
            parts::difference(&before, asked).unwrap_or((Reason::ResultGone, String::new()))
        }))
    }

    fn absent(&self, start: u64, name: &ArtifactName, reason: Reason, detail: String) -> Reply {
        self.record(start, reason, name, NewRecord { detail: detail.clone(), ..NewRecord::default() });
        let (id, sentence) = (reason.id().to_owned(), reason.sentence().to_owned());
        Reply::Absent(ArtifactAbsent { reason: id, sentence, detail })
    }
}
