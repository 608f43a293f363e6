//! Response files: arguments that stand in a file.
//!
//! GCC's drivers and Clang's read them alike but for odd corners (quotes that are not closed, an empty argument, rare
//! white space, byte order marks); what falls into one of those is refused.

use larder_service::Reason;

use super::Refusal;

/// Most files, one within the other or one after the other.
const MAX_FILES: usize = 100;

/// Most bytes of all files together.
const MAX_BYTES: usize = 2 << 20;

/// `args` with each `@file` replaced by the arguments in it; `read` gives a file's content, or `None` where there is
/// none, and the argument then stands for itself.
///
/// # Errors
/// When a file is not understood alike by all drivers, or the files are too many or too large.
pub(crate) fn expand(
    args: &[Vec<u8>],
    mut read: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Result<Vec<Vec<u8>>, Refusal> {
    let refused = |arg: &[u8]| {
        let detail = String::from_utf8_lossy(arg).into_owned();
        Refusal { reason: Reason::ResponseFile, detail }
    };
    let mut expanded = Vec::with_capacity(args.len());
    // The arguments that are still to be looked at, the next one last.
    let mut pending: Vec<Vec<u8>> = args.iter().rev().cloned().collect();
    let (mut files, mut bytes) = (0, 0);
    while let Some(arg) = pending.pop() {
        let Some(content) = arg.strip_prefix(b"@").and_then(&mut read) else {
            expanded.push(arg);
            continue;
        };
        files += 1;
        bytes += content.len();
        if files > MAX_FILES || bytes > MAX_BYTES {
            return Err(refused(&arg));
        }
        let inner = split(&content).ok_or_else(|| refused(&arg))?;
        pending.extend(inner.into_iter().rev());
    }
    Ok(expanded)
}

/// The arguments in `text`: parted by white space, grouped by quotes, a backslash making the next byte stand for
/// itself everywhere. `None` where drivers differ.
fn split(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    const MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];
    if MARKS.iter().any(|mark| text.starts_with(mark)) || text.iter().any(|byte| b"\0\x0b\x0c".contains(byte))
    {
        return None;
    }
    let mut args = Vec::new();
    let mut current: Option<Vec<u8>> = None;
    let mut quote = None;
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, quote) {
            (b'\\', _) => current.get_or_insert_default().push(bytes.next()?),
            (b'"' | b'\'', None) => {
                quote = Some(byte);
                current.get_or_insert_default();
            }
            (_, Some(open)) if byte == open => quote = None,
            (b' ' | b'\t' | b'\n' | b'\r', None) => args.extend(current.take()),
            _ => current.get_or_insert_default().push(byte),
        }
    }
    args.extend(current);
    (quote.is_none() && !args.iter().any(Vec::is_empty)).then_some(args)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn texts(args: &[&str]) -> Vec<Vec<u8>> {
        args.iter().map(|arg| arg.as_bytes().to_vec()).collect()
    }

    #[test]
    fn files_are_replaced_by_what_stands_in_them_also_within_each_other() {
        let read = |name: &[u8]| match name {
            b"outer" => Some(b"-a @inner\n-c".to_vec()),
            b"inner" => Some(b"'-b c'".to_vec()),
            _ => None,
        };
        let expanded = expand(&texts(&["-1", "@outer", "@missing", "@"]), read).unwrap();
        assert_eq!(expanded, texts(&["-1", "-a", "-b c", "-c", "@missing", "@"]));
    }

    #[test]
    fn what_drivers_do_not_read_alike_is_refused() {
        for text in ["'open", "\"open", "end\\", "''", "a \"\" b", "a\x0bb", "\u{feff}-c", "a\0b"] {
            assert_eq!(split(text.as_bytes()), None, "{text:?}");
        }
        let around = |name: &[u8]| Some([b"@", name].concat());
        assert_eq!(expand(&texts(&["@loop"]), around).unwrap_err().reason, Reason::ResponseFile);
        let large = |_: &[u8]| Some(vec![b' '; MAX_BYTES + 1]);
        assert_eq!(expand(&texts(&["@large"]), large).unwrap_err().reason, Reason::ResponseFile);
    }

    #[test]
    fn the_compilers_read_the_same_arguments() {
        const TEXT: &str =
            "-DA=one -DB='two words' \"-DC=x\\\"y\"\n-DD=a\\ b\t-D 'E=it\\'s'  -DF=q\"r s\"t\r\n";
        for tool in ["gcc", "clang"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("args"), TEXT).unwrap();
            std::fs::write(folder.path().join("x.c"), "A | B | C | D | E | F\n").unwrap();
            let preprocessed = |args: Vec<Vec<u8>>| {
                use std::os::unix::ffi::OsStrExt as _;
                let args = args.iter().map(|arg| std::ffi::OsStr::from_bytes(arg));
                let mut command = Command::new(tool);
                command.args(["-E", "-P", "x.c"]).args(args).current_dir(folder.path());
                command.output().unwrap().stdout
            };
            let through_file = preprocessed(texts(&["@args"]));
            let expanded = expand(&texts(&["@args"]), |_| Some(TEXT.as_bytes().to_vec())).unwrap();
            assert_eq!(preprocessed(expanded), through_file, "{tool}");
            assert!(String::from_utf8_lossy(&through_file).contains("two words | x\"y | a b | it's"));
        }
    }

    proptest! {
        #[test]
        fn any_file_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = expand(&texts(&["@f"]), |name| (name == b"f").then(|| bytes.clone()));
        }

        #[test]
        fn what_is_quoted_reads_back(args in prop::collection::vec("[a-z '\"\\\\\n@=-]{1,10}", 0..6)) {
            let quote = |arg: &String| {
                let escaped: String = arg.chars().flat_map(|c| ['\\', c]).collect();
                format!("{escaped}\n")
            };
            let text: String = args.iter().map(quote).collect();
            let expected: Vec<_> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
            prop_assert_eq!(split(text.as_bytes()), Some(expected));
        }
    }
}
