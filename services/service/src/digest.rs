//! Digests of content and keys of actions: both are SHA-256, and neither may be taken for the other.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Name of immutable bytes: their SHA-256 and their size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    /// SHA-256 of the bytes.
    pub hash: [u8; 32],
    /// How many bytes there are.
    pub size: u64,
}

impl Digest {
    /// Digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self { hash: Sha256::digest(bytes).into(), size: bytes.len() as u64 }
    }

    /// The hash in lowercase hexadecimal, 64 characters.
    #[must_use]
    pub fn hex(&self) -> String {
        to_hex(&self.hash)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.hex(), self.size)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Name of an action, a base key, or any other combination of inputs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub [u8; 32]);

impl Key {
    /// Lowercase hexadecimal, 64 characters.
    #[must_use]
    pub fn hex(&self) -> String {
        to_hex(&self.0)
    }

    /// Reads what [`Key::hex`] writes.
    ///
    /// # Errors
    /// When `text` is not 64 hexadecimal characters.
    pub fn from_hex(text: &str) -> Result<Self, ParseHexError> {
        from_hex(text).map(Self)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

/// Builds a [`Key`] from fields, or a [`Digest`] from a stream.
///
/// Fields are framed (tag, length, bytes), so that no two sequences of fields give the same input to SHA-256.
#[derive(Clone)]
pub struct Hasher {
    sha: Sha256,
    size: u64,
}

impl Hasher {
    /// For the content of a file: nothing but the bytes themselves.
    #[must_use]
    pub fn content() -> Self {
        Self { sha: Sha256::new(), size: 0 }
    }

    /// For a key of the kind `domain`; keys of different domains never coincide.
    #[must_use]
    pub fn key(domain: &str) -> Self {
        let mut hasher = Self::content();
        hasher.field("larder", domain.as_bytes());
        hasher
    }

    /// Adds bytes of content.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Adds a named field of a key.
    pub fn field(&mut self, name: &str, value: &[u8]) {
        self.update(&(name.len() as u64).to_le_bytes());
        self.update(name.as_bytes());
        self.update(&(value.len() as u64).to_le_bytes());
        self.update(value);
    }

    /// Ends a key.
    #[must_use]
    pub fn finish_key(self) -> Key {
        Key(self.sha.finalize().into())
    }

    /// Ends content.
    #[must_use]
    pub fn finish_digest(self) -> Digest {
        Digest { hash: self.sha.finalize().into(), size: self.size }
    }
}

/// Text that is not a 256-bit value in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read {0:?} as 64 hexadecimal characters")]
pub struct ParseHexError(pub String);

fn to_hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(64);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

fn from_hex(text: &str) -> Result<[u8; 32], ParseHexError> {
    let error = || ParseHexError(text.chars().take(80).collect());
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return Err(error());
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16).ok_or_else(error)?;
        let low = char::from(pair[1]).to_digit(16).ok_or_else(error)?;
        *byte = u8::try_from(high * 16 + low).map_err(|_| error())?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_plain_sha256_of_the_content() {
        let empty = Digest::of(b"");
        assert_eq!(empty.hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let mut hasher = Hasher::content();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.finish_digest(), Digest::of(b"abc"));
    }

    #[test]
    fn fields_cannot_run_into_each_other() {
        let key = |fields: &[(&str, &[u8])]| {
            let mut hasher = Hasher::key("test");
            for (name, value) in fields {
                hasher.field(name, value);
            }
            hasher.finish_key()
        };
        assert_ne!(key(&[("a", b"bc")]), key(&[("ab", b"c")]));
        assert_ne!(key(&[("a", b"b"), ("c", b"d")]), key(&[("a", b"bc"), ("", b"d")]));
        assert_ne!(Hasher::key("x").finish_key(), Hasher::key("y").finish_key());
    }

    #[test]
    fn hexadecimal_reads_back_and_refuses_everything_else() {
        let key = Hasher::key("test").finish_key();
        assert_eq!(Key::from_hex(&key.hex()), Ok(key));
        for bad in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(Key::from_hex(bad).is_err(), "{bad}");
        }
    }
}
