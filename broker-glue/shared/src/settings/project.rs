//! Where a project's settings are: `.larder.toml` in the working folder or above it.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::read::FILE_LIMIT;

/// The file's name.
pub const NAME: &str = ".larder.toml";

/// The nearest one above `cwd`, below the home folder and the file system's root, that this user has written in folders
/// of his own, and its bytes. What lies behind another user's folder, as in /tmp, is not looked at.
///
/// Looking costs one question to the kernel for each folder; who owns the folders is asked only once a file is found.
#[must_use]
pub fn find(cwd: &Path, home: Option<&Path>) -> Option<(PathBuf, io::Result<Vec<u8>>)> {
    let user = rustix::process::geteuid().as_raw();
    let folders = || cwd.ancestors().take_while(|folder| Some(*folder) != home && folder.parent().is_some());
    for (above, folder) in folders().enumerate() {
        let file = folder.join(NAME);
        let Ok(metadata) = file.metadata() else { continue };
        let is_own = |folder: &Path| folder.metadata().is_ok_and(|folder| folder.uid() == user);
        if metadata.uid() != user || !folders().take(above + 1).all(is_own) {
            return None;
        }
        let bytes = match metadata.is_file() && metadata.len() <= FILE_LIMIT {
            true => std::fs::read(&file),
            false => Err(io::Error::other(format!("it is no file of at most {FILE_LIMIT} bytes"))),
        };
        return Some((file, bytes));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_below_the_home_folder_is_found() {
        let root = tempfile::tempdir().expect("a folder");
        let home = root.path().canonicalize().expect("it is there");
        let deep = home.join("project/src/deep");
        std::fs::create_dir_all(&deep).expect("our own folder");
        let found = || find(&deep, Some(&home)).map(|(file, bytes)| (file, bytes.expect("a file")));
        std::fs::write(home.join(NAME), "a").expect("our own folder");
        assert_eq!(found(), None, "the home folder's is nobody's project");
        let upper = home.join("project").join(NAME);
        std::fs::write(&upper, "b").expect("our own folder");
        assert_eq!(found(), Some((upper, b"b".to_vec())));
        let lower = deep.join(NAME);
        std::fs::write(&lower, "c").expect("our own folder");
        assert_eq!(found(), Some((lower.clone(), b"c".to_vec())));
        std::fs::remove_file(&lower).expect("ours");
        std::fs::create_dir(&lower).expect("our own folder");
        assert!(find(&deep, Some(&home)).is_some_and(|(_, bytes)| bytes.is_err()), "it is a folder");
    }
}
