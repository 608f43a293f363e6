//! Notes: what a daemon knew at its end, for the next one.

use crate::{Hasher, Key};

/// How a note begins.
const MAGIC: &[u8] = b"larder note\n";

const WHERE_BYTES: usize = 32 + 4 * 8;
const HEAD_BYTES: usize = MAGIC.len() + 1 + WHERE_BYTES;
const SEAL_BYTES: usize = 32;

/// Whom a note is for: daemons of one build, in one run of the machine, that see the same of its file systems. In another run,
/// numbers of file systems belong to others, and what was not on a disk yet is lost; another build may mean something else by
/// the same words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reader {
    /// Digest of the daemon's program.
    pub build: [u8; 32],
    /// The run of the machine, as [`Clock::boot`](crate::Clock::boot) tells it. 0: it is not known, and nothing is noted.
    pub boot: u64,
    /// What is seen, as [`Context`](crate::Context) has it.
    pub filesystem_view: (u64, u64, u64),
}

/// Why a note says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// It is of a version that this daemon does not know.
    #[error("it is of another version")]
    Version,
    /// It is not of the form that the version has.
    #[error("it is damaged")]
    Damaged,
    /// The machine has been started since, or another build or one that saw other file systems has left it.
    #[error("it is for another daemon")]
    Elsewhere,
}

/// What a note is about, and the version of its form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Note {
    /// Told apart by this from notes about something else.
    pub about: &'static str,
    /// Version of the body's form.
    pub version: u8,
}

impl Reader {
    fn bytes(&self) -> [u8; WHERE_BYTES] {
        let (namespace, device, root) = self.filesystem_view;
        let mut bytes = [0; WHERE_BYTES];
        let (build, numbers) = bytes.split_at_mut(self.build.len());
        build.copy_from_slice(&self.build);
        for (place, number) in numbers.chunks_exact_mut(8).zip([self.boot, namespace, device, root]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }
}

impl Note {
    /// Most bytes that a note has beside its body.
    pub const FRAME_BYTES: usize = HEAD_BYTES + SEAL_BYTES;

    /// `body` as a note for `reader`: how notes begin; version; for whom, little-endian; body; SHA-256 of all that, and of what
    /// it is about.
    #[must_use]
    pub fn seal(&self, reader: &Reader, body: &[u8]) -> Vec<u8> {
        let mut note = Vec::with_capacity(Self::FRAME_BYTES + body.len());
        note.extend(MAGIC);
        note.push(self.version);
        note.extend(reader.bytes());
        note.extend(body);
        let seal = self.seal_of(&note);
        note.extend(seal.0);
        note
    }

    /// The body of a `note` that was left for `reader`.
    ///
    /// # Errors
    /// For everything else.
    pub fn open<'a>(&self, reader: &Reader, note: &'a [u8]) -> Result<&'a [u8], NoteError> {
        let rest = note.strip_prefix(MAGIC).ok_or(NoteError::Damaged)?;
        if *rest.first().ok_or(NoteError::Damaged)? != self.version {
            return Err(NoteError::Version);
        }
        let (sealed, seal) = note.split_last_chunk::<SEAL_BYTES>().ok_or(NoteError::Damaged)?;
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(NoteError::Damaged)?;
        if self.seal_of(sealed).0 != *seal {
            return Err(NoteError::Damaged);
        }
        if reader.boot == 0 || !head.ends_with(&reader.bytes()) {
            return Err(NoteError::Elsewhere);
        }
        Ok(body)
    }

    fn seal_of(&self, sealed: &[u8]) -> Key {
        let mut hasher = Hasher::key("note");
        hasher.field("about", self.about.as_bytes());
        hasher.field("sealed", sealed);
        hasher.finish_key()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTE: Note = Note { about: "tests", version: 1 };
    const READER: Reader = Reader { build: [9; 32], boot: 7, filesystem_view: (1, 2, 3) };

    #[test]
    fn the_stored_form_is_the_golden_one() {
        let golden = include_bytes!("../golden/note.bin");
        assert_eq!(NOTE.seal(&READER, b"body"), golden);
        assert_eq!(NOTE.open(&READER, golden), Ok(&b"body"[..]));
    }

    #[test]
    fn a_note_that_is_cut_or_changed_anywhere_says_nothing() {
        let whole = NOTE.seal(&READER, b"body");
        for at in 0..whole.len() {
            assert!(NOTE.open(&READER, &whole[..at]).is_err(), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert!(NOTE.open(&READER, &changed).is_err(), "changed at {at}");
        }
    }

    #[test]
    fn a_note_is_for_daemons_of_one_build_in_one_run_who_see_the_same() {
        let note = NOTE.seal(&READER, b"body");
        for other in [
            Reader { build: [8; 32], ..READER },
            Reader { boot: 8, ..READER },
            Reader { filesystem_view: (0, 2, 3), ..READER },
            Reader { filesystem_view: (1, 0, 3), ..READER },
            Reader { filesystem_view: (1, 2, 0), ..READER },
        ] {
            assert_eq!(NOTE.open(&other, &note), Err(NoteError::Elsewhere), "{other:?}");
        }
        let unknown = Reader { boot: 0, ..READER };
        assert_eq!(NOTE.open(&unknown, &NOTE.seal(&unknown, b"body")), Err(NoteError::Elsewhere));
    }

    #[test]
    fn a_note_of_another_version_or_about_something_else_is_told() {
        let note = NOTE.seal(&READER, b"body");
        let newer = Note { version: 2, ..NOTE };
        assert_eq!(newer.open(&READER, &note), Err(NoteError::Version));
        let other = Note { about: "others", ..NOTE };
        assert_eq!(other.open(&READER, &note), Err(NoteError::Damaged));
    }

    proptest! {
        #[test]
        fn every_body_reads_back_and_arbitrary_bytes_do_no_harm(bytes: Vec<u8>) {
            let note = NOTE.seal(&READER, &bytes);
            prop_assert_eq!(NOTE.open(&READER, &note), Ok(&bytes[..]));
            prop_assert!(NOTE.open(&READER, &bytes).is_err());
        }
    }
}
