//! Where the go command finds what it is handed.
//!
//! `go build -o x.a` moves a file that is not below `$GOCACHE` to where it is wanted, and copies one that is. It compares
//! texts: a link below `$GOCACHE` that leads to the store makes it copy.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// The go command's own cache folder, if it has one.
pub(super) fn gocache() -> Option<PathBuf> {
    std::env::var_os("GOCACHE").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// The folder below which the blobs in `blobs` are handed out; `None` where its name is no text, and so has no JSON form.
pub(super) fn blobs(blobs: &[u8]) -> Option<PathBuf> {
    let target = PathBuf::from(OsStr::from_bytes(blobs));
    let link = gocache().map(|gocache| gocache.join(link_name(&target)));
    // Without the link everything works but `go build -o x.a`, which then takes the blob out of the store.
    let link = link.filter(|link| link.to_str().is_some());
    let link = link.filter(|link| leads_to(link, &target) || make(link, &target));
    Some(link.unwrap_or(target)).filter(|path| path.to_str().is_some())
}

/// One link for each store: two may share a `$GOCACHE`.
fn link_name(target: &Path) -> String {
    let hash = Sha256::digest(target.as_os_str().as_bytes());
    format!("larder-{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3])
}

fn leads_to(link: &Path, target: &Path) -> bool {
    fs::read_link(link).is_ok_and(|found| found == target)
}

fn make(link: &Path, target: &Path) -> bool {
    let beside = link.with_extension(std::process::id().to_string());
    let made = symlink(target, &beside).and_then(|()| fs::rename(&beside, link));
    if made.is_err() {
        let _ = fs::remove_file(&beside);
    }
    // Another go command may have made it meanwhile.
    leads_to(link, target)
}
