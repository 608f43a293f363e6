//! Response files: parts with a NUL between them, the first the arguments, one a line, each other one the file
//! that has its number for a name.

use larder_compile::fuzzing::expand;

use crate::lines;

/// Files are replaced by what stands in them, and what was quoted reads back.
pub fn check(bytes: &[u8]) {
    let parts: Vec<_> = bytes.split(|byte| *byte == 0).collect();
    let args = lines(parts[0]);
    let quoted: Vec<u8> = args.iter().flat_map(|arg| quote(arg)).collect();
    let read = |name: &[u8]| {
        if name == b"all" {
            return Some(quoted.clone());
        }
        let number: usize = str::from_utf8(name).ok()?.parse().ok().filter(|number| *number > 0)?;
        parts.get(number).map(|part| part.to_vec())
    };
    let expanded = expand(&args, read);
    if let Some(expanded) = &expanded {
        for arg in expanded.iter().filter_map(|arg| arg.strip_prefix(b"@")) {
            assert_eq!(read(arg), None, "a file was not read");
        }
    }
    if args.iter().all(|arg| !arg.starts_with(b"@")) {
        assert_eq!(expanded.as_ref(), Some(&args), "there was nothing to replace");
    }
    // One file more can be one too many, and a file can be refused that is fine on a command line.
    if let Some(through_a_file) = expand(&[b"@all".to_vec()], read) {
        assert_eq!(Some(through_a_file), expanded, "what was quoted does not read back");
    }
}

fn quote(arg: &[u8]) -> Vec<u8> {
    arg.iter().flat_map(|byte| [b'\\', *byte]).chain(*b"\n").collect()
}
