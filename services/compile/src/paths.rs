//! Paths as the tool spells them: bytes, often relative to the caller's working folder.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// The path that `bytes` spell.
pub(crate) fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The bytes that spell `path`.
pub(crate) fn into_bytes(path: PathBuf) -> Vec<u8> {
    path.into_os_string().into_vec()
}

/// Where `spelled` leads from the folder `cwd`. The empty spelling is `cwd` itself.
pub(crate) fn resolve(cwd: &Path, spelled: &[u8]) -> PathBuf {
    if spelled.is_empty() { cwd.to_owned() } else { cwd.join(as_path(spelled)) }
}

/// Whether `path` leads each process to files of its own: what it is for the caller cannot be seen from here.
pub(crate) fn is_a_process_own(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/dev")
}

/// Splits a spelling at its last slash: the folder ("" when there is none, "/" for the root) and the name.
pub(crate) fn split(spelled: &[u8]) -> (&[u8], &[u8]) {
    match spelled.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (&spelled[..1], &spelled[1..]),
        Some(slash) => (&spelled[..slash], &spelled[slash + 1..]),
        None => (b"", spelled),
    }
}

/// `name` as the preprocessor spells it when it finds it in `folder`.
pub(crate) fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut spelled = Vec::with_capacity(folder.len() + 1 + name.len());
    spelled.extend_from_slice(folder);
    if !folder.is_empty() && !folder.ends_with(b"/") {
        spelled.push(b'/');
    }
    spelled.extend_from_slice(name);
    spelled
}

/// Whether `folder` is relative and leads upwards.
pub(crate) fn climbs(folder: &[u8]) -> bool {
    !folder.starts_with(b"/") && folder.split(|byte| *byte == b'/').any(|step| step == b"..")
}

/// For people: what is not UTF-8 is replaced.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// For people.
pub(crate) fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_splits_again() {
        for (folder, name) in [(&b"inc"[..], &b"a.h"[..]), (b"", b"a.h"), (b"/", b"a.h"), (b"a/b", b"c")] {
            assert_eq!(split(&join(folder, name)), (folder, name));
        }
        assert_eq!(join(b"inc/", b"sys/a.h"), b"inc/sys/a.h");
    }

    #[test]
    fn relative_spellings_lead_from_the_callers_folder() {
        assert_eq!(resolve(Path::new("/w"), b"a/b.h"), Path::new("/w/a/b.h"));
        assert_eq!(resolve(Path::new("/w"), b"/a/b.h"), Path::new("/a/b.h"));
        assert_eq!(resolve(Path::new("/w"), b""), Path::new("/w"));
    }
}
