//! What an archiver call reads, and its key.

use std::path::Path;
use std::sync::Arc;

use larder_service::{Digest, Hasher, Reason};

use super::contents::{self, Contents};
use super::{Filing, args};
use crate::args::Refusal;
use crate::call::Call;
use crate::files;
use crate::identity::{Archiver, Role};
use crate::inputs::about;
use crate::paths;
use crate::record::Draft;
use crate::state::Core;

/// Changes whenever what a key means changes, so that no older result is found again.
const FORMAT: &[u8] = &[1];

/// Variables that can reach an archive.
const VARIABLES: &[&str] = &["GNUTARGET", "SOURCE_DATE_EPOCH", "ZERO_AR_DATE"];

impl Core {
    /// Takes an archiver's call apart and makes its key; `draft` learns what becomes known on the way.
    pub(crate) async fn prepare_archive(
        self: &Arc<Self>,
        call: &Arc<Call>,
        archiver: Arc<Archiver>,
        draft: &mut Draft,
    ) -> Result<Filing, Refusal> {
        let request = Arc::new(args::parse(archiver.role, archiver.deterministic, &call.args)?);
        draft.archived(&request);
        let work = move |core: &Self, call: &Arc<Call>| core.filing(call, archiver, request);
        self.blocking(call, work).await
    }

    /// Reads all inputs: for threads that may block.
    fn filing(
        &self,
        call: &Arc<Call>,
        archiver: Arc<Archiver>,
        request: Arc<super::Request>,
    ) -> Result<Filing, Refusal> {
        let path = paths::resolve(&call.cwd, &request.archive);
        let existing = match path.symlink_metadata() {
            Ok(meta) if !meta.is_file() => return Err(about(Reason::OutputNotAFile, &request.archive)),
            Ok(_) => Some(files::fingerprint(&self.fingerprints, &path)?.digest),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(_) => return Err(about(Reason::InputUnreadable, &request.archive)),
        };
        if existing.is_none() && archiver.role == Role::Index {
            return Err(about(Reason::InputUnreadable, &request.archive));
        }
        let digest = |member: &Vec<u8>| {
            let path = paths::resolve(&call.cwd, member);
            Ok(files::fingerprint(&self.fingerprints, &path)?.digest)
        };
        let members = request.members.iter().map(digest).collect::<Result<Vec<_>, Refusal>>()?;

        let mut hasher = Hasher::key("archive");
        hasher.field("format", FORMAT);
        hasher.field("archiver", &archiver.key.0);
        hasher.field("letters", &request.letters);
        for member in &request.members {
            hasher.field("member", paths::split(member).1);
        }
        for name in VARIABLES {
            if let Some(value) = call.env.get(name) {
                hasher.field("variable", name.as_bytes());
                hasher.field("value", value);
            }
        }
        let mut seen = hasher.clone();
        seen.field("place", &paths::into_bytes(path.clone()));
        let mut contents = Vec::new();
        if let Some(existing) = &existing {
            hasher.field("existing", &existing.hash);
            contents.extend_from_slice(&existing.hash);
        }
        for member in &members {
            hasher.field("content", &member.hash);
            contents.extend_from_slice(&member.hash);
        }
        Ok(Filing {
            call: Arc::clone(call),
            archiver,
            request,
            path,
            existing,
            members,
            base: hasher.finish_key(),
            seen: seen.finish_key(),
            inputs: Digest::of(&contents),
            expected: None,
        })
    }

    /// Before the tool runs: what it has to make of the archive that is there.
    pub(crate) async fn expect_archive(self: &Arc<Self>, mut filing: Filing) -> Result<Filing, Refusal> {
        let call = Arc::clone(&filing.call);
        let work = move |_: &Self, _: &Arc<Call>| {
            let before = match filing.existing {
                None => Contents::default(),
                Some(digest) => before(&filing.path, &filing.request.archive, &digest)?,
            };
            filing.expected = Some(before.after(&filing.request, &filing.members));
            Ok(filing)
        };
        self.blocking(&call, work).await
    }

    /// Why there is no result for `filing`.
    pub(crate) fn archive_missing(&self, filing: &Filing) -> Refusal {
        match self.seen.source(&filing.seen) {
            Some(then) if then != filing.inputs => about(Reason::InputChanged, &filing.request.archive),
            _ => crate::record::bare(Reason::FirstSeen),
        }
    }
}

fn before(path: &Path, spelled: &[u8], digest: &Digest) -> Result<Contents, Refusal> {
    // A thin archive's members lie elsewhere.
    let (contents, read) =
        contents::read(path).ok_or_else(|| about(Reason::ArchiveOperationUncacheable, spelled))?;
    if read != *digest {
        return Err(about(Reason::InputsChangedMeanwhile, spelled));
    }
    Ok(contents)
}
