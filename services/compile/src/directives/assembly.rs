//! What a text may have an assembler do: directives as they stand in strings, and in assembly itself.

use super::logical::{is_blank, is_word};

/// What reads a file; after `.mri`, GNU's assembler takes its directives without the dot.
const READS: [&[u8]; 3] = [b"incbin", b"include", b"mri"];

/// Most bytes of a string before its first escape that are read.
const LONGEST_START: usize = 4096;

/// Whether the dot at `at` begins a directive that reads a file, as it can stand in assembly, within a string: not the
/// member of a structure, which has a name or a bracket before it or an operator behind it.
pub(super) fn reads_a_file(text: &[u8], at: usize) -> bool {
    let Some((_, after)) = READS.iter().find_map(|word| taken(&text[at + 1..], word)) else { return false };
    let operator =
        after.iter().find(|byte| !is_blank(**byte)).is_some_and(|byte| b"=,);.-+*/&|?:[](}".contains(byte));
    !is_of_a_value(text, at) && !operator && !after.first().is_some_and(|byte| is_word(*byte))
}

/// Whether the dot at `at` begins a directive whose name the compiler or the assembler puts together: of several
/// strings (`".inc" "bin"`), of a string and a macro's argument, or of the argument of the assembler's own macro
/// (`.\\name`).
pub(super) fn may_become_one(text: &[u8], at: usize) -> bool {
    if is_of_a_value(text, at) {
        return false;
    }
    let rest = &text[at + 1..];
    let begun = READS.iter().any(|word| {
        (1..word.len())
            .any(|length| taken(rest, &word[..length]).is_some_and(|(_, after)| ends_a_piece(after)))
    });
    let apart = rest.strip_prefix(b"\"").is_some_and(|after| {
        let next = after.trim_ascii_start().strip_prefix(b"\"").unwrap_or_default();
        READS.iter().any(|word| taken(next, &word[..1]).is_some())
    });
    let by_argument = rest.starts_with(b"\\\\") && rest.get(2).is_some_and(|byte| is_word(*byte));
    begun || apart || by_argument
}

fn ends_a_piece(after: &[u8]) -> bool {
    matches!(after.first(), Some(b'"' | b')'))
}

/// Whether the dot at `at` begins a line of assembly whose directive is an argument of the macro around it.
pub(super) fn is_named_by_a_macro(text: &[u8], at: usize) -> bool {
    let before = text[..at].iter().rev().find(|byte| !is_blank(**byte));
    matches!(before, None | Some(b'\n' | b'\r' | b';' | b':'))
        && text.get(at + 1) == Some(&b'\\')
        && text.get(at + 2).is_some_and(|byte| is_word(*byte))
}

/// Whether the dot at `at` begins a directive that numbers lines of a file: what comes of it names the working folder.
pub(super) fn numbers_lines(text: &[u8], at: usize) -> bool {
    let Some((_, after)) = [&b"loc"[..], b"file"].iter().find_map(|word| taken(&text[at + 1..], word)) else {
        return false;
    };
    let number = after.iter().position(|byte| !is_blank(*byte)).map_or(&after[..0], |at| &after[at..]);
    // A tabulator, as strings have it.
    let number = number.strip_prefix(b"\\t").unwrap_or(number);
    number.len() < after.len() && number.first().is_some_and(u8::is_ascii_digit) && !is_of_a_value(text, at)
}

/// Whether the string around the escape at `at` holds one of those directives once its escapes are read, and where it
/// was read to. Up to `from` it was read before.
pub(super) fn is_escaped(text: &[u8], from: usize, at: usize) -> (bool, usize) {
    let is_numeric = text.get(at + 1).is_some_and(|byte| *byte == b'x' || byte.is_ascii_digit());
    if !is_numeric || at < from {
        return (false, from);
    }
    let before = &text[from.max(at.saturating_sub(LONGEST_START))..at];
    let start = before.iter().rev().position(|byte| matches!(byte, b'"' | b'\n')).unwrap_or(before.len());
    let (decoded, length) = decoded(&text[at - start..]);
    let mut dots = memchr::memchr_iter(b'.', &decoded);
    (dots.any(|at| reads_a_file(&decoded, at)), at - start + length)
}

/// A string up to its end, its escapes that are numbers read, and how long it was.
fn decoded(string: &[u8]) -> (Vec<u8>, usize) {
    let mut decoded = Vec::new();
    let mut rest = string;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'"' | b'\n', _) => break,
            (b'\\', [b'x', digits @ ..]) => number(digits, 16, usize::MAX, &mut decoded),
            (b'\\', [b'0'..=b'7', ..]) => number(after, 8, 3, &mut decoded),
            (b'\\', [escaped, after @ ..]) => {
                decoded.push(if *escaped == b'n' { b'\n' } else { *escaped });
                after
            }
            _ => {
                decoded.push(*byte);
                after
            }
        };
    }
    (decoded, string.len() - rest.len())
}

/// Reads a number of at most `most` digits; what follows it.
fn number<'t>(digits: &'t [u8], radix: u32, most: usize, into: &mut Vec<u8>) -> &'t [u8] {
    let length = digits.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let value = digits[..length].iter().fold(0u32, |value, digit| {
        value.wrapping_mul(radix).wrapping_add(char::from(*digit).to_digit(radix).unwrap_or_default())
    });
    into.push(u8::try_from(value).unwrap_or(b'?'));
    &digits[length..]
}

/// `word`, in either case, at the start of `text`, and what follows it. Assemblers do not mind the case.
fn taken<'t>(text: &'t [u8], word: &[u8]) -> Option<(&'t [u8], &'t [u8])> {
    let (start, after) = text.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then_some((start, after))
}

/// Whether the dot at `at` takes a member of a value.
fn is_of_a_value(text: &[u8], at: usize) -> bool {
    let word = text[..at].iter().rev().take_while(|byte| is_word(**byte)).count();
    let before = at.checked_sub(word + 1).map(|at| text[at]);
    // `\n.include`: the letter belongs to the escape.
    if word > 0 { before != Some(b'\\') } else { matches!(before, Some(b')' | b']')) }
}

#[cfg(test)]
mod tests {
    use super::super::scan;

    #[test]
    fn a_directive_in_pieces_is_seen() {
        for text in [
            "asm(\".inc\" \"bin \\\"x\\\"\");",
            "asm(\"nop\\n.in\" \"clude \\\"x\\\"\");",
            "__asm__(\".\" \"incbin \\\"x\\\"\");",
            "__asm__(S(.in) \"cbin \\\"x\\\"\");",
            "__asm__(\"\\x2eincbin \\\"x\\\"\");",
            "__asm__(\"nop\\n\\056INC\\102in \\\"x\\\"\");",
            "asm(\".macro r f\\n.\\\\f \\\"x\\\"\\n.endm\\nr incbin\");",
        ] {
            assert!(scan(text.as_bytes()).assembler_input, "{text}");
        }
        for text in [
            "asm(\"nop\"); f(\"end.\", x.in, (a).i);",
            "asm(\".p2align 4\\n.L\\\\@:\"); const char *s = \"read.in\";",
            "const char *s = \"\\x1b[0m.include\\x41\";",
            "asm(\"nop\"); f(\"a.b\" \"c\");",
        ] {
            assert!(!scan(text.as_bytes()).assembler_input, "{text}");
        }
    }

    #[test]
    fn lines_that_are_numbered_are_seen() {
        for text in [".loc 1 2 0", "\t.file\t1 \"x.c\"", "asm(\".loc\\t1 1\");", "asm(\"nop\\n.LOC 1 1\");"] {
            assert!(scan(text.as_bytes()).numbers_lines, "{text}");
        }
        for text in [".file \"x.c\"", "x.loc 1", ".local 1", "a.file = 1", ".loc"] {
            assert!(!scan(text.as_bytes()).numbers_lines, "{text}");
        }
    }

    #[test]
    fn a_macros_argument_can_be_a_directive() {
        for text in [".macro r f\n.\\f \"x\"\n.endm", "a: .\\f 1"] {
            assert!(scan(text.as_bytes()).named_by_a_macro, "{text}");
        }
        assert!(!scan(b".ascii \"x.\\n\"\n.L\\@: nop").named_by_a_macro);
    }
}
