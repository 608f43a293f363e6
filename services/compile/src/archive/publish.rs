//! Stores an archive, when it is sure what it was made of.

use std::collections::HashSet;

use larder_proto::v1::Publish;
use larder_service::Reason;
use larder_store::{ActionResult, OutputBlob, StoreError};

use super::{ARCHIVE, Filing, contents};
use crate::args::Refusal;
use crate::files;
use crate::identity::Tool;
use crate::inputs::{self, about};
use crate::paths;
use crate::publish::{MODE, Stored, Written};
use crate::record::bare;
use crate::state::{Core, OWNER};

impl Core {
    /// Stores what `publish` tells of, or says why not. Reads many files: for threads that may block.
    pub(crate) fn publish_archive(&self, filing: &Filing, publish: &Publish) -> Result<Stored, Refusal> {
        let started = self.may_be_stored(publish)?;
        // What it says names files by more than what is in the key.
        if !publish.stdout.is_empty() || !publish.stderr.is_empty() {
            return Err(bare(Reason::ArchiverSpoke));
        }
        let spelled = &filing.request.archive;
        let written = Written::at(&filing.path, spelled, started)?;
        self.members_are_as_they_were(filing, started)?;
        match &*self.compilers.tool(&filing.call)? {
            Tool::Archiver(archiver) if archiver.key == filing.archiver.key => {}
            _ => {
                let detail = paths::path_text(&filing.call.tool);
                return Err(Refusal { reason: Reason::InputsChangedMeanwhile, detail });
            }
        }
        let changed = || about(Reason::InputsChangedMeanwhile, spelled);
        let (made, digest) = contents::read(&filing.path).ok_or_else(changed)?;
        if filing.expected.as_ref() != Some(&made) {
            return Err(changed());
        }
        let failed = |error: StoreError| {
            tracing::warn!(%error, "failed to store an archive");
            bare(Reason::StoreFailed)
        };
        let stored = self.store.put_file(&filing.path).map_err(failed)?;
        if stored != digest || Written::at(&filing.path, spelled, started)? != written {
            return Err(changed());
        }
        self.writers.refuse_disturbed(publish.lease)?;
        let result = ActionResult {
            outputs: vec![OutputBlob { name: ARCHIVE.to_owned(), digest, mode: MODE }],
            stdout: Vec::new(),
            stderr: Vec::new(),
            exit_code: 0,
            tool_us: publish.tool_us,
            created_unix_ms: self.context.clock.unix_ms(),
        };
        self.store.put_action(OWNER, &filing.base, &result).map_err(failed)?;
        self.remember_archive(filing);
        if let Err(error) = self.store.evict_if_needed() {
            tracing::warn!(%error, "failed to make room in the store");
        }
        Ok(Stored { action: filing.base, bytes: digest.size })
    }

    /// The next miss of this call can tell that its files have changed.
    pub(crate) fn remember_archive(&self, filing: &Filing) {
        self.seen.remember(filing.seen, filing.inputs);
    }

    fn members_are_as_they_were(&self, filing: &Filing, started: u64) -> Result<(), Refusal> {
        let cwd = filing.call.cwd.as_path();
        let reader = inputs::Reader { cwd, fingerprints: &self.fingerprints, texts: &self.texts, started };
        let mut checked = HashSet::new();
        for (spelled, digest) in filing.request.members.iter().zip(&filing.members) {
            let changed = || about(Reason::InputsChangedMeanwhile, spelled);
            let path = paths::resolve(cwd, spelled);
            let now = files::fingerprint(&self.fingerprints, &path).map_err(|_| changed())?;
            if now.digest != *digest || files::young(&now.stamp, started) || reader.moved(&path, &mut checked)
            {
                return Err(changed());
            }
        }
        Ok(())
    }
}
