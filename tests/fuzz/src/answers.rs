//! What drivers and linkers say of themselves.

use std::collections::HashSet;

use larder_compile::fuzzing::{linker_command, script_folders, searched};

use crate::lines;

/// Whatever was said before, the last command and all folders are understood as they were meant.
pub fn check(bytes: &[u8]) {
    let lines = lines(bytes);
    the_command(bytes, &lines);
    the_script(bytes, &lines);
    the_search(bytes, &lines);
}

fn the_command(bytes: &[u8], words: &[Vec<u8>]) {
    assert!(linker_command(bytes).is_none_or(|words| !words.is_empty()), "a command of nothing");
    if words.is_empty() {
        return;
    }
    let quoted: Vec<u8> = words.iter().flat_map(|word| quote(word)).collect();
    for behind in [&b""[..], b"\n", b"\nCOLLECT_GCC_OPTIONS='-v'\n"] {
        let answer = [bytes, b"\n", &quoted, behind].concat();
        assert_eq!(linker_command(&answer).as_deref(), Some(words), "{:?}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(linker_command(&[&quoted[..], b" \"open"].concat()), None, "half a command");
}

/// As Clang writes it.
fn quote(word: &[u8]) -> Vec<u8> {
    let mut quoted = b" \"".to_vec();
    for byte in word {
        if b"\"\\$".contains(byte) {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

fn the_script(bytes: &[u8], lines: &[Vec<u8>]) {
    assert!(script_folders(bytes).iter().all(|folder| !folder.contains(&b'"')));
    let is_plain = |line: &&[u8]| !line.contains(&b'"') && !line.ends_with(b"SEARCH_DIR(");
    let folders: Vec<&[u8]> = lines.iter().map(Vec::as_slice).filter(is_plain).collect();
    let ours: Vec<u8> =
        folders.iter().flat_map(|folder| [b"SEARCH_DIR(\"", *folder, b"\"); "].concat()).collect();
    let script = [bytes, b"\n", &ours].concat();
    assert!(script_folders(&script).ends_with(&folders), "{:?}", String::from_utf8_lossy(&script));
}

fn the_search(bytes: &[u8], lines: &[Vec<u8>]) {
    let (folders, _) = searched(bytes);
    assert_eq!(folders.iter().collect::<HashSet<_>>().len(), folders.len(), "a folder stands twice");
    let ours: Vec<Vec<u8>> = lines.iter().map(|line| [b"/", &line[..]].concat()).take(1000).collect();
    let listed: Vec<u8> = ours.iter().flat_map(|folder| [b" ", &folder[..], b"\n"].concat()).collect();
    let start = b"\n#include <...> search starts here:\n";
    let said = [bytes, start, &listed, b"End of search list.\n"].concat();
    let (found, complete) = searched(&said);
    assert!(complete || found.len() > 4096, "the list has an end");
    assert!(!complete || ours.iter().all(|folder| found.contains(folder)), "a folder is missed");
    assert!(!searched(&[start, &listed[..]].concat()).1, "the list has no end");
}
