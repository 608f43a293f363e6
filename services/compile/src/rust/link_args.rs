//! How `rustc` says it calls the linker: one line, as `std::process::Command` shows itself.
//!
//! `env -u GONE NAME="value" … "program" "argument" …`, each string in the quotes and escapes of Rust's `Debug`.

/// Most bytes of the line.
pub(crate) const MAX_BYTES: u64 = 8 << 20;

/// A linker's call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkCall {
    /// Variables that are set for it.
    pub variables: Vec<(Vec<u8>, Vec<u8>)>,
    /// As it is called: a name or a path.
    pub program: Vec<u8>,
    /// Its arguments.
    pub args: Vec<Vec<u8>>,
}

/// Reads the line. `None` when it is not understood.
#[must_use]
pub fn read(text: &[u8]) -> Option<LinkCall> {
    let line = text.strip_suffix(b"\n").unwrap_or(text);
    if line.len() as u64 > MAX_BYTES || line.contains(&b'\n') {
        return None;
    }
    let mut rest = line;
    let mut call = LinkCall::default();
    if let Some(after) = rest.strip_prefix(b"env ") {
        rest = after;
        while let Some(after) = rest.strip_prefix(b"-u ") {
            let end = after.iter().position(|byte| *byte == b' ')?;
            rest = &after[end + 1..];
        }
    }
    while !rest.starts_with(b"\"") {
        let equals = rest.iter().position(|byte| matches!(byte, b'=' | b' '))?;
        let (name, after) = (&rest[..equals], &rest[equals..]);
        let (value, after) = string(after.strip_prefix(b"=")?)?;
        if name.is_empty() {
            return None;
        }
        call.variables.push((name.to_vec(), value));
        rest = after.strip_prefix(b" ")?;
    }
    let (program, mut rest) = string(rest)?;
    call.program = program;
    while !rest.is_empty() {
        let (arg, after) = string(rest.strip_prefix(b" ")?)?;
        call.args.push(arg);
        rest = after;
    }
    (!call.program.is_empty()).then_some(call)
}

/// The string at the start of `text`, and what follows it.
fn string(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = text.strip_prefix(b"\"")?;
    let mut plain = Vec::new();
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some((plain, after)),
            [b'\\', b'u', b'{', after @ ..] => {
                let end = after.iter().take(7).position(|byte| *byte == b'}')?;
                let number = u32::from_str_radix(str::from_utf8(&after[..end]).ok()?, 16).ok()?;
                plain.extend(char::from_u32(number)?.to_string().into_bytes());
                &after[end + 1..]
            }
            [b'\\', b'x', high, low, after @ ..] => {
                let digits = [*high, *low];
                plain.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
                after
            }
            [b'\\', letter, after @ ..] => {
                plain.push(match letter {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'0' => 0,
                    b'"' | b'\\' | b'\'' => *letter,
                    _ => return None,
                });
                after
            }
            [byte, after @ ..] => {
                plain.push(*byte);
                after
            }
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::process::Command;

    fn shown(program: &[u8], args: &[Vec<u8>], variables: &[(String, String)]) -> String {
        let mut command = Command::new(OsStr::from_bytes(program));
        command.args(args.iter().map(|arg| OsStr::from_bytes(arg)));
        for (name, value) in variables {
            command.env(name, value);
        }
        format!("{command:?}\n")
    }

    #[test]
    fn a_usual_line_is_read() {
        let call = read(b"env -u X LC_ALL=\"C\" PATH=\"/a:/b\" \"cc\" \"-m64\" \"a \\\"b\\\".o\"\n").unwrap();
        assert_eq!(call.program, b"cc");
        assert_eq!(call.args, [b"-m64".to_vec(), b"a \"b\".o".to_vec()]);
        assert_eq!(call.variables[1], (b"PATH".to_vec(), b"/a:/b".to_vec()));
        for text in ["", "\"cc", "cc \"a\"", "\"cc\" a", "A=b \"cc\"", "\"cc\"\n\"ld\"\n"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_a_command_shows_is_read(
            program in "[a-z/]{1,8}",
            args in prop::collection::vec(prop::collection::vec(1_u8.., 0..12), 0..5),
            value in "[ -~é\t]{0,12}",
        ) {
            let variables = [("NAME".to_owned(), value.clone())];
            let call = read(shown(program.as_bytes(), &args, &variables).as_bytes()).unwrap();
            prop_assert_eq!(call.program, program.into_bytes());
            prop_assert_eq!(call.args, args);
            prop_assert_eq!(call.variables, vec![(b"NAME".to_vec(), value.into_bytes())]);
        }

        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
            let _ = read(&[b"\"", bytes.as_slice()].concat());
        }
    }
}
