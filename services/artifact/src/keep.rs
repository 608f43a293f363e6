//! An artifact is handed in.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::PoisonError;

use larder_proto::v1::artifact_reply::Reply;
use larder_proto::v1::{
    ArtifactAlreadyExists, ArtifactName, ArtifactOpened, ArtifactOutput, ArtifactStore, ArtifactStored,
};
use larder_service::{ConnectionId, Digest, NewRecord, Reason};
use larder_store::{ActionResult, OutputBlob};

use crate::service::{Core, OWNER, Refusal};
use crate::{limits, parts};

fn malformed(sentence: String) -> Refusal {
    Refusal(Reason::RequestMalformed, sentence)
}

impl Core {
    pub(crate) fn open(&self, connection: ConnectionId, start: u64) -> Result<Reply, Refusal> {
        // The client would write to a disk that takes nothing for as long as that does.
        self.store.answers().map_err(|error| Refusal(Reason::StoreFailed, error.to_string()))?;
        // A name that no earlier daemon has given: a client may still clear up behind it.
        let now = self.context.clock.unix_ns();
        let mut all = self.staging();
        let folder = all
            .entry(connection)
            .or_insert_with(|| self.context.tmp.join(format!("artifact-{connection}-{now}")));
        let made = DirBuilder::new().mode(0o700).recursive(true).create(&*folder);
        made.map_err(|error| {
            Refusal(Reason::StoreFailed, format!("failed to make {}: {error}", folder.display()))
        })?;
        let staging = folder.as_os_str().as_bytes().to_vec();
        drop(all);
        self.record(start, Reason::ArtifactOpened, &ArtifactName::default(), NewRecord::default());
        Ok(Reply::Opened(ArtifactOpened { staging }))
    }

    pub(crate) fn keep(
        &self,
        connection: ConnectionId,
        start: u64,
        name: &ArtifactName,
        new: &ArtifactStore,
    ) -> Result<Reply, Refusal> {
        let key = self.key(name)?;
        limits::outputs(&new.outputs, [&new.stdout, &new.stderr])?;
        if let Some(parts) = &new.parts {
            parts::check(parts)?;
        }
        let staging = self.staging().get(&connection).cloned();
        let taken = |output: &ArtifactOutput| self.take(connection, staging.as_deref(), output);
        let mut outputs = new.outputs.iter().map(taken).collect::<Result<Vec<_>, _>>()?;
        outputs.sort_by(|a, b| a.name.cmp(&b.name));
        let bytes = outputs.iter().map(|output| output.digest.size).sum();
        let result = ActionResult {
            outputs,
            stdout: new.stdout.clone(),
            stderr: new.stderr.clone(),
            exit_code: new.exit_code,
            tool_us: new.tool_us,
            created_unix_ms: self.context.clock.unix_ms(),
        };
        let record = NewRecord { tool_us: new.tool_us, bytes, ..NewRecord::default() };
        let _alone = self.taking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = self.store.action(&key)?
            && self.is_whole(&kept)?
        {
            let same = is_same(&kept, &result);
            self.record(start, Reason::ArtifactExists, name, NewRecord { bytes: 0, ..record });
            return Ok(Reply::AlreadyExists(ArtifactAlreadyExists { same }));
        }
        self.store.put_action(OWNER, &key, &result)?;
        if let Some(parts) = &new.parts {
            self.store.put_manifest(OWNER, &parts::slot(&name.space, parts), &parts::encode(parts))?;
        }
        self.record(start, Reason::ArtifactStored, name, record);
        Ok(Reply::Stored(ArtifactStored { bytes }))
    }

    /// Makes one staged file a blob, and proves it: the client's word for its content is not enough.
    fn take(
        &self,
        connection: ConnectionId,
        staging: Option<&Path>,
        output: &ArtifactOutput,
    ) -> Result<OutputBlob, Refusal> {
        let staging =
            staging.ok_or_else(|| malformed("the connection was not opened for files".to_owned()))?;
        // A file of this very folder, and no other.
        let name = str::from_utf8(&output.file).unwrap_or_default();
        if name.is_empty() || name.len() > 20 || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed("an output's file has no such name".to_owned()));
        }
        let hash = output.hash.as_slice().try_into();
        let hash = hash.map_err(|_| malformed("an output's hash has not 32 bytes".to_owned()))?;
        let digest = Digest { hash, size: output.size };
        self.store.put_staged(connection, &staging.join(name), &digest)?;
        if self.store.blob(&digest)?.is_none() {
            return Err(malformed(format!("the output {:?} is not what its hash says", output.name)));
        }
        Ok(OutputBlob { name: output.name.clone(), digest, mode: output.mode & 0o7777 })
    }

    fn is_whole(&self, kept: &ActionResult) -> Result<bool, Refusal> {
        for output in &kept.outputs {
            if self.store.blob(&output.digest)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// When and how quickly it was made plays no part.
fn is_same(one: &ActionResult, other: &ActionResult) -> bool {
    (&one.outputs, &one.stdout, &one.stderr, one.exit_code)
        == (&other.outputs, &other.stdout, &other.stderr, other.exit_code)
}
