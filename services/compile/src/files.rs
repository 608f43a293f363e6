//! What lies at a path.

use std::path::Path;

use larder_fingerprint::{Fingerprint, Fingerprints, Kind, Presence, Stamp};
use larder_service::Reason;

use crate::args::Refusal;
use crate::paths;

/// What lies at a path, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// Nothing, or a link that leads nowhere.
    Absent,
    File(Stamp),
    Folder(Stamp),
    Other,
}

/// What lies at `path`.
pub(crate) fn node(fingerprints: &Fingerprints, path: &Path) -> Result<Node, Refusal> {
    if paths::is_a_process_own(path) {
        return Ok(Node::Other);
    }
    match fingerprints.presence(path) {
        Ok(Presence::Absent) => Ok(Node::Absent),
        Ok(Presence::Present { kind: Kind::File, stamp }) => Ok(Node::File(stamp)),
        Ok(Presence::Present { kind: Kind::Folder, stamp }) => Ok(Node::Folder(stamp)),
        Ok(Presence::Present { .. }) => Ok(Node::Other),
        Err(_) => Err(unreadable(path)),
    }
}

/// The content digest of the file at `path`.
pub(crate) fn fingerprint(fingerprints: &Fingerprints, path: &Path) -> Result<Fingerprint, Refusal> {
    let no_file = || Refusal { reason: Reason::InputNotAFile, detail: paths::path_text(path) };
    if paths::is_a_process_own(path) {
        return Err(no_file());
    }
    fingerprints.file(path).map_err(|_| match node(fingerprints, path) {
        Ok(Node::Folder(_) | Node::Other) => no_file(),
        _ => unreadable(path),
    })
}

/// What `stamp` is of was, or may have been, changed at `time` or later.
pub(crate) fn young(stamp: &Stamp, time: u64) -> bool {
    !stamp.proves_content_at(time)
}

fn unreadable(path: &Path) -> Refusal {
    Refusal { reason: Reason::InputUnreadable, detail: paths::path_text(path) }
}
