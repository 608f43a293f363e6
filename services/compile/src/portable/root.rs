//! The root of a project's working tree, and paths with a mark in its place.

use std::path::Path;

use larder_service::{Hasher, Reason};

use crate::args::Refusal;
use crate::inputs::about;
use crate::manifest::Entry;
use crate::manifest::validate::Marked;
use crate::paths;

/// Stands in the root's place; no path has it.
pub(super) const MARK: u8 = 0;

/// A root: absolute, without a slash at its end, and of characters that nothing quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root(Vec<u8>);

impl Root {
    /// What `setting` makes the root for a call from `cwd`.
    pub(crate) fn of(setting: &[u8], cwd: &Path) -> Option<Self> {
        let folder = match setting {
            b"" | b"0" => return None,
            b"1" => cwd.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok())?.to_owned(),
            _ => paths::as_path(setting).to_owned(),
        };
        let bytes = paths::into_bytes(folder);
        let root = Self(
            bytes[..bytes.len() - bytes.iter().rev().take_while(|byte| **byte == b'/').count()].to_vec(),
        );
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._/+@-".contains(byte);
        let has_it = root.rest(&paths::into_bytes(cwd.to_owned())).is_some();
        (root.0.starts_with(b"/") && root.0.iter().all(plain) && has_it).then_some(root)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The option that puts `.` in the root's place wherever the compiler writes a path.
    pub(crate) fn map_option(&self) -> Vec<u8> {
        [b"-ffile-prefix-map=", self.0.as_slice(), b"=."].concat()
    }

    /// Whether the root's name stands somewhere in `bytes`.
    pub(crate) fn is_named_in(&self, bytes: &[u8]) -> bool {
        memchr::memmem::find(bytes, &self.0).is_some()
    }

    /// What follows the root in `spelled`: nothing, or a slash and more.
    pub(super) fn rest<'p>(&self, spelled: &'p [u8]) -> Option<&'p [u8]> {
        spelled.strip_prefix(self.0.as_slice()).filter(|rest| rest.is_empty() || rest.starts_with(b"/"))
    }

    /// `spelled` with the mark in the root's place, where it begins with the root.
    pub(crate) fn taken_out(&self, spelled: &[u8]) -> Vec<u8> {
        self.rest(spelled).map_or_else(|| spelled.to_vec(), |rest| [&[MARK], rest].concat())
    }

    /// Puts the mark into all paths of `entry`.
    pub(crate) fn take_out_of(&self, entry: &mut Entry) -> Result<(), Refusal> {
        let inputs = entry.inputs.iter_mut().map(|input| &mut input.path);
        let present = entry.present.iter_mut().map(|present| &mut present.path);
        let absent = entry.absent.groups.iter_mut().map(|group| &mut group.folder);
        for path in inputs.chain(present).chain(absent) {
            let stored = self.taken_out(path);
            if self.is_named_in(&stored) {
                return Err(about(Reason::NamesTheRoot, path));
            }
            *path = stored;
        }
        Ok(())
    }
}

impl Marked for Root {
    fn add_to(&self, call: &mut Hasher) {
        call.field("root", &self.0);
    }

    /// `None` also where the prefix map would change it for this root, though it did not for the one under which it was
    /// stored.
    fn put_in(&self, stored: &[u8]) -> Option<Vec<u8>> {
        match stored.split_first() {
            Some((&MARK, rest)) => Some([&self.0, rest].concat()),
            _ => (!stored.starts_with(&self.0)).then(|| stored.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(setting: &str, cwd: &str) -> Option<String> {
        Root::of(setting.as_bytes(), Path::new(cwd)).map(|root| paths::text(root.bytes()))
    }

    #[test]
    fn a_root_is_a_plain_folder_above_the_working_one() {
        assert_eq!(root("/w/a", "/w/a/build").as_deref(), Some("/w/a"));
        assert_eq!(root("/w/a//", "/w/a").as_deref(), Some("/w/a"));
        for (setting, cwd) in [
            ("", "/w/a"),
            ("0", "/w/a"),
            ("/", "/w/a"),
            ("w", "/w/a"),
            ("/w/b", "/w/a"),
            ("/w/a", "/w/ab"),
            ("/w/a b", "/w/a b"),
            ("/w/a=b", "/w/a=b"),
        ] {
            assert_eq!(root(setting, cwd), None, "{setting} {cwd}");
        }
    }

    #[test]
    fn the_nearest_folder_with_a_repository_is_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b/c");
        std::fs::create_dir_all(&inner).unwrap();
        std::fs::create_dir(folder.path().join(".git")).unwrap();
        std::fs::write(folder.path().join("a/.git"), "gitdir: elsewhere\n").unwrap();
        let found = Root::of(b"1", &inner).unwrap();
        assert_eq!(found.bytes(), paths::into_bytes(folder.path().join("a")));
    }

    #[test]
    fn a_path_below_one_root_is_the_same_path_below_another() {
        let one = Root(b"/w/a".to_vec());
        let other = Root(b"/v".to_vec());
        for (path, there) in [("/w/a", "/v"), ("/w/a/x.h", "/v/x.h"), ("x.h", "x.h"), ("/u/x.h", "/u/x.h")] {
            let stored = one.taken_out(path.as_bytes());
            assert_eq!(other.put_in(&stored).as_deref(), Some(there.as_bytes()), "{path}");
        }
        assert_eq!(one.taken_out(b"/w/ab/x.h"), b"/w/ab/x.h");
        assert_eq!(other.put_in(b"/var/x.h"), None, "the prefix map goes by bytes");
    }
}
