//! What of a root a compile could leave behind in spite of its prefix map.

use std::path::Path;

use larder_fingerprint::Fingerprints;
use larder_proto::v1::Publish;
use larder_service::Reason;
use memchr::memmem;

use super::Root;
use crate::args::{Family, Refusal};
use crate::inputs::{ReadFile, about};
use crate::lookup::Prepared;
use crate::paths;

/// Where Clang writes a path that it does not map, and a program can take it apart before it is written.
const UNMAPPED: &[&str] = &["__PRETTY_FUNCTION__", "__builtin_FILE", "__builtin_source_location"];

/// Headers that only pass those on, as text that can be found.
const PASS_ON: &[&[u8]] = &[b"assert.h", b"c++config.h", b"assertions.h"];

impl Root {
    /// Refuses messages that name the root.
    pub(crate) fn refuse_named_in(&self, publish: &Publish) -> Result<(), Refusal> {
        match [&publish.stdout, &publish.stderr].into_iter().any(|stream| self.is_named_in(stream)) {
            true => Err(about(Reason::NamesTheRoot, b"a message")),
            false => Ok(()),
        }
    }

    /// Refuses an output at `path`, spelled `spelled`, that names the root.
    pub(crate) fn refuse_named_at(&self, path: &Path, spelled: &[u8]) -> Result<(), Refusal> {
        match std::fs::read(path) {
            Ok(content) if !self.is_named_in(&content) => Ok(()),
            Ok(_) => Err(about(Reason::NamesTheRoot, spelled)),
            Err(_) => Err(about(Reason::OutputMissing, spelled)),
        }
    }

    /// Refuses inputs of `prepared` under which the result may depend on the root though nothing shows it.
    pub(crate) fn refuse_traces_in(
        &self,
        prepared: &Prepared,
        files: &[ReadFile],
        fingerprints: &Fingerprints,
    ) -> Result<(), Refusal> {
        let family = prepared.driver.dialect.family;
        let by_root = files.iter().any(|file| self.rest(&file.input.path).is_some());
        for file in files {
            let path = &file.input.path;
            let look = |text: &[u8]| {
                let unmapped = family == Family::Clang
                    && by_root
                    && !PASS_ON.contains(&paths::split(path).1)
                    && UNMAPPED.iter().any(|word| memmem::find(text, word.as_bytes()).is_some());
                unmapped || self.is_named_in(text)
            };
            let (now, found) = fingerprints
                .content(&file.path, look)
                .map_err(|_| about(Reason::InputsChangedMeanwhile, path))?;
            if now.digest != file.input.digest {
                return Err(about(Reason::InputsChangedMeanwhile, path));
            }
            if found || file.asks.names_a_file || family == Family::Gcc && !self.explains(prepared, path) {
                return Err(about(Reason::NamesTheRoot, path));
            }
        }
        Ok(())
    }

    /// Whether `path` begins as the command line spells it. GCC writes a real path in the place of one through a link,
    /// and where a link leads is another matter in each tree.
    fn explains(&self, prepared: &Prepared, path: &[u8]) -> bool {
        let invocation = &prepared.invocation;
        let named = std::iter::once(&invocation.source).chain(&invocation.search.forced);
        let named = named.map(|file| paths::split(file).0);
        let mut folders = invocation.search.folders.iter().map(Vec::as_slice).chain(named);
        let begins = |folder: &[u8]| {
            self.rest(folder).is_some()
                && path
                    .strip_prefix(folder)
                    .is_some_and(|rest| folder.ends_with(b"/") || rest.starts_with(b"/"))
        };
        self.rest(path).is_none() || folders.any(begins)
    }
}
