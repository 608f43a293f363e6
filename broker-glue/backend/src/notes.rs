//! What the daemon knows of files and tools, kept for the next one of this run of the machine.

use std::path::PathBuf;
use std::sync::Arc;

use larder_compile::Compile;
use larder_fingerprint::Fingerprints;
use larder_glue::folders::Folders;
use larder_glue::private;
use larder_service::{NoteError, Reader};

/// The memories, and the folder of the files that they are noted in when the daemon ends: it is gone with the run of the machine.
pub(crate) struct Notes {
    folder: PathBuf,
    reader: Reader,
    fingerprints: Arc<Fingerprints>,
    compile: Arc<Compile>,
}

/// Digests of files.
const DIGESTS: &str = "digests";
/// Identities of tools.
const TOOLS: &str = "tools";

impl Notes {
    pub(crate) fn new(
        folders: &Folders,
        reader: Reader,
        fingerprints: Arc<Fingerprints>,
        compile: Arc<Compile>,
    ) -> Self {
        Self { folder: folders.runtime.clone(), reader, fingerprints, compile }
    }

    /// Takes in what the last daemon knew. Where it left nothing that is of use, that costs time alone.
    pub(crate) fn recall(&self) {
        let (reader, fingerprints, compile) = (&self.reader, &self.fingerprints, &self.compile);
        self.read(DIGESTS, larder_fingerprint::MAX_NOTE_BYTES, |note| fingerprints.recall(reader, note));
        self.read(TOOLS, larder_compile::MAX_NOTE_BYTES, |note| compile.recall(reader, note));
    }

    fn read(&self, name: &str, limit: usize, recall: impl FnOnce(&[u8]) -> Result<usize, NoteError>) {
        let file = self.folder.join(name);
        match private::read_own(&file, limit as u64) {
            Ok(Some(note)) => match recall(&note) {
                Ok(count) => tracing::info!(count, "the last daemon has left its {name}"),
                Err(error) => tracing::info!("{} is of no use: {error}", file.display()),
            },
            Ok(None) => {}
            Err(error) => tracing::warn!("{:#}", anyhow::Error::from(error)),
        }
    }

    /// Writes what is known by now.
    ///
    /// # Errors
    /// When the disk is full, for example.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        // Without it nobody could tell whether a note still holds.
        if self.reader.boot == 0 {
            return Ok(());
        }
        private::write_atomically(&self.folder.join(DIGESTS), &self.fingerprints.note(&self.reader))?;
        Ok(private::write_atomically(&self.folder.join(TOOLS), &self.compile.note(&self.reader))?)
    }

    /// Every file is read and every tool asked again, by this daemon or by the next.
    pub(crate) fn forget(&self) {
        self.fingerprints.forget();
        self.compile.forget();
    }
}
