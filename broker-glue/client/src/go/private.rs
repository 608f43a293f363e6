//! Outputs that the daemon could not take: files in a folder of this adapter's own.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use larder_glue::folders::Folders;

use super::paths;
use super::request::Name;

/// What nobody has used for a day is removed, as the go command does in its own cache.
const KEPT: Duration = Duration::from_hours(24);

const NAME: &str = "larder-own";

/// The adapter's own folder, made when it is first needed.
#[derive(Default)]
pub(super) struct Private {
    folder: Mutex<Option<PathBuf>>,
    files: AtomicU64,
}

impl Private {
    /// A new file in it, to be written and read.
    ///
    /// # Errors
    /// When no folder can be written.
    pub(super) fn file(&self) -> io::Result<(File, PathBuf)> {
        let path = self.folder()?.join(format!("new-{}", self.files.fetch_add(1, Ordering::Relaxed)));
        Ok((create(&path)?, path))
    }

    /// Gives a written file the name of its content. One that has the name already stays: somebody may have it open.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub(super) fn settle(&self, path: &Path, output: &Name, size: u64) -> io::Result<PathBuf> {
        let name: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
        let settled = path.with_file_name(format!("{name}-{size}"));
        if settled.metadata().is_ok_and(|metadata| metadata.len() == size) {
            fs::remove_file(path)?;
        } else {
            fs::rename(path, &settled)?;
        }
        Ok(settled)
    }

    /// Copies the `size` bytes of `body`, whatever has become of its name.
    ///
    /// # Errors
    /// When they cannot be read, or there is no room.
    pub(super) fn copy(&self, body: &mut File, output: &Name, size: u64) -> io::Result<PathBuf> {
        let (mut file, path) = self.file()?;
        body.rewind()?;
        let copied = io::copy(body, &mut file)?;
        if copied != size {
            let _ = fs::remove_file(&path);
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.settle(&path, output, size)
    }

    fn folder(&self) -> io::Result<PathBuf> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(folder) = &*folder {
            return Ok(folder.clone());
        }
        let runtime = Folders::from_env().ok().map(|folders| folders.runtime);
        let candidates = [paths::gocache(), runtime, Some(std::env::temp_dir())];
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        // What is told in JSON must be text.
        for parent in candidates.into_iter().flatten().filter(|path| path.to_str().is_some()) {
            match make(&parent.join(NAME)) {
                Ok(made) => return Ok(folder.insert(made).clone()),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// A new file that nobody writes to once it is closed.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o444).open(path)
}

fn make(parent: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
    sweep(parent);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let path = parent.join(format!("{}-{}", std::process::id(), now.as_nanos()));
    DirBuilder::new().mode(0o700).create(&path)?;
    Ok(path)
}

/// Removes what earlier adapters left, once nobody can want it any longer.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        let age = changed.ok().and_then(|changed| SystemTime::now().duration_since(changed).ok());
        if age.is_some_and(|age| age > KEPT) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
