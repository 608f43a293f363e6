//! Names as people read them.

use std::fmt::Write as _;

/// `name` on one line and without ambiguity: control characters, backslashes and bytes that are no UTF-8 are escaped.
#[must_use]
pub fn shown(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || character == '\\' {
                text.extend(character.escape_default());
            } else {
                text.push(character);
            }
        }
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_on_their_line_and_differ_where_their_bytes_do() {
        assert_eq!(shown("größe.rs".as_bytes()), "größe.rs");
        assert_eq!(shown(b"a\nb\xff\\xff"), "a\\nb\\xff\\\\xff");
    }
}
