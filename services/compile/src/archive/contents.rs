//! What an archive holds: its members' names and contents, in order.
//!
//! An archiver changes the archive in its place, so that what it had read is gone when it ends. That nobody else wrote
//! to the archive in the meantime is seen by holding what it made against what it had to make.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use larder_service::Digest;
use object::read::archive::ArchiveFile;

use super::Request;
use crate::paths;

/// Largest archive that is looked into, bytes.
const MAX_ARCHIVE: u64 = 1 << 30;

/// Names and contents, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents(Vec<(Vec<u8>, [u8; 32])>);

/// Reads the archive at `path`, and tells its own digest. `None` when it is no ordinary archive or too large.
pub(super) fn read(path: &Path) -> Option<(Contents, Digest)> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_ARCHIVE + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > MAX_ARCHIVE {
        return None;
    }
    Some((of(&bytes)?, Digest::of(&bytes)))
}

/// What the archive holds whose bytes these are; `None` as in [`read`].
pub(crate) fn of(bytes: &[u8]) -> Option<Contents> {
    let archive = ArchiveFile::parse(bytes).ok()?;
    if archive.is_thin() {
        return None;
    }
    let mut contents = Contents::default();
    for member in archive.members() {
        let member = member.ok()?;
        contents.0.push((member.name().to_vec(), Digest::of(member.data(bytes).ok()?).hash));
    }
    Some(contents)
}

impl Contents {
    /// Each member's name and its content's hash.
    pub(crate) fn members(&self) -> &[(Vec<u8>, [u8; 32])] {
        &self.0
    }

    /// What `self` is to hold after `request`, whose member files hold `members`.
    pub(crate) fn after(mut self, request: &Request, members: &[Digest]) -> Self {
        let mut taken = vec![false; self.0.len()];
        for (spelled, digest) in request.members.iter().zip(members) {
            let name = paths::split(spelled).1;
            // Only what was there before is replaced, and each at most once.
            let place = self.0.iter().zip(&taken).position(|((known, _), taken)| known == name && !taken);
            match place.filter(|_| request.replaces) {
                Some(place) => {
                    self.0[place].1 = digest.hash;
                    taken[place] = true;
                }
                None => {
                    self.0.push((name.to_vec(), digest.hash));
                    taken.push(true);
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn request(members: &[&str], replaces: bool) -> Request {
        Request {
            archive: b"x.a".into(),
            members: members.iter().map(|name| name.as_bytes().to_vec()).collect(),
            letters: b"rc".into(),
            replaces,
        }
    }

    #[test]
    fn a_member_is_replaced_where_it_stands_or_added_behind() {
        let old = [Digest::of(b"1"), Digest::of(b"2")];
        let new = [Digest::of(b"3"), Digest::of(b"4")];
        let before = Contents::default().after(&request(&["a.o", "d/b.o"], true), &old);
        let replaced = before.clone().after(&request(&["a.o", "c.o"], true), &new);
        let names: Vec<_> = replaced.0.iter().map(|(name, _)| name.as_slice()).collect();
        assert_eq!(names, [b"a.o", b"b.o", b"c.o"]);
        assert_eq!(replaced.0[0].1, new[0].hash);
        assert_eq!(before.after(&request(&["a.o"], false), &new).0.len(), 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_archive_or_not(bytes: Vec<u8>, header in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = of(&bytes);
            let _ = of(&[b"!<arch>\n".as_slice(), &header, b"`\n", &bytes].concat());
        }
    }
}
