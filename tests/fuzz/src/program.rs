//! Programs, as the loader reads them, and what it says of their libraries.

use larder_compile::fuzzing::{Program, libraries, program};

use crate::lines;

/// What is told stands in the program; a list of libraries is read as it was meant.
pub fn check(bytes: &[u8]) {
    let elf = |class: u8| [&[0x7f, b'E', b'L', b'F', class, 1, 1][..], bytes].concat();
    for bytes in [bytes.to_vec(), elf(1), elf(2)] {
        let Some(Program { loader, folders }) = program(&bytes) else { continue };
        let is_in_it = |name: &[u8]| name.is_empty() || bytes.windows(name.len()).any(|part| part == name);
        let mut loader = loader.iter();
        assert!(loader.all(|loader| loader.starts_with(b"/") && is_in_it(loader)), "{loader:?}");
        assert!(folders.iter().all(|folder| is_in_it(folder) && !folder.contains(&b':')), "{folders:?}");
    }
    for (name, path) in libraries(bytes).unwrap_or_default() {
        assert!(!name.is_empty() && path.starts_with(b"/"), "{name:?} is no library at {path:?}");
    }

    let lines = lines(bytes);
    let has = |line: &[u8], part: &[u8]| line.windows(part.len()).any(|window| window == part);
    let names: Vec<&[u8]> = lines
        .iter()
        .map(Vec::as_slice)
        .filter(|line| line.trim_ascii().len() == line.len() && !has(line, b"=>") && !has(line, b" (0x"))
        .collect();
    let paths: Vec<Vec<u8>> = names.iter().map(|name| [b"/lib/", *name].concat()).collect();
    let mut answer = b"\tlinux-vdso.so.1 (0x00007ffc)\n".to_vec();
    for (name, path) in names.iter().zip(&paths) {
        answer.extend([&b"\t"[..], name, b" => ", path, b" (0x00007f00)\n"].concat());
    }
    let expected: Vec<(&[u8], &[u8])> = names.iter().copied().zip(paths.iter().map(Vec::as_slice)).collect();
    assert_eq!(libraries(&answer), Some(expected), "from {:?}", String::from_utf8_lossy(&answer));
    answer.extend(b"\tlibx.so => not found\n");
    assert_eq!(libraries(&answer), None, "a library is missing");
}
