//! The file that says of what version a store is.

use larder_glue::fuzzing::parse_format;

/// A number is read from where one begins the bytes, and what follows it in other words makes no other one of it.
pub fn check(bytes: &[u8]) {
    let Some(format) = parse_format(bytes) else { return };
    assert!(bytes[0].is_ascii_digit(), "a version from no number");
    assert_eq!(parse_format(&[bytes, b" more"].concat()), Some(format), "more words");
    assert_eq!(parse_format(&[b"0", bytes].concat()), Some(format), "a zero in front");
    assert_eq!(parse_format(format!("{format}\n").as_bytes()), Some(format), "written again");
}
