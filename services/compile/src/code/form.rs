//! A C or C++ text without its comments, every token in its place.

/// `text` with blanks for comments and without white space at the ends of lines.
///
/// `None` for a text that another reading could take differently: then every byte of it counts. That includes raw
/// strings, trigraphs, quotes that are not closed on their line, and comments that are continued by a backslash.
pub(crate) fn without_comments(text: &[u8]) -> Option<Vec<u8>> {
    let mut code = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match (*byte, after) {
            (b'\n', _) => {
                trim(&mut code);
                code.push(b'\n');
                after
            }
            // Only some compilers end a line here.
            (b'\r', [next, ..]) if *next != b'\n' => return None,
            (b'\r', []) => return None,
            (b'?', [b'?', ..]) => return None,
            // A line that goes on elsewhere could make a comment, or end one, of what stands here.
            (b'\\', _) if continues(after) => {
                if code.last().is_some_and(|last| b"/*".contains(last)) {
                    return None;
                }
                code.push(b'\\');
                let (blank, next) = continued(after)?;
                if next.first().is_some_and(|first| b"/*".contains(first)) {
                    return None;
                }
                code.extend_from_slice(blank);
                next
            }
            (b'/', [b'/', comment @ ..]) => {
                let end = comment.iter().position(|byte| *byte == b'\n').unwrap_or(comment.len());
                comment_of(&comment[..end], &mut code, false)?;
                &comment[end..]
            }
            (b'/', [b'*', comment @ ..]) => {
                let end = comment.windows(2).position(|pair| pair == b"*/")?;
                comment_of(&comment[..end], &mut code, true)?;
                &comment[end + 2..]
            }
            (b'"' | b'\'', _) => quoted(*byte, after, &mut code)?,
            (b'<', _) if is_header_name(&code) => header_name(after, &mut code)?,
            (byte, _) => {
                code.push(byte);
                after
            }
        };
    }
    trim(&mut code);
    Some(code)
}

/// Takes white space from the end of the last line; after a backslash it could matter.
fn trim(code: &mut Vec<u8>) {
    let blank = code.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let kept = code.len() - blank;
    if kept == 0 || code[kept - 1] != b'\\' {
        code.truncate(kept);
    }
}

/// What may stand between a backslash and the end of the line that it joins to the next.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)
}

/// Whether a backslash before `after` ends its line, white space between or not.
fn continues(after: &[u8]) -> bool {
    continued(after).is_some()
}

/// The white space and line end behind a backslash, and what follows.
fn continued(after: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = after.iter().take_while(|byte| is_blank(**byte) || **byte == b'\r').count();
    (after.get(blank) == Some(&b'\n')).then(|| after.split_at(blank + 1))
}

/// Puts into `code` what stands for a comment; `closed` by a mark of its own, so that something may follow it.
fn comment_of(comment: &[u8], code: &mut Vec<u8>, closed: bool) -> Option<()> {
    // What some compilers warn of: a comment within a comment, a line that is continued, letters that look like others.
    // And what GCC reads: that a case is meant to fall through.
    let speaks = !comment.is_ascii()
        || comment.contains(&b'\\')
        || comment.windows(2).any(|pair| pair == b"/*" || pair == b"??")
        || comment.windows(4).any(|word| word.eq_ignore_ascii_case(b"fall"));
    // Without the comment, a backslash before it would end the line.
    let continued = code.iter().rev().find(|byte| !is_blank(**byte)) == Some(&b'\\');
    if speaks || continued || comment.contains(&b'\r') {
        return None;
    }
    if closed {
        code.extend_from_slice(b"  ");
        for byte in comment {
            if *byte == b'\n' {
                trim(code);
            }
            code.push(if matches!(byte, b'\n' | b'\t') { *byte } else { b' ' });
        }
        code.extend_from_slice(b"  ");
    }
    Some(())
}

/// A string or character from behind its opening `quote`; what follows it.
fn quoted<'t>(quote: u8, after: &'t [u8], code: &mut Vec<u8>) -> Option<&'t [u8]> {
    let before = code.last().copied().unwrap_or(b' ');
    // A raw string ends by rules of its own, and within a number a quote only separates digits.
    if before == b'R' || (quote == b'\'' && before.is_ascii_alphanumeric() && !b"LuU".contains(&before)) {
        return None;
    }
    let mut bytes = after.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next().filter(|(_, next)| !matches!(next, b'\n' | b'\r'))?;
            }
            b'\n' | b'\r' => return None,
            byte if *byte == quote => {
                code.push(quote);
                code.extend_from_slice(&after[..=at]);
                return Some(&after[at + 1..]);
            }
            _ => {}
        }
    }
    None
}

/// Whether the last line of `code` is a directive up to the name of a header.
fn is_header_name(code: &[u8]) -> bool {
    let start = code.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    code[start..].trim_ascii_start().starts_with(b"#")
}

/// A bracketed name from behind its bracket: within it there are no comments. What follows the bracket.
fn header_name<'t>(after: &'t [u8], code: &mut Vec<u8>) -> Option<&'t [u8]> {
    code.push(b'<');
    let line = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
    // A comparison in a condition has no bracket to close it.
    let Some(end) = after[..line].iter().position(|byte| *byte == b'>') else { return Some(after) };
    let name = &after[..end];
    let odd = name.windows(2).any(|pair| pair == b"//" || pair == b"/*")
        || name.iter().any(|byte| b"\"'\\".contains(byte));
    if odd {
        return None;
    }
    Some(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn form(text: &str) -> Option<String> {
        without_comments(text.as_bytes()).map(|code| String::from_utf8(code).unwrap())
    }

    #[test]
    fn comments_leave_every_token_in_its_place() {
        assert_eq!(form("int /* a */ x; // b\n").unwrap(), "int         x;\n");
        assert_eq!(form("a /* 1\n\t2 */ b\n").unwrap(), "a\n\t     b\n");
        assert_eq!(form("x;   \n\n/* all */\n").unwrap(), "x;\n\n\n");
        assert_eq!(form("x; // same\n"), form("x; // other, and longer\n"));
        assert_eq!(form("x; // same\n"), form("x;\n"));
        assert_ne!(form("/* 12 */ x;\n"), form("/* 123 */ x;\n"), "another column");
        assert_ne!(form("/* 1\n */ x;\n"), form("/* 1 */ x;\n"), "another line");
        assert_ne!(form("/*\t*/ x;\n"), form("/* */ x;\n"), "another indentation");
    }

    #[test]
    fn what_only_looks_like_a_comment_counts() {
        for text in [
            "s = \"/* no */\";",
            "s = \"// no\";",
            "c = '/';",
            "c = '\"'; // yes",
            "s = \"\\\"//\"; c = '\\'';",
            "a / b * c;",
        ] {
            let code = form(text).unwrap();
            assert_eq!(code, text.trim_end_matches(" // yes"), "{text}");
        }
        assert_eq!(form("#include <a.h> // yes\n").unwrap(), "#include <a.h>\n");
        assert_eq!(form("#if A < B // yes\n").unwrap(), "#if A < B\n");
        assert_eq!(form("#define S \"a\\\n b\" /* yes */\n"), None, "a string over two lines");
        assert_eq!(form("#define A 1 \\\n  + 2 /* yes */\n").unwrap(), "#define A 1 \\\n  + 2\n");
        assert_eq!(form("a \\ \nb").unwrap(), "a \\ \nb");
    }

    #[test]
    fn what_could_be_read_in_two_ways_has_no_form() {
        let odd = [
            "s = R\"(// */)\";",
            "s = u8R\"x(\")x\";",
            "n = 1'000'000;",
            "#error don't",
            "c = 'a",
            "s = \"a\nb\";",
            "??/ x",
            "#include <a//b.h>",
            "#include <a/*b.h>",
            "/\\\n/ x",
            "a /* b *\\\n/ c",
            "x; /* open",
            "// line \\\nx",
            "a \\ // x\nb",
            "a \\ /* x */\nb",
            "/* /* */",
            "/* fall through */",
            "// FALLTHROUGH",
            "/* caf\u{e9} */",
            "a\rb",
            "// a\rb\n",
            "x '",
        ];
        for text in odd {
            assert_eq!(form(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_form_has_the_lines_of_its_text_and_is_its_own(text in "[a-z/*\"'<># \\\\\t\n(){};0-9]{0,60}") {
            if let Some(code) = form(&text) {
                prop_assert_eq!(code.matches('\n').count(), text.matches('\n').count());
                prop_assert_eq!(form(&code), Some(code));
            }
        }

        #[test]
        fn a_letter_outside_comments_counts(text in "[a-z/*\"' \n;]{0,40}", place in any::<prop::sample::Index>()) {
            if let Some(code) = form(&text) {
                let letters: Vec<usize> = code.bytes().enumerate().filter(|(_, b)| b.is_ascii_lowercase()).map(|(at, _)| at).collect();
                if !letters.is_empty() {
                    let mut other = code.clone().into_bytes();
                    other[letters[place.index(letters.len())]] = b'Q';
                    prop_assert_ne!(without_comments(&other), Some(code.into_bytes()));
                }
            }
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = without_comments(&bytes);
        }
    }
}
