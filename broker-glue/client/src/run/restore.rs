//! Outputs of an artifact, written with the caller's own rights.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use larder_proto::v1::ArtifactOutput;
use rustix::fs::Access;

use crate::blob::{Blob, BlobError};

/// A file beside the one whose place it is to take; removed unless it does.
struct Beside<'a> {
    beside: PathBuf,
    place: &'a Path,
}

impl Drop for Beside<'_> {
    fn drop(&mut self) {
        // It is gone where it has taken its place.
        let _ = std::fs::remove_file(&self.beside);
    }
}

/// Writes all outputs beside their places, then puts each in its place; folders are made where there are none.
///
/// # Errors
/// When one of them cannot be written; unless the last step failed, all that was there is still there.
pub(crate) fn all<'a>(
    outputs: impl Iterator<Item = (&'a ArtifactOutput, &'a Path)>,
) -> Result<(), BlobError> {
    // Beyond its limit a write is answered with a signal, which would end us and not the tool.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    let mut staged = Vec::new();
    for (number, (output, place)) in outputs.enumerate() {
        if limit.is_some_and(|limit| output.size > limit) {
            return Err(write(io::ErrorKind::FileTooLarge));
        }
        staged.push(write_beside(output, place, number)?);
    }
    for file in &staged {
        std::fs::rename(&file.beside, file.place).map_err(BlobError::Write)?;
    }
    Ok(())
}

fn write(kind: io::ErrorKind) -> BlobError {
    BlobError::Write(kind.into())
}

fn write_beside<'a>(
    output: &ArtifactOutput,
    place: &'a Path,
    number: usize,
) -> Result<Beside<'a>, BlobError> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).map_err(BlobError::Write)?;
    }
    if place.symlink_metadata().is_ok_and(|there| there.is_dir()) {
        return Err(write(io::ErrorKind::IsADirectory));
    }
    let name = format!(".larder-{}-{number}", std::process::id());
    let beside = Beside { beside: place.with_file_name(name), place };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside.beside);
    let file = file.map_err(BlobError::Write)?;
    Blob::from(output).write_into(&file)?;
    file.set_permissions(std::fs::Permissions::from_mode(output.mode)).map_err(BlobError::Write)?;
    Ok(beside)
}

/// Whether what is at `place` gives way to a new file of `mode` just as it would to the tool: tools write into links,
/// into files of several names and into unwritable ones each in their own way, and leave a file's mode as it is.
pub(crate) fn gives_way(place: &Path, mode: u32) -> bool {
    match place.symlink_metadata() {
        Err(error) => error.kind() == io::ErrorKind::NotFound,
        Ok(there) => {
            there.is_file()
                && there.nlink() == 1
                && there.mode() & 0o7777 == mode
                && rustix::fs::access(place, Access::WRITE_OK).is_ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(blob: &Path, size: u64) -> ArtifactOutput {
        ArtifactOutput { size, mode: 0o640, ..crate::blob::tests::artifact(blob) }
    }

    #[test]
    fn where_one_output_cannot_be_written_none_is_and_nothing_is_left() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("blob"), "new").expect("writable");
        std::fs::write(at("a"), "old").expect("writable");
        let (good, short) = (output(&at("blob"), 3), output(&at("blob"), 4));
        let (a, b) = (at("a"), at("b"));
        assert!(all([(&good, a.as_path()), (&short, b.as_path())].into_iter()).is_err());
        assert_eq!(std::fs::read(&a).expect("there"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2);
        all([(&good, a.as_path()), (&good, at("f/b").as_path())].into_iter()).expect("restored");
        assert_eq!(std::fs::read(&a).expect("there"), b"new");
        assert_eq!(at("f/b").metadata().expect("there").permissions().mode() & 0o7777, 0o640);
    }

    #[test]
    fn links_second_names_and_other_modes_do_not_give_way() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("a"), "old").expect("writable");
        std::fs::set_permissions(at("a"), std::fs::Permissions::from_mode(0o640)).expect("our own");
        assert!(gives_way(&at("a"), 0o640) && gives_way(&at("none"), 0o640));
        assert!(!gives_way(&at("a"), 0o644));
        std::os::unix::fs::symlink("a", at("link")).expect("a link");
        assert!(!gives_way(&at("link"), 0o640));
        std::fs::hard_link(at("a"), at("twin")).expect("a name");
        assert!(!gives_way(&at("a"), 0o640));
    }
}
