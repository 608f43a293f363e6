//! Dependency files: the bytes as one, and as the names in one, a NUL between them.

use std::collections::HashSet;

use larder_compile::args::Family;
use larder_compile::depfile::prerequisites;
use larder_compile::fuzzing::kept_for_other_trees;

/// A file is understood as it was meant, or refused.
pub fn check(bytes: &[u8]) {
    for text in [bytes.to_vec(), [b"x.o: ", bytes, b"\n"].concat()] {
        for family in [Family::Gcc, Family::Clang] {
            if let Some(again) = kept_for_other_trees(family, &text) {
                assert_eq!(again, text, "another tree's list comes back as another one");
            }
        }
        let Ok(names) = prerequisites(&text) else { continue };
        assert!(names.iter().all(|name| !name.is_empty() && !name.contains(&b'\n')), "no name: {names:?}");
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "a name stands twice: {names:?}");
    }
    let mut names: Vec<&[u8]> = Vec::new();
    for name in bytes.split(|byte| matches!(byte, 0 | b'\n')) {
        // A backslash at the end is written like one that quotes the space behind it.
        if !name.is_empty() && !name.ends_with(b"\\") && !names.contains(&name) {
            names.push(name);
        }
    }
    let quoted: Vec<u8> = names.iter().flat_map(|name| quote(name)).collect();
    let plain = names.iter().all(|name| !name.contains(&b'\\') && name.len() <= 4096);
    for rest in [&b"\n"[..], b"\n\na.h:\nb\\ c.h:\n"] {
        match prerequisites(&[b"x.o: \\\n", &quoted[..], rest].concat()) {
            Ok(read) => assert_eq!(read, names, "from {:?}", String::from_utf8_lossy(&quoted)),
            Err(error) => assert!(!plain, "{error}: {:?}", String::from_utf8_lossy(&quoted)),
        }
    }
}

/// `name` as the compilers write it, and what parts it from the next.
fn quote(name: &[u8]) -> Vec<u8> {
    let mut quoted = Vec::new();
    let mut backslashes = 0;
    for &byte in name {
        match byte {
            b' ' | b'\t' => {
                quoted.extend(std::iter::repeat_n(b'\\', backslashes + 1));
            }
            b'#' => quoted.push(b'\\'),
            b'$' => quoted.push(b'$'),
            _ => {}
        }
        quoted.push(byte);
        backslashes = if byte == b'\\' { backslashes + 1 } else { 0 };
    }
    quoted.extend(b" \\\n ");
    quoted
}
