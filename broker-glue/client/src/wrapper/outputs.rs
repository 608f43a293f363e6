//! Outputs of a hit, written into the build tree with the caller's own rights.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use larder_proto::v1::{Hit, NotRestoredCause, OutputFile, WriteStyle};
use rustix::fs::Access;

use super::call;
use crate::blob::{Blob, BlobError};

/// Larger than most lists of what a tool reads, bytes.
const ROOM: usize = 256 << 10;

/// Puts all outputs in place, files that are rewritten before those that are replaced, so that the object that a
/// build waits for comes last.
///
/// # Errors
/// When anything is not as it should be: an output is no ordinary file, its folder is missing, the disk is full, or a
/// blob is not what it was. The tool can still be run: it writes all of these anew.
pub(crate) fn restore(hit: &Hit) -> Result<(), NotRestoredCause> {
    // Beyond its limit a write is answered with a signal, which would end us and not the tool.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    for output in &hit.outputs {
        if limit.is_some_and(|limit| output.size > limit) {
            return Err(NotRestoredCause::Write);
        }
        check(Path::new(&call::os(&output.path)), output.size == 0).map_err(|_| NotRestoredCause::Place)?;
    }
    for style in [WriteStyle::Rewrite, WriteStyle::Replace, WriteStyle::Keep] {
        for output in hit.outputs.iter().filter(|output| output.style() == style) {
            match style {
                WriteStyle::Rewrite => rewrite(output)?,
                WriteStyle::Replace => replace(output, take_away)?,
                WriteStyle::Keep => replace(output, take_after)?,
            }
        }
    }
    Ok(())
}

/// Tools treat links, devices, unwritable files, empty files and folders where nothing can be made each in their own
/// way; these are left to them. Only where it becomes `empty` again there is no other way.
fn check(path: &Path, empty: bool) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK)?;
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if !metadata.is_file() || metadata.len() == 0 && !empty => {
            Err(io::Error::other("the output is not an ordinary file with content"))
        }
        Ok(_) => Ok(rustix::fs::access(path, Access::WRITE_OK)?),
    }
}

/// Whether a file of the usual size of a list can be written into `folder`: a quota shows in no figure.
pub(super) fn has_room(folder: &Path) -> bool {
    let path = folder.join(format!("room-{}", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(&[0; ROOM]));
    let _ = std::fs::remove_file(path);
    written.is_ok()
}

fn rewrite(output: &OutputFile) -> Result<(), NotRestoredCause> {
    let path = call::os(&output.path);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(output.mode).open(path);
    let mut file = file.map_err(|_| NotRestoredCause::Write)?;
    fill(&mut file, output)
}

/// Puts a new file in the place of the old one, once `prepare` is content with it and the path.
///
/// What is there is whole at every moment until then: after a failure the tool may have to read it.
fn replace(
    output: &OutputFile,
    prepare: impl Fn(&File, &Path) -> io::Result<()>,
) -> Result<(), NotRestoredCause> {
    let path = PathBuf::from(call::os(&output.path));
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().ok_or(NotRestoredCause::Place)?);
    name.push(format!(".larder-{}", std::process::id()));
    let beside = path.with_file_name(name);
    let file = OpenOptions::new().write(true).create_new(true).mode(output.mode).open(&beside);
    let mut file = file.map_err(|_| NotRestoredCause::Write)?;
    let written = fill(&mut file, output)
        .and_then(|()| prepare(&file, &path).map_err(|_| NotRestoredCause::Place))
        .and_then(|()| std::fs::rename(&beside, &path).map_err(|_| NotRestoredCause::Write));
    if written.is_err() {
        // The error that matters is the one that is returned.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Removes what is at `path`, as the tools do that make their outputs anew. A rename over it would do, but ext4 writes the new
/// file's content to the disk first then, which takes ten times as long as all the rest.
fn take_away(_: &File, path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes `file` what the file at `path` is but for its content. Refused where that takes more than mode bits.
fn take_after(file: &File, path: &Path) -> io::Result<()> {
    let (old, new) = (path.symlink_metadata()?, file.metadata()?);
    let owned_alike = (old.uid(), old.gid()) == (new.uid(), new.gid());
    let has_list = rustix::fs::getxattr(path, "system.posix_acl_access", &mut [0_u8; 0]).is_ok();
    if !owned_alike || old.nlink() != 1 || has_list {
        return Err(io::Error::other(
            "the output has an owner, names or rights that a new file would not have",
        ));
    }
    file.set_permissions(old.permissions())
}

fn fill(file: &mut File, output: &OutputFile) -> Result<(), NotRestoredCause> {
    if output.blob.is_empty() {
        return file.write_all(&output.inline).map_err(|_| NotRestoredCause::Write);
    }
    Blob::from(output).write_into(file).map_err(|error| match error {
        BlobError::Changed => NotRestoredCause::Blob,
        BlobError::Write(_) => NotRestoredCause::Write,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    fn output(path: &Path, blob: &Path, size: u64) -> OutputFile {
        OutputFile {
            path: path.as_os_str().as_bytes().to_vec(),
            size,
            mode: 0o666,
            style: WriteStyle::Replace.into(),
            ..crate::blob::tests::compiled(blob)
        }
    }

    #[test]
    fn a_truncated_blob_leaves_the_old_output_alone_and_no_litter() {
        let folder = tempfile::tempdir().expect("a folder");
        let (object, blob) = (folder.path().join("x.o"), folder.path().join("blob"));
        std::fs::write(&object, "old").expect("writable");
        std::fs::write(&blob, "short").expect("writable");
        let hit = Hit { outputs: vec![output(&object, &blob, 100)], ..Hit::default() };
        assert_eq!(restore(&hit), Err(NotRestoredCause::Blob));
        std::fs::remove_file(&blob).expect("just made");
        assert_eq!(restore(&hit), Err(NotRestoredCause::Blob));
        std::fs::write(&blob, "short").expect("writable");
        assert_eq!(std::fs::read(&object).expect("still there"), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 2);
    }

    #[test]
    fn a_blob_that_is_another_file_of_the_same_size_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let (object, blob) = (folder.path().join("x.o"), folder.path().join("blob"));
        std::fs::write(&blob, "right").expect("writable");
        let hit = Hit { outputs: vec![output(&object, &blob, 5)], ..Hit::default() };
        let other = folder.path().join("other");
        std::fs::write(&other, "wrong").expect("writable");
        std::fs::rename(&other, &blob).expect("ours");
        assert_eq!(restore(&hit), Err(NotRestoredCause::Blob));
        assert!(!object.exists());
    }

    #[test]
    fn a_link_as_output_is_left_to_the_tool() {
        let folder = tempfile::tempdir().expect("a folder");
        let (link, blob) = (folder.path().join("x.o"), folder.path().join("blob"));
        std::fs::write(&blob, "new").expect("writable");
        std::os::unix::fs::symlink("elsewhere", &link).expect("a link");
        let hit = Hit { outputs: vec![output(&link, &blob, 3)], ..Hit::default() };
        assert_eq!(restore(&hit), Err(NotRestoredCause::Place));
        assert!(link.symlink_metadata().expect("still there").is_symlink());
    }

    #[test]
    fn an_empty_output_is_left_to_the_tool_unless_it_stays_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        let (made, blob) = (folder.path().join("x.rmeta"), folder.path().join("blob"));
        for (content, restored) in [("", true), ("new", false)] {
            std::fs::write(&made, "").expect("writable");
            std::fs::write(&blob, content).expect("writable");
            let hit = Hit { outputs: vec![output(&made, &blob, content.len() as u64)], ..Hit::default() };
            assert_eq!(restore(&hit).is_ok(), restored, "{content:?}");
        }
    }

    #[test]
    fn where_one_output_cannot_be_made_none_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (depfile, blob) = (folder.path().join("x.d"), folder.path().join("blob"));
        std::fs::write(&blob, "new").expect("writable");
        let list = OutputFile { style: WriteStyle::Rewrite.into(), ..output(&depfile, &blob, 3) };
        let object = output(&folder.path().join("none/x.o"), &blob, 3);
        assert!(restore(&Hit { outputs: vec![list, object], ..Hit::default() }).is_err());
        assert!(!depfile.exists());
    }

    #[test]
    fn a_file_that_is_kept_has_its_mode_and_one_with_two_names_is_left_to_the_tool() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let (archive, blob) = (folder.path().join("x.a"), folder.path().join("blob"));
        std::fs::write(&blob, "new").expect("writable");
        std::fs::write(&archive, "old").expect("writable");
        std::fs::set_permissions(&archive, std::fs::Permissions::from_mode(0o604)).expect("our own");
        let kept = OutputFile { style: WriteStyle::Keep.into(), ..output(&archive, &blob, 3) };
        let hit = Hit { outputs: vec![kept], ..Hit::default() };
        restore(&hit).expect("restored");
        assert_eq!(archive.metadata().expect("still there").permissions().mode() & 0o7777, 0o604);
        assert_eq!(std::fs::read(&archive).expect("still there"), b"new");
        std::fs::hard_link(&archive, folder.path().join("other")).expect("a link");
        assert!(restore(&hit).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 3);
    }

    #[test]
    fn a_restored_output_is_a_file_of_its_own() {
        let folder = tempfile::tempdir().expect("a folder");
        let (object, blob) = (folder.path().join("x.o"), folder.path().join("blob"));
        std::fs::write(&blob, "new").expect("writable");
        restore(&Hit { outputs: vec![output(&object, &blob, 3)], ..Hit::default() }).expect("restored");
        std::fs::write(&object, "edited in place").expect("the user's to overwrite");
        assert_eq!(std::fs::read(&blob).expect("still there"), b"new");
    }
}
