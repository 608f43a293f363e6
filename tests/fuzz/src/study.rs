//! Files of a link: objects, archives, shared libraries, scripts.

use larder_compile::fuzzing::study;

/// What is told stands in the file, and more behind it takes nothing back.
pub fn check(bytes: &[u8]) {
    let elf = |class: u8| [&[0x7f, b'E', b'L', b'F', class, 1, 1][..], bytes].concat();
    for bytes in [bytes.to_vec(), elf(1), elf(2), [b"!<arch>\n", bytes].concat()] {
        let found = study(&bytes);
        let is_in_it = |name: &Vec<u8>| name.is_empty() || bytes.windows(name.len()).any(|part| part == name);
        assert!(found.needs.iter().all(is_in_it), "a need from elsewhere: {:?}", found.needs);
        assert!(found.folders.iter().all(is_in_it), "a folder from elsewhere: {:?}", found.folders);
        assert!(!found.folders.iter().any(|folder| folder.contains(&b':')), "{:?}", found.folders);
        let more = study(&[&bytes[..], b"\0more"].concat());
        assert!(more.unfinished || !found.unfinished, "what is to be finished is gone");
        assert_eq!(more.thin, found.thin);
        if !found.endless {
            assert!(found.needs.len() + found.folders.len() <= 1 << 14, "far more than was to be followed");
        }
    }
    for start in [&b"\x7fELF"[..], b"!<arch>\n"] {
        for mark in [&b".gnu.lto_"[..], b".llvm.lto", b"BC\xc0\xde"] {
            assert!(study(&[start, bytes, mark].concat()).unfinished, "what is to be finished is missed");
        }
    }
}
