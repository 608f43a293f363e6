//! The store's folders and the files in them; whatever stands in their way is removed.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use larder_service::{Digest, Key};
use tempfile::NamedTempFile;

use crate::StoreError;

/// The root folder of a store, and where everything is in it.
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Makes the folders that are missing below `root`, and `root` itself.
    pub(crate) fn make(root: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(root).map_err(|error| StoreError::write(root, error))?;
        let folder = Self { root: root.to_owned() };
        for path in [folder.blobs(), folder.tmp(), folder.index()] {
            make(&path)?;
        }
        Ok(folder)
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    pub(crate) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Where the blob `digest` is, or would be: `blobs/ab/abcdef…-size`.
    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(name(digest))
    }

    /// Takes the store for this process, for as long as what is returned lives.
    pub(crate) fn lock(&self) -> Result<File, StoreError> {
        let path = self.index().join("lock");
        let open = || append(&path);
        let file = open().or_else(|error| {
            if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
                remove(&path)?;
                return open();
            }
            Err(error)
        });
        let file = file.map_err(|error| StoreError::write(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::InUse { path }),
            Err(fs::TryLockError::Error(source)) => Err(StoreError::Io { verb: "lock", path, source }),
        }
    }

    /// Removes what an earlier process left half-written.
    pub(crate) fn empty_tmp(&self) {
        let tmp = self.tmp();
        let entries = fs::read_dir(&tmp).into_iter().flatten().flatten();
        for entry in entries {
            if let Err(error) = remove(&entry.path()) {
                tracing::warn!(path = %entry.path().display(), %error, "failed to remove a leftover");
            }
        }
    }

    /// Fails where the folder of all blobs cannot be listed.
    pub(crate) fn look(&self) -> Result<(), StoreError> {
        let blobs = self.blobs();
        fs::read_dir(&blobs).map(drop).map_err(|error| StoreError::read(&blobs, error))
    }

    /// The folder of all blobs whose hash begins with `number`.
    pub(crate) fn shelf_path(&self, number: u8) -> PathBuf {
        self.blobs().join(format!("{number:02x}"))
    }

    /// These blobs by their names; nothing is said of their content. What is no blob's name is passed over. A shelf that cannot
    /// be listed is as good as empty: its blobs are written anew.
    pub(crate) fn shelf(&self, number: u8) -> Vec<Digest> {
        let entries = fs::read_dir(self.shelf_path(number)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| parse(&name)).filter(|digest| digest.hash[0] == number).collect()
    }

    /// A new file that no one else writes, gone when it is dropped.
    pub(crate) fn temporary(&self) -> Result<NamedTempFile, StoreError> {
        let tmp = self.tmp();
        let create = || tempfile::Builder::new().permissions(Permissions::from_mode(0o444)).tempfile_in(&tmp);
        create().or_else(|error| {
            if tmp.is_dir() {
                return Err(StoreError::write(&tmp, error));
            }
            make(&tmp)?;
            create().map_err(|error| StoreError::write(&tmp, error))
        })
    }

    /// Makes `file` the blob `digest`, in place of what is there.
    pub(crate) fn place(&self, file: NamedTempFile, digest: &Digest) -> Result<(), StoreError> {
        let path = self.blob(digest);
        let Err(failed) = file.persist(&path) else { return Ok(()) };
        let parents = path.ancestors().skip(1).take(2).collect::<Vec<_>>();
        for parent in parents.into_iter().rev() {
            make(parent)?;
        }
        if path.is_dir() {
            remove(&path).map_err(|error| StoreError::write(&path, error))?;
        }
        failed.file.persist(&path).map(drop).map_err(|failed| StoreError::write(&path, failed.error))
    }

    /// Removes the blob `digest`, if it is there.
    pub(crate) fn remove(&self, digest: &Digest) -> Result<(), StoreError> {
        let path = self.blob(digest);
        remove(&path).map_err(|error| StoreError::write(&path, error))
    }
}

/// Where the blob `digest` is below the folder of all blobs.
pub(crate) fn name(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("{}/{hex}-{}", &hex[..2], digest.size)
}

/// Opens the file `path` of the store's own to write to its end; follows no link.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    File::options().create(true).append(true).mode(0o600).custom_flags(flags).open(path)
}

/// Makes the folder `path`, in place of anything else of this name.
fn make(path: &Path) -> Result<(), StoreError> {
    let made = match fs::create_dir(path) {
        Err(_) if path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            remove(path).and_then(|()| fs::create_dir(path))
        }
        made => made,
    };
    made.map_err(|error| StoreError::write(path, error))
}

/// Removes whatever `path` is.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if !is_absence(&error) => Err(error),
        _ => Ok(()),
    }
}

/// Whether `error` says that there is nothing at a path.
pub(crate) fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn parse(name: &str) -> Option<Digest> {
    let (hex, size) = name.split_once('-')?;
    let digest = Digest { hash: Key::from_hex(hex).ok()?.0, size: size.parse().ok()? };
    // Only the one spelling that the store itself writes.
    (name == format!("{}-{}", digest.hex(), digest.size)).then_some(digest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_names_that_the_store_writes_are_listed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Folder::make(folder.path()).unwrap();
        let digest = Digest::of(b"x");
        store.place(store.temporary().unwrap(), &digest).unwrap();
        let blob = store.blob(&digest);
        let name = blob.file_name().unwrap().to_str().unwrap();
        for stranger in [name.to_uppercase(), format!("{}-01", digest.hex()), digest.hex(), "x".into()] {
            fs::write(blob.with_file_name(stranger), "").unwrap();
        }
        fs::create_dir(store.blobs().join("zz")).unwrap();
        fs::write(store.blobs().join("zz").join(name), "").unwrap();
        fs::write(store.blobs().join("file"), "").unwrap();
        let listed: Vec<_> = (0..=u8::MAX).flat_map(|number| store.shelf(number)).collect();
        assert_eq!(listed, [digest]);
    }

    #[test]
    fn what_stands_in_the_way_of_a_blob_gives_way() {
        let folder = tempfile::tempdir().unwrap();
        let store = Folder::make(folder.path()).unwrap();
        let digest = Digest::of(b"x");
        let put = || store.place(store.temporary().unwrap(), &digest);
        fs::create_dir_all(store.blob(&digest).join("folder")).unwrap();
        put().unwrap();
        assert!(store.blob(&digest).is_file());
        for name in ["blobs", "tmp"] {
            fs::remove_dir_all(folder.path().join(name)).unwrap();
            put().unwrap();
            assert!(store.blob(&digest).is_file());
        }
        fs::remove_dir_all(store.blobs()).unwrap();
        fs::write(store.blobs(), "not a folder").unwrap();
        put().unwrap();
        assert!(store.blob(&digest).is_file());
    }

    proptest! {
        #[test]
        fn any_name_is_read_or_passed_over(name in "([0-9a-f]{64}-[0-9]{0,22}|.{0,80})") {
            if let Some(digest) = parse(&name) {
                prop_assert_eq!(format!("{}-{}", digest.hex(), digest.size), name);
            }
        }
    }
}
