//! What a key, a namespace and an output's name may be.

use larder_proto::v1::ArtifactOutput;
use larder_store::{MAX_OUTPUTS, MAX_STREAM_BYTES};

/// Longest key, bytes.
pub const MAX_KEY_BYTES: usize = 512;

/// Longest name of a namespace, bytes.
pub const MAX_SPACE_BYTES: usize = 64;

/// Longest name of an output, bytes.
const MAX_NAME_BYTES: usize = 255;

/// Most parts of a key.
pub(crate) const MAX_PARTS: usize = 20_000;

/// Longest name of a part of a key, bytes.
pub(crate) const MAX_PART_BYTES: usize = 4096;

/// Longest digest of a part of a key, bytes.
pub(crate) const MAX_DIGEST_BYTES: usize = 32;

/// Why an artifact has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// The key.
    #[error("failed to use the key {0:?}: it must have 1 to {MAX_KEY_BYTES} bytes and no control characters")]
    Key(String),
    /// The namespace.
    #[error(
        "failed to use the namespace {0:?}: it must have 1 to {MAX_SPACE_BYTES} letters, digits, '.', '_' or '-'"
    )]
    Space(String),
    /// An output's name.
    #[error(
        "failed to use the output name {0:?}: it must be a relative path of at most {MAX_NAME_BYTES} bytes without '..'"
    )]
    Name(String),
    /// Two outputs of one name, or one where the folder of another should be.
    #[error("failed to use the output name {0:?} twice, or as a file and a folder")]
    Twice(String),
    /// Too many outputs.
    #[error("failed to keep {0} outputs: at most {MAX_OUTPUTS} are kept")]
    Outputs(usize),
    /// Too many parts of a key.
    #[error("failed to compare {0} parts of a key: at most {MAX_PARTS} are kept")]
    Parts(usize),
    /// A part of a key.
    #[error(
        "failed to keep a part of a key: its name has at most {MAX_PART_BYTES} bytes, its digest {MAX_DIGEST_BYTES}"
    )]
    Part,
    /// A stream is too long.
    #[error("failed to keep a stream of {0} bytes: at most {MAX_STREAM_BYTES} are kept")]
    Stream(usize),
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

pub(crate) fn key(key: &str) -> Result<(), LimitError> {
    let fits = !key.is_empty() && key.len() <= MAX_KEY_BYTES && !key.contains(char::is_control);
    if fits { Ok(()) } else { Err(LimitError::Key(short(key))) }
}

pub(crate) fn space(space: &str) -> Result<(), LimitError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let fits = !space.is_empty() && space.len() <= MAX_SPACE_BYTES && space.bytes().all(plain);
    if fits { Ok(()) } else { Err(LimitError::Space(short(space))) }
}

pub(crate) fn outputs(outputs: &[ArtifactOutput], streams: [&[u8]; 2]) -> Result<(), LimitError> {
    if outputs.len() > MAX_OUTPUTS {
        return Err(LimitError::Outputs(outputs.len()));
    }
    for output in outputs {
        let name = output.name.as_str();
        let part = |part: &str| !part.is_empty() && part != "." && part != "..";
        if name.len() > MAX_NAME_BYTES || !name.split('/').all(part) || name.contains('\0') {
            return Err(LimitError::Name(short(name)));
        }
    }
    let mut names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    names.sort_unstable();
    for (at, name) in names.iter().enumerate() {
        let clashes = |other: &&&str| {
            other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if let Some(other) = names[at + 1..].iter().take_while(|other| other.starts_with(name)).find(clashes)
        {
            return Err(LimitError::Twice(short(other)));
        }
    }
    match streams.iter().find(|stream| stream.len() > MAX_STREAM_BYTES) {
        Some(stream) => Err(LimitError::Stream(stream.len())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(names: &[&str]) -> Result<(), LimitError> {
        let output = |name: &&str| ArtifactOutput { name: (*name).to_owned(), ..ArtifactOutput::default() };
        outputs(&names.iter().map(output).collect::<Vec<_>>(), [b"", b""])
    }

    #[test]
    fn names_stay_below_the_folder_they_are_restored_in() {
        assert_eq!(named(&["a", "b/c.o", "b/d", "..x", "b.c", "-"]), Ok(()));
        for name in ["", "/a", "../a", "a/..", "a//b", "a/", ".", "./a", "a\0"] {
            assert!(matches!(named(&[name]), Err(LimitError::Name(_))), "{name:?}");
        }
        assert!(named(&[&"n".repeat(256)]).is_err());
    }

    #[test]
    fn no_two_outputs_get_in_each_others_way() {
        assert!(matches!(named(&["a", "b", "a"]), Err(LimitError::Twice(_))));
        assert!(matches!(named(&["a/b", "a-", "a"]), Err(LimitError::Twice(_))));
        assert_eq!(named(&["a-b", "a/b"]), Ok(()));
    }

    #[test]
    fn keys_and_namespaces_have_limits() {
        assert_eq!((key("any key, größe"), space("a.B_1-")), (Ok(()), Ok(())));
        assert!(key("").is_err() && key("a\nb").is_err() && key(&"k".repeat(513)).is_err());
        assert!(space("").is_err() && space("a/b").is_err() && space(&"s".repeat(65)).is_err());
        let many = vec![ArtifactOutput::default(); MAX_OUTPUTS + 1];
        assert!(matches!(outputs(&many, [b"", b""]), Err(LimitError::Outputs(_))));
        assert!(matches!(outputs(&[], [b"", &vec![0; MAX_STREAM_BYTES + 1]]), Err(LimitError::Stream(_))));
    }

    proptest! {
        #[test]
        fn what_is_accepted_leads_nowhere_else(name in ".{0,40}") {
            if named(&[&name]).is_ok() {
                let path = std::path::Path::new(&name);
                prop_assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}
