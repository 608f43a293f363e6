//! The dependency files that `rustc` writes.
//!
//! A rule for each output with all sources, an empty rule for each source, then `# env-dep:NAME=VALUE` for each variable
//! that was read, without a value where it was not set. In sources' names a space gets a backslash
//! (`rustc_interface::passes::write_out_deps`); in variables a backslash, a line feed and a carriage return do.

/// Most bytes of one file.
pub(crate) const MAX_BYTES: usize = 8 << 20;

/// Most names of sources, and of variables.
const MAX_NAMES: usize = 65_536;

/// What a compile read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DepInfo {
    /// As they are spelled, without repetition.
    pub sources: Vec<Vec<u8>>,
    /// Each name with its value; `None` where it was not set.
    pub variables: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// A dependency file that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the compiler's list of sources: {0}")]
pub struct DepInfoError(pub &'static str);

/// Reads one file.
///
/// # Errors
/// When it is not what `rustc` writes, or is beyond the limits.
pub fn read(text: &[u8]) -> Result<DepInfo, DepInfoError> {
    if text.len() > MAX_BYTES {
        return Err(DepInfoError("it is too large"));
    }
    let mut info = DepInfo::default();
    let mut rules = 0;
    let whole = text.strip_suffix(b"\n").ok_or(DepInfoError("it is cut short"))?;
    for line in whole.split(|byte| *byte == b'\n') {
        if let Some(variable) = line.strip_prefix(b"# env-dep:") {
            info.variables.push(read_variable(variable)?);
        } else if line.is_empty() || line.starts_with(b"# checksum:") {
        } else if line.starts_with(b"#") {
            return Err(DepInfoError("it has a line of an unknown kind"));
        } else {
            // Targets are not quoted.
            let Some(at) = memchr::memmem::find(line, b": ") else {
                match line.ends_with(b":") {
                    true => continue,
                    false => return Err(DepInfoError("a line is no rule")),
                }
            };
            let words = words(&line[at + 2..])?;
            rules += 1;
            // All rules list the same.
            if rules == 1 {
                info.sources = words;
            } else if info.sources != words {
                return Err(DepInfoError("its rules differ"));
            }
        }
        if info.sources.len() > MAX_NAMES || info.variables.len() > MAX_NAMES {
            return Err(DepInfoError("it lists too much"));
        }
    }
    if info.sources.is_empty() { Err(DepInfoError("it has no rule")) } else { Ok(info) }
}

/// The words of a line, unquoted.
fn words(line: &[u8]) -> Result<Vec<Vec<u8>>, DepInfoError> {
    let mut words = Vec::new();
    let mut word = Vec::new();
    let mut bytes = line.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            // A backslash before anything else stands for itself.
            b'\\' if bytes.peek() == Some(&b' ') => word.extend(bytes.next()),
            b' ' => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            b'\r' => return Err(DepInfoError("a name has a line break")),
            byte => word.push(byte),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    Ok(words)
}

fn read_variable(text: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), DepInfoError> {
    let (name, value) = match text.iter().position(|byte| *byte == b'=') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(DepInfoError("a variable has no name"));
    }
    Ok((unescaped(name)?, value.map(unescaped).transpose()?))
}

fn unescaped(text: &[u8]) -> Result<Vec<u8>, DepInfoError> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b'\\') => b'\\',
                _ => return Err(DepInfoError("a variable is quoted in an unknown way")),
            },
            byte => byte,
        });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sources_and_variables_are_read() {
        let text = b"/t t/a-1.d: src/lib.rs src/a\\ b.rs\n\n/t/liba-1.rlib: src/lib.rs src/a\\ b.rs\n\nsrc/lib.rs:\nsrc/a\\ b.rs:\n\n# env-dep:A=1\\n2\n# env-dep:NONE\n";
        let info = read(text).unwrap();
        assert_eq!(info.sources, [b"src/lib.rs".to_vec(), b"src/a b.rs".to_vec()]);
        assert_eq!(info.variables, [(b"A".to_vec(), Some(b"1\n2".to_vec())), (b"NONE".to_vec(), None)]);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for text in
            ["", "\n", "a.d: x.rs", "a.d: x.rs\nb.d: y.rs\n", "# odd\n", "no rule\n", "a.d: \n", "a.d:\n"]
        {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[b"a: ", bytes.as_slice(), b"\n"].concat());
        }

        #[test]
        fn names_read_back(names in prop::collection::vec("[a-z][a-z# .]{0,8}[a-z]", 1..5)) {
            let mut text = b"t:".to_vec();
            for name in &names {
                text.push(b' ');
                text.extend(name.replace(' ', "\\ ").into_bytes());
            }
            text.push(b'\n');
            let sources: Vec<Vec<u8>> = names.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(read(&text).unwrap().sources, sources);
        }
    }
}
