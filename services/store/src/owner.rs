//! Whose a record is.

use std::fmt;

use crate::bytes::DecodeError;

/// Length of an owner's stored form, and most bytes of a name.
pub(crate) const OWNER_BYTES: usize = 12;

/// The service that a record is of, by the name that statistics have for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner([u8; OWNER_BYTES]);

impl Owner {
    /// The owner that is called `name`.
    ///
    /// # Panics
    /// When `name` is none, see [`Self::named`]; while compiling, for a constant.
    #[must_use]
    pub const fn new(name: &str) -> Self {
        match Self::named(name) {
            Some(owner) => owner,
            None => panic!("an owner's name is 1 to 12 lowercase letters"),
        }
    }

    /// The owner that is called `name`; `None` where that is not 1 to 12 lowercase letters.
    #[must_use]
    pub const fn named(name: &str) -> Option<Self> {
        let name = name.as_bytes();
        if name.is_empty() || name.len() > OWNER_BYTES {
            return None;
        }
        let mut bytes = [0; OWNER_BYTES];
        let mut at = 0;
        while at < name.len() {
            if !name[at].is_ascii_lowercase() {
                return None;
            }
            bytes[at] = name[at];
            at += 1;
        }
        Some(Self(bytes))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(OWNER_BYTES);
        str::from_utf8(&self.0[..end]).unwrap_or_default()
    }

    /// The stored form: the name, filled up with zeros.
    pub(crate) fn encode(&self) -> [u8; OWNER_BYTES] {
        self.0
    }

    pub(crate) fn decode(bytes: [u8; OWNER_BYTES]) -> Result<Self, DecodeError> {
        let owner = Self::named(Self(bytes).name());
        owner.filter(|owner| owner.0 == bytes).ok_or(DecodeError("not an owner's name"))
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_other_text_is_none() {
        for name in ["a", "compile", "abcdefghijkl"] {
            let owner = Owner::new(name);
            assert_eq!((owner.name(), Owner::decode(owner.encode())), (name, Ok(owner)));
        }
        for wrong in ["", "abcdefghijklm", "Go", "a b", "a\0", "é"] {
            assert_eq!(Owner::named(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn only_what_was_encoded_is_decoded() {
        for bytes in [*b"\0\0\0\0\0\0\0\0\0\0\0\0", *b"go\0\0\0\0\0\0\0\0\0x", *b"Go\0\0\0\0\0\0\0\0\0\0"] {
            assert!(Owner::decode(bytes).is_err(), "{bytes:?}");
        }
    }
}
