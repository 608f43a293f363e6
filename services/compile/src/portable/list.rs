//! Dependency files for another root: they name its paths, and compilers break their lines by the lengths of those.

use super::root::{MARK, Root};
use crate::args::Family;
use crate::manifest::validate::Marked as _;

/// Largest list that is kept with a mark in the root's place, and travels in the reply: bytes.
pub(crate) const MAX_BYTES: u64 = 512 * 1024;

/// `list`, which a tool of `family` wrote, with the mark in the place of `root`. `None` where it is too large, or it
/// is not understood how the tool came to write it as it is.
pub(crate) fn taken_out(family: Family, root: &Root, list: &[u8]) -> Option<Vec<u8>> {
    if list.len() as u64 > MAX_BYTES || list.contains(&MARK) {
        return None;
    }
    if !root.is_named_in(list) {
        return Some(list.to_vec());
    }
    let list = Rules::read(list).filter(|rules| rules.written(family) == list)?;
    let marked = list.map(|name| Some(root.taken_out(name)))?;
    let stored = marked.written(family);
    (!root.is_named_in(&stored)).then_some(stored)
}

/// What a tool of `family` would have written in place of `stored` for `root`. `None` where that is too large.
pub(crate) fn put_in(family: Family, root: &Root, stored: &[u8]) -> Option<Vec<u8>> {
    if !stored.contains(&MARK) {
        return Some(stored.to_vec());
    }
    let list = Rules::read(stored)?.map(|name| root.put_in(name))?.written(family);
    // Another root may be a much longer one.
    (list.len() as u64 <= 2 * MAX_BYTES).then_some(list)
}

/// One rule with one target, and the empty rules behind it, which an empty line may precede.
struct Rules {
    target: Vec<u8>,
    names: Vec<Vec<u8>>,
    /// The empty rules' targets.
    empty: Vec<Vec<u8>>,
    spaced: bool,
}

impl Rules {
    /// `None` where names are quoted: how long a tool takes those to be is another matter.
    fn read(list: &[u8]) -> Option<Self> {
        let mut joined = Vec::with_capacity(list.len());
        let mut rest = list;
        while let Some((byte, after)) = rest.split_first() {
            match (byte, after) {
                (b'\\', [b'\n', after @ ..]) => rest = after,
                (b'\\' | b'$' | b'#' | b'\t' | b'\r', _) => return None,
                _ => {
                    joined.push(*byte);
                    rest = after;
                }
            }
        }
        let mut lines = joined.strip_suffix(b"\n")?.split(|byte| *byte == b'\n');
        let mut words = lines.next()?.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let target = words.next()?.strip_suffix(b":")?.to_vec();
        let names = words.map(<[u8]>::to_vec).collect();
        let mut rules = Self { target, names, empty: Vec::new(), spaced: false };
        for line in lines {
            match line.strip_suffix(b":") {
                Some(name) => rules.empty.push(name.to_vec()),
                None if line.is_empty() => rules.spaced = true,
                None => return None,
            }
        }
        Some(rules)
    }

    fn map(&self, change: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Self> {
        let all = |names: &[Vec<u8>]| names.iter().map(|name| change(name)).collect::<Option<_>>();
        Some(Self {
            target: change(&self.target)?,
            names: all(&self.names)?,
            empty: all(&self.empty)?,
            spaced: self.spaced,
        })
    }

    /// As GCC's `make_write` (mkdeps) and Clang's `DependencyFileGenerator` write it.
    fn written(&self, family: Family) -> Vec<u8> {
        let mut out = [self.target.as_slice(), b":"].concat();
        let mut column = out.len();
        for name in &self.names {
            let (breaks, line_break, indented) = match family {
                Family::Gcc => (column + name.len() > 72, &b" \\\n"[..], 0),
                Family::Clang => (column + name.len() + 3 > 75, &b" \\\n "[..], 2),
            };
            if breaks {
                out.extend_from_slice(line_break);
                column = indented;
            }
            out.push(b' ');
            out.extend_from_slice(name);
            column += 1 + name.len();
        }
        out.push(b'\n');
        for name in &self.empty {
            if self.spaced {
                out.push(b'\n');
            }
            out.extend_from_slice(name);
            out.extend_from_slice(b":\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    /// Compiles a source that includes headers of all lengths in `folder`, and returns the list.
    fn listed(tool: &str, folder: &Path) -> Vec<u8> {
        std::fs::create_dir_all(folder).unwrap();
        let mut source = String::new();
        for length in 1..60 {
            let name = format!("{}.h", "n".repeat(length));
            std::fs::write(folder.join(&name), "").unwrap();
            source += &format!("#include \"{name}\"\n");
        }
        std::fs::write(folder.join("x.c"), source).unwrap();
        let list = folder.join("x.d");
        let ran = Command::new(tool)
            .args(["-nostdinc", "-MD", "-MP", "-MF"])
            .arg(&list)
            .arg("-c")
            .arg(folder.join("x.c"))
            .arg("-o")
            .arg(folder.join("x.o"))
            .status();
        assert!(ran.unwrap().success());
        std::fs::read(list).unwrap()
    }

    #[test]
    fn a_list_becomes_what_the_tool_writes_for_another_root() {
        for (tool, family) in [("gcc", Family::Gcc), ("clang", Family::Clang)] {
            let tree = tempfile::Builder::new().prefix("t").tempdir().unwrap();
            let roots: Vec<_> = (1..14).map(|length| tree.path().join("r".repeat(length))).collect();
            let of = |folder: &Path| {
                let setting = crate::paths::into_bytes(folder.to_owned());
                Root::of(&setting, folder).unwrap()
            };
            let stored = taken_out(family, &of(&roots[0]), &listed(tool, &roots[0])).unwrap();
            for folder in &roots {
                let list = listed(tool, folder);
                assert_eq!(taken_out(family, &of(folder), &list).as_ref(), Some(&stored), "{tool}");
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                assert_eq!(text(&put_in(family, &of(folder), &stored).unwrap()), text(&list), "{tool}");
            }
        }
    }

    #[test]
    fn a_list_that_is_not_understood_is_not_kept() {
        let root = Root::of(b"/w", Path::new("/w")).unwrap();
        for list in
            ["x.o: /w/a\\ b.c\n", "x.o: b/w/a.c\n", "x.o: /wa.c\n", "x.o y.o: /w/x.c\n", "x.o:  /w/x.c\n"]
        {
            assert_eq!(taken_out(Family::Gcc, &root, list.as_bytes()), None, "{list}");
        }
        assert_eq!(taken_out(Family::Gcc, &root, b"x.o: a\\ b.c\n").unwrap(), b"x.o: a\\ b.c\n");
        assert_eq!(put_in(Family::Gcc, &root, b"x.o: \0/x.c\n").unwrap(), b"x.o: /w/x.c\n");
    }

    proptest! {
        #[test]
        fn what_is_taken_out_of_any_bytes_comes_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let root = Root::of(b"/w", Path::new("/w")).unwrap();
            for list in [bytes.clone(), [b"x.o: /w/x.c ", &bytes[..], b"\n"].concat()] {
                let _ = put_in(Family::Clang, &root, &list);
                if let Some(stored) = taken_out(Family::Gcc, &root, &list) {
                    prop_assert_eq!(put_in(Family::Gcc, &root, &stored), Some(list));
                }
            }
        }

        #[test]
        fn what_is_taken_out_of_names_comes_back(
            names in prop::collection::vec("(/w|/v|d)(/[a-z:]{1,30}){1,3}", 0..8),
            empty in any::<bool>(),
        ) {
            let root = Root::of(b"/w", Path::new("/w")).unwrap();
            let names: Vec<Vec<u8>> = names.into_iter().map(String::into_bytes).collect();
            let empty_rules = if empty { names.clone() } else { Vec::new() };
            let rules = Rules { target: b"/w/x.o".into(), names, empty: empty_rules, spaced: false };
            for family in [Family::Gcc, Family::Clang] {
                let list = rules.written(family);
                if let Some(stored) = taken_out(family, &root, &list) {
                    prop_assert!(!root.is_named_in(&stored));
                    prop_assert_eq!(put_in(family, &root, &stored), Some(list));
                }
            }
        }
    }
}
