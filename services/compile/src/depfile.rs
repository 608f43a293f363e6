//! Reader of the dependency files that GCC and Clang write.
//!
//! Both quote alike: a space or tab in a name gets a backslash and doubles the backslashes before it, `#` gets a
//! backslash, `$` is doubled, and nothing else is quoted, a line feed least of all. What cannot be told apart is an
//! error: a file that was missed would make a wrong hit.

use std::collections::HashSet;

/// Most bytes of one file.
const MAX_BYTES: usize = 16 << 20;

/// Most names in one rule.
const MAX_NAMES: usize = 65_536;

/// Most bytes of one name.
const MAX_NAME: usize = 4096;

/// A dependency file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the dependency list: {0}")]
pub struct DepfileError(pub &'static str);

/// The prerequisites of the first rule, in order, without repetition, unquoted; the source itself is the first.
///
/// # Errors
/// When the text is not what `-MD` writes, or is beyond the limits.
pub fn prerequisites(text: &[u8]) -> Result<Vec<Vec<u8>>, DepfileError> {
    if text.len() > MAX_BYTES {
        return Err(DepfileError("it is too large"));
    }
    let mut rest = after_targets(text)?;
    let mut names = Vec::new();
    let mut known = HashSet::new();
    loop {
        match next(rest)? {
            (Token::End, after) => {
                only_empty_rules(after)?;
                return Ok(names);
            }
            (Token::Name(name), after) => {
                if known.insert(name.clone()) {
                    names.push(name);
                }
                if names.len() > MAX_NAMES {
                    return Err(DepfileError("it lists too many files"));
                }
                rest = after;
            }
        }
    }
}

/// What follows the colon behind the targets.
fn after_targets(text: &[u8]) -> Result<&[u8], DepfileError> {
    for (at, byte) in text.iter().enumerate() {
        let after = &text[at + 1..];
        if *byte == b':'
            && (after.starts_with(b" ") || after.starts_with(b"\n") || after.starts_with(b"\\\n"))
        {
            return Ok(after);
        }
    }
    Err(DepfileError("it has no rule"))
}

enum Token {
    Name(Vec<u8>),
    /// End of the rule.
    End,
}

/// The next name, and what follows it.
fn next(text: &[u8]) -> Result<(Token, &[u8]), DepfileError> {
    let mut rest = text;
    loop {
        rest = match rest {
            [b' ', rest @ ..] | [b'\\', b'\n', rest @ ..] => rest,
            [b'\n', rest @ ..] => return Ok((Token::End, rest)),
            [] => return Err(DepfileError("it is cut short")),
            _ => break,
        };
    }
    let mut name = Vec::new();
    loop {
        if name.len() > MAX_NAME {
            return Err(DepfileError("a name is too long"));
        }
        rest = match rest {
            [] => return Err(DepfileError("it is cut short")),
            [b' ' | b'\n', ..] => return Ok((Token::Name(name), rest)),
            [b'$', b'$', rest @ ..] => {
                name.push(b'$');
                rest
            }
            [b'$' | b'#' | b'\t', ..] => return Err(DepfileError("a name is not quoted as compilers do")),
            [b'\\', ..] => {
                let count = rest.iter().take_while(|byte| **byte == b'\\').count();
                let after = &rest[count..];
                match after {
                    [b' ' | b'\t', ..] => {
                        name.extend(std::iter::repeat_n(b'\\', count / 2));
                        if count % 2 == 0 {
                            return Ok((Token::Name(name), after));
                        }
                        name.push(after[0]);
                        &after[1..]
                    }
                    [b'#', after @ ..] => {
                        name.extend(std::iter::repeat_n(b'\\', count - 1));
                        name.push(b'#');
                        after
                    }
                    [b'\n', ..] if count == 1 => return Ok((Token::Name(name), rest)),
                    // Other versions quote a colon, these do not: which of the two is meant cannot be told.
                    [b'\n' | b':', ..] | [] => return Err(DepfileError("a name is ambiguous")),
                    after => {
                        name.extend(std::iter::repeat_n(b'\\', count));
                        after
                    }
                }
            }
            [byte, rest @ ..] => {
                name.push(*byte);
                rest
            }
        };
    }
}

/// Demands that nothing but the empty rules of `-MP` follows: a line feed in a name would look like the rule's end.
fn only_empty_rules(text: &[u8]) -> Result<(), DepfileError> {
    if !text.is_empty() && !text.ends_with(b"\n") {
        return Err(DepfileError("it is cut short"));
    }
    let fits = |line: &[u8]| line.is_empty() || line.ends_with(b":");
    if text.split(|byte| *byte == b'\n').all(fits) {
        Ok(())
    } else {
        Err(DepfileError("it has several rules"))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn names(text: &str) -> Result<Vec<String>, DepfileError> {
        let names = prerequisites(text.as_bytes())?;
        Ok(names.into_iter().map(|name| String::from_utf8(name).unwrap()).collect())
    }

    #[test]
    fn the_first_rule_is_read_over_its_lines() {
        let text = "x.o: x.c a.h \\\n  b.h a.h\n\na.h:\nb.h:\n";
        assert_eq!(names(text).unwrap(), ["x.c", "a.h", "b.h"]);
        assert_eq!(names("a b.o: \\\n x.c\n").unwrap(), ["x.c"]);
        assert_eq!(names("x.o:\n").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn quoting_is_undone() {
        let text = "x.o: a\\ b c$$d e\\#f g\\h i\\\\\\ j k\\\\ l\n";
        assert_eq!(names(text).unwrap(), ["a b", "c$d", "e#f", "g\\h", "i\\ j", "k\\", "l"]);
    }

    #[test]
    fn what_is_in_doubt_is_an_error() {
        for text in [
            "",
            "x.o x.c\n",
            "x.o: x.c",
            "x.o: x.c a$b\n",
            "x.o: x.c a\tb\n",
            "x.o: x.c #a\n",
            "x.o: x.c a\\:b\n",
            "x.o: x.c dir\nwith/a.h\n",
            "x.o: x.c\nx.o: y.c\n",
            "x.o: x.c\na.h:",
        ] {
            assert!(names(text).is_err(), "{text:?}");
        }
        let long = format!("x.o: {}\n", "a".repeat(MAX_NAME + 2));
        assert!(names(&long).is_err());
    }

    #[test]
    fn names_come_back_as_the_compilers_were_given_them() {
        const ODD: &[&str] = &[
            "plain.h",
            "a b.h",
            "a  b.h",
            "a#b.h",
            "a$b.h",
            "a\\b.h",
            "a\\ b.h",
            "a\\\\ b.h",
            "a\\#b.h",
            "a:b.h",
            "a'b.h",
            "é.h",
            "a%b.h",
            "a=b.h",
            "a~b.h",
            "(a).h",
            "$$.h",
            " a.h",
            "##.h",
        ];
        for tool in ["gcc", "clang"] {
            // Clang writes a slash for a backslash; such names are refused where they are asked for.
            for odd in ODD.iter().filter(|odd| tool == "gcc" || !odd.contains('\\')) {
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join(odd), "").unwrap();
                std::fs::write(folder.path().join("x.c"), format!("#include \"{odd}\"\n")).unwrap();
                let ran = Command::new(tool)
                    .args(["-w", "-nostdinc", "-MD", "-MF", "list", "-MP", "-c", "x.c"])
                    .current_dir(folder.path())
                    .status();
                assert!(ran.unwrap().success(), "{tool} {odd}");
                let text = std::fs::read(folder.path().join("list")).unwrap();
                match prerequisites(&text) {
                    Ok(names) => {
                        let names: Vec<_> = names.iter().map(|name| str::from_utf8(name).unwrap()).collect();
                        let expected = ["x.c", odd];
                        assert!(
                            names.iter().filter(|name| !name.ends_with("stdc-predef.h")).eq(expected.iter()),
                            "{tool} {odd:?}: {names:?} from {:?}",
                            String::from_utf8_lossy(&text)
                        );
                    }
                    // Refusing is right where the compiler itself loses the name.
                    Err(error) => assert!(odd.contains(['\\', ':']), "{tool} {odd:?}: {error}"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = prerequisites(&bytes);
            let _ = prerequisites(&[b"x.o: ", &bytes[..], b"\n"].concat());
        }

        #[test]
        fn what_is_quoted_as_compilers_do_reads_back(name in "[a-z #$\\\\]{1,12}[a-z]") {
            let mut quoted = String::new();
            let mut backslashes = 0;
            for c in name.chars() {
                match c {
                    ' ' => quoted.push_str(&format!("{}\\ ", "\\".repeat(backslashes))),
                    '#' => quoted.push_str("\\#"),
                    '$' => quoted.push_str("$$"),
                    c => quoted.push(c),
                }
                backslashes = if c == '\\' { backslashes + 1 } else { 0 };
            }
            prop_assert_eq!(names(&format!("x.o: x.c {quoted}\n")).unwrap(), ["x.c", name.as_str()]);
        }
    }
}
