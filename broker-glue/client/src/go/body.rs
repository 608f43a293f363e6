//! A body on its way into a file, hashed while it is written.

use std::fs::{self, File};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::private::{self, Private};
use super::request::{Name, Put};

/// A body's file.
pub(super) struct Body {
    file: File,
    path: PathBuf,
    /// It lies in the folder for staging.
    staged: bool,
    hasher: Sha256,
    size: u64,
    failure: Option<io::Error>,
}

/// A body that is whole, and what it was said to be.
pub(super) struct Whole {
    pub(super) put: Put,
    body: Option<Body>,
}

impl Body {
    /// Begins a file in `staging`, or in this adapter's own folder where that cannot be.
    ///
    /// # Errors
    /// When no file can be made at all.
    pub(super) fn begin(staging: Option<&Path>, number: u64, own: &Private) -> io::Result<Self> {
        let staged = staging.and_then(|folder| {
            let path = folder.join(number.to_string());
            Some((private::create(&path).ok()?, path, true))
        });
        let (file, path, staged) = match staged {
            Some(staged) => staged,
            None => own.file().map(|(file, path)| (file, path, false))?,
        };
        Ok(Self { file, path, staged, hasher: Sha256::new(), size: 0, failure: None })
    }

    /// Takes the next piece. A disk that is full is not the end: the rest of it may fit elsewhere.
    pub(super) fn take(&mut self, piece: &[u8], own: &Private) {
        self.hasher.update(piece);
        let begin = self.size;
        self.size += piece.len() as u64;
        if self.failure.is_some() {
            return;
        }
        let Err(error) = self.file.write_all(piece) else { return };
        self.failure = match self.staged.then(|| self.move_out(begin, piece, own)) {
            Some(Ok(())) => None,
            _ => Some(error),
        };
    }

    /// Goes on in this adapter's own folder, with the `begin` bytes that are written and with `piece`.
    fn move_out(&mut self, begin: u64, piece: &[u8], own: &Private) -> io::Result<()> {
        let (mut file, path) = own.file()?;
        self.file.rewind()?;
        if io::copy(&mut io::Read::take(&mut self.file, begin), &mut file)? != begin {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_all(piece)?;
        let _ = fs::remove_file(&self.path);
        (self.file, self.path, self.staged) = (file, path, false);
        Ok(())
    }

    /// The body, if it is what `put` says.
    ///
    /// # Errors
    /// A sentence for the go command.
    pub(super) fn end(mut self, put: Put) -> Result<Whole, String> {
        if self.size != put.size {
            return Err(format!("the body has {} bytes, and BodySize is {}", self.size, put.size));
        }
        if Name::from(self.hasher.finalize_reset()) != put.output {
            return Err("the body's SHA-256 is not its OutputID".to_owned());
        }
        match self.failure.take() {
            Some(error) => Err(format!("failed to write {}: {error}", self.path.display())),
            None => Ok(Whole { put, body: Some(self) }),
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // What has been taken or kept is no longer there under this name.
        let _ = fs::remove_file(&self.path);
    }
}

impl Whole {
    /// A body without bytes needs no file.
    pub(super) fn empty(put: Put) -> Result<Self, String> {
        if Name::from(Sha256::new().finalize()) != put.output {
            return Err("the body is empty, and its SHA-256 is not its OutputID".to_owned());
        }
        Ok(Self { put, body: None })
    }

    /// The name of its file in the folder for staging, empty for an empty body; `None` where it lies elsewhere.
    pub(super) fn staged(&self) -> Option<String> {
        match &self.body {
            None => Some(String::new()),
            Some(body) if body.staged => Some(body.path.file_name()?.to_str()?.to_owned()),
            Some(_) => None,
        }
    }

    /// A file of this adapter's own with the body.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(super) fn keep_back(mut self, own: &Private) -> io::Result<PathBuf> {
        let Put { output, size, .. } = self.put;
        match &mut self.body {
            Some(body) if body.staged => own.copy(&mut body.file, &output, size),
            Some(body) => own.settle(&body.path, &output, size),
            None => own.file().and_then(|(_, path)| own.settle(&path, &output, size)),
        }
    }
}
