//! The memory of digests as bytes: what one daemon knew, for the next.

use larder_service::{Digest, Note, NoteError};

use larder_tree::STAMP_BYTES;

use crate::Stamp;

/// Notes of this kind.
pub(crate) const NOTE: Note = Note { about: "digests", version: 1 };

/// Most files of a note: the compilers and the headers of a large project, and read in a few milliseconds.
const MAX_NOTED: usize = 32_768;

const ENTRY_BYTES: usize = STAMP_BYTES + 32;

/// Most bytes of a note.
pub const MAX_NOTE_BYTES: usize = Note::FRAME_BYTES + MAX_NOTED * ENTRY_BYTES;

/// The body of a note: each file as its stamp and the SHA-256 of its content. Of `files`, the last [`MAX_NOTED`].
pub(crate) fn encode(files: &[(Stamp, Digest)]) -> Vec<u8> {
    let files = &files[files.len().saturating_sub(MAX_NOTED)..];
    let mut bytes = Vec::with_capacity(files.len() * ENTRY_BYTES);
    for (stamp, digest) in files {
        bytes.extend(stamp.to_bytes());
        bytes.extend(digest.hash);
    }
    bytes
}

/// The files of such a body.
pub(crate) fn decode(body: &[u8]) -> Result<Vec<(Stamp, Digest)>, NoteError> {
    let (files, cut) = body.as_chunks::<ENTRY_BYTES>();
    if !cut.is_empty() || files.len() > MAX_NOTED {
        return Err(NoteError::Damaged);
    }
    files.iter().map(|bytes| file(bytes).ok_or(NoteError::Damaged)).collect()
}

fn file(bytes: &[u8; ENTRY_BYTES]) -> Option<(Stamp, Digest)> {
    let (stamp, hash) = bytes.split_first_chunk()?;
    let stamp = Stamp::from_bytes(stamp);
    Some((stamp, Digest { hash: *hash.first_chunk()?, size: stamp.size }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_stored_form_is_that_of_version_1() {
        let stamp = |size, inode| Stamp { size, mtime_ns: -1, ctime_ns: 5, inode, device: 9 };
        let files = vec![(stamp(3, 1), Digest::of(b"one")), (stamp(5, 2), Digest::of(b"three"))];
        let golden = include_bytes!("../golden/digests.v1.bin");
        assert_eq!(encode(&files), golden);
        assert_eq!(decode(golden), Ok(files));
        assert_eq!(decode(&golden[1..]), Err(NoteError::Damaged));
    }

    #[test]
    fn of_too_many_files_the_last_are_noted() {
        let file = |inode| (Stamp { size: 1, inode, ..Stamp::default() }, Digest::of(b"x"));
        let files: Vec<_> = (0..MAX_NOTED as u64 + 5).map(file).collect();
        let body = encode(&files);
        assert_eq!(body.len() + Note::FRAME_BYTES, MAX_NOTE_BYTES);
        assert_eq!(decode(&body).unwrap(), &files[5..]);
        assert!(decode(&[body.as_slice(), &body[..ENTRY_BYTES]].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_body_or_none(bytes: Vec<u8>) {
            prop_assert_eq!(decode(&bytes).is_ok(), bytes.len() % ENTRY_BYTES == 0);
        }
    }
}
