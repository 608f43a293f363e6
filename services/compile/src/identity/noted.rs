//! What was found out about tools as bytes: for the next daemon, which looks at every premise before it takes the word of one.

use std::collections::HashSet;
use std::path::PathBuf;

use larder_service::{Digest, Key, Note, NoteError};
use prost::Message;

use super::archiver::{Archiver, Role};
use super::premises::Premises;
use super::{Compilers, Driver, Linker, Rustc, Tool, Toolset};
use crate::args::{Dialect, Family};
use crate::paths;

/// Notes of this kind.
pub(crate) const NOTE: Note = Note { about: "tools", version: 1 };

/// Most bytes of a note.
pub const MAX_NOTE_BYTES: usize = 4 << 20;

/// Everything that is noted.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Noted {
    #[prost(message, repeated, tag = "1")]
    tools: Vec<Answer>,
    #[prost(message, repeated, tag = "2")]
    toolsets: Vec<Answer>,
    #[prost(message, repeated, tag = "3")]
    linkers: Vec<Answer>,
    #[prost(message, repeated, tag = "4")]
    rustcs: Vec<Answer>,
}

/// One answer, its question, and what it rests on.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Answer {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) question: Vec<u8>,
    #[prost(message, required, tag = "2")]
    pub(super) found: Found,
    #[prost(message, required, tag = "3")]
    pub(super) premises: Rests,
}

/// What was found: the identity, of what kind, and names.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Found {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(bytes = "vec", repeated, tag = "3")]
    names: Vec<Vec<u8>>,
}

/// [`Premises`].
#[derive(Clone, PartialEq, Message)]
pub(super) struct Rests {
    #[prost(message, repeated, tag = "1")]
    pub(super) files: Vec<File>,
    #[prost(message, repeated, tag = "2")]
    pub(super) links: Vec<Link>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) absent: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "4")]
    pub(super) folders: Vec<Folder>,
    #[prost(message, repeated, tag = "5")]
    pub(super) listings: Vec<Listing>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct File {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) path: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) hash: Vec<u8>,
    #[prost(uint64, tag = "3")]
    pub(super) size: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Link {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) path: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) target: Vec<u8>,
}

/// A folder and its stamp; none where there was no such folder.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Folder {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) path: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub(super) stamp: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Listing {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) folder: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) names: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(super) found: Vec<Vec<u8>>,
}

/// What can be noted.
pub(super) trait Lasting: Sized {
    fn noted(&self) -> Found;
    /// `None` for what [`Self::noted`] never gives.
    fn recalled(found: Found) -> Option<Self>;
}

impl Answer {
    pub(super) fn new<T: Lasting>(question: &Key, found: &T, premises: &Premises) -> Option<Self> {
        Some(Self { question: question.0.to_vec(), found: found.noted(), premises: premises.noted()? })
    }

    pub(super) fn read<T: Lasting>(self) -> Option<(Key, T, Premises)> {
        Some((key(&self.question)?, T::recalled(self.found)?, Premises::recalled(self.premises)?))
    }
}

impl Noted {
    /// The stored form, a message of Protocol Buffers, without half of those that take most room where that is too much.
    pub(crate) fn encode(mut self) -> Vec<u8> {
        while self.encoded_len() > MAX_NOTE_BYTES - Note::FRAME_BYTES {
            let lists = [&mut self.rustcs, &mut self.linkers, &mut self.toolsets, &mut self.tools];
            let bytes = |list: &Vec<Answer>| list.iter().map(Message::encoded_len).sum::<usize>();
            let Some(largest) = lists.into_iter().max_by_key(|list| bytes(list)) else { break };
            largest.truncate(largest.len() / 2);
        }
        self.encode_to_vec()
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, NoteError> {
        if body.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Damaged);
        }
        Message::decode(body).map_err(|_| NoteError::Damaged)
    }

    /// Panics where an answer that is read is not noted as it was.
    pub(crate) fn check_answers(&self) {
        fn check<T: Lasting>(answers: &[Answer]) {
            for answer in answers {
                if let Some((question, found, premises)) = answer.clone().read::<T>() {
                    let again = Answer::new(&question, &found, &premises).and_then(Answer::read::<T>);
                    assert!(again.is_some(), "what was read can be written: {answer:?}");
                }
            }
        }
        check::<Tool>(&self.tools);
        check::<Toolset>(&self.toolsets);
        check::<Linker>(&self.linkers);
        check::<Rustc>(&self.rustcs);
    }
}

impl Compilers {
    /// Everything that is known of tools.
    pub(crate) fn noted(&self) -> Noted {
        Noted {
            tools: self.tools.noted(),
            toolsets: self.toolsets.noted(),
            linkers: self.linkers.noted(),
            rustcs: self.rustcs.noted(),
        }
    }

    /// Knows nothing any more: each tool is asked again.
    pub(crate) fn forget(&self) {
        self.tools.forget();
        self.toolsets.forget();
        self.linkers.forget();
        self.rustcs.forget();
    }

    /// Knows from here on what was noted; how many answers that is.
    pub(crate) fn recall(&self, noted: Noted) -> usize {
        self.tools.recall(noted.tools)
            + self.toolsets.recall(noted.toolsets)
            + self.linkers.recall(noted.linkers)
            + self.rustcs.recall(noted.rustcs)
    }
}

const LINKER: u32 = 1;
const COMPILER: u32 = 2;
const ARCHIVER: u32 = 4;
/// Of a compiler.
const CLANG: u32 = 8;
const CXX: u32 = 16;
/// Of an archiver.
const INDEX: u32 = 32;
const DETERMINISTIC: u32 = 64;
const KEEPS_FILE: u32 = 128;
/// Of a Rust compiler.
const LINTS: u32 = 256;

fn bit(is: bool, bit: u32) -> u32 {
    if is { bit } else { 0 }
}

impl Lasting for Tool {
    fn noted(&self) -> Found {
        let kind = match self {
            Self::Linker(_) => LINKER,
            Self::Compiler(driver) => {
                let Dialect { family, cxx } = driver.dialect;
                COMPILER | bit(family == Family::Clang, CLANG) | bit(cxx, CXX)
            }
            Self::Archiver(archiver) => {
                ARCHIVER
                    | bit(archiver.role == Role::Index, INDEX)
                    | bit(archiver.deterministic, DETERMINISTIC)
                    | bit(archiver.keeps_file, KEEPS_FILE)
            }
        };
        Found { key: self.key().0.to_vec(), kind, names: Vec::new() }
    }

    fn recalled(found: Found) -> Option<Self> {
        let key = key(&found.key)?;
        let has = |bit| found.kind & bit != 0;
        let only = |bits: u32| found.kind & !bits == 0;
        if found.kind == LINKER {
            Some(Self::Linker(key))
        } else if has(COMPILER) && only(COMPILER | CLANG | CXX) {
            let family = if has(CLANG) { Family::Clang } else { Family::Gcc };
            Some(Self::Compiler(Driver { key, dialect: Dialect { family, cxx: has(CXX) } }.into()))
        } else if has(ARCHIVER) && only(ARCHIVER | INDEX | DETERMINISTIC | KEEPS_FILE) {
            let role = if has(INDEX) { Role::Index } else { Role::Archive };
            let (deterministic, keeps_file) = (has(DETERMINISTIC), has(KEEPS_FILE));
            Some(Self::Archiver(Archiver { key, role, deterministic, keeps_file }.into()))
        } else {
            None
        }
    }
}

impl Lasting for Toolset {
    fn noted(&self) -> Found {
        Found { key: self.key.0.to_vec(), kind: 0, names: self.folders.clone() }
    }

    fn recalled(found: Found) -> Option<Self> {
        Some(Self { key: key(&found.key)?, folders: found.names })
    }
}

impl Lasting for Linker {
    fn noted(&self) -> Found {
        Found { key: self.key.0.to_vec(), kind: 0, names: self.folders.clone() }
    }

    fn recalled(found: Found) -> Option<Self> {
        Some(Self { key: key(&found.key)?, folders: found.names })
    }
}

impl Lasting for Rustc {
    fn noted(&self) -> Found {
        let mut libraries: Vec<_> = self.libraries.iter().map(|stem| stem.clone().into_bytes()).collect();
        libraries.sort_unstable();
        let own = [&self.program, &self.sysroot].map(|path| paths::into_bytes(path.clone()));
        let names = own.into_iter().chain(libraries).collect();
        Found { key: self.key.0.to_vec(), kind: bit(self.lints, LINTS), names }
    }

    fn recalled(found: Found) -> Option<Self> {
        let mut names = found.names.into_iter();
        let (program, sysroot) = (path(&names.next()?), path(&names.next()?));
        let libraries = names.map(String::from_utf8).collect::<Result<HashSet<_>, _>>().ok()?;
        Some(Self { key: key(&found.key)?, program, sysroot, libraries, lints: found.kind & LINTS != 0 })
    }
}

fn key(bytes: &[u8]) -> Option<Key> {
    bytes.try_into().ok().map(Key)
}

pub(super) fn path(bytes: &[u8]) -> PathBuf {
    paths::as_path(bytes).to_owned()
}

pub(super) fn digest(hash: &[u8], size: u64) -> Option<Digest> {
    Some(Digest { hash: hash.try_into().ok()?, size })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(kind: u32, names: &[&[u8]]) -> Found {
        Found { key: vec![7; 32], kind, names: names.iter().map(|name| name.to_vec()).collect() }
    }

    fn example() -> Noted {
        let premises = Rests {
            files: vec![File { path: b"/usr/bin/gcc-12".to_vec(), hash: vec![1; 32], size: 5 }],
            links: vec![Link { path: b"/usr/bin/gcc".to_vec(), target: b"gcc-12".to_vec() }],
            absent: vec![b"/usr/lib/specs".to_vec()],
            folders: vec![
                Folder { path: b"/usr/lib".to_vec(), stamp: Some(vec![3; 40]) },
                Folder { path: b"/usr/lib32".to_vec(), stamp: None },
            ],
            listings: vec![Listing {
                folder: b"/t".to_vec(),
                names: vec![b"libc.so.6".to_vec()],
                found: vec![b"a\xff".to_vec()],
            }],
        };
        let answer = |found| Answer { question: vec![9; 32], found, premises: premises.clone() };
        let kinds = [LINKER, COMPILER, COMPILER | CLANG | CXX, ARCHIVER, ARCHIVER | INDEX | DETERMINISTIC];
        Noted {
            tools: kinds.map(|kind| answer(found(kind, &[]))).to_vec(),
            toolsets: vec![answer(found(0, &[b"/usr/include"]))],
            linkers: vec![answer(found(0, &[b"/usr/lib", b"/lib"]))],
            rustcs: vec![answer(found(LINTS, &[b"/r/bin/rustc", b"/r", b"core-1", b"std-1"]))],
        }
    }

    /// `answer` after its way through what the daemon knows.
    fn through<T: Lasting>(answer: &Answer) -> Option<Answer> {
        let (question, found, premises) = answer.clone().read::<T>()?;
        Answer::new(&question, &found, &premises)
    }

    #[test]
    fn the_stored_form_is_that_of_version_1() {
        let golden = include_bytes!("../../tests/golden/tools-v1.bin");
        assert_eq!(example().encode(), golden, "a change of the form needs a new version");
        assert_eq!(Noted::decode(golden), Ok(example()));
    }

    #[test]
    fn everything_that_is_known_of_tools_is_noted_and_read_back() {
        let Noted { tools, toolsets, linkers, rustcs } = example();
        for tool in &tools {
            assert_eq!(through::<Tool>(tool).as_ref(), Some(tool));
        }
        assert_eq!(through::<Toolset>(&toolsets[0]).as_ref(), Some(&toolsets[0]));
        assert_eq!(through::<Linker>(&linkers[0]).as_ref(), Some(&linkers[0]));
        assert_eq!(through::<Rustc>(&rustcs[0]).as_ref(), Some(&rustcs[0]));
    }

    #[test]
    fn what_was_never_noted_is_no_answer() {
        let tool = example().tools.remove(0);
        let with = |change: fn(&mut Answer)| {
            let mut other = tool.clone();
            change(&mut other);
            other
        };
        for other in [
            with(|answer| answer.question = vec![9; 31]),
            with(|answer| answer.found.key = Vec::new()),
            with(|answer| answer.found.kind = 0),
            with(|answer| answer.found.kind = LINKER | COMPILER),
            with(|answer| answer.found.kind = COMPILER | INDEX),
            with(|answer| answer.found.kind = 1 << 20 | ARCHIVER),
            with(|answer| answer.premises.files[0].hash = vec![1; 33]),
            with(|answer| answer.premises.folders[0].stamp = Some(vec![3; 39])),
        ] {
            assert_eq!(through::<Tool>(&other), None, "{other:?}");
        }
        let rustc = |names: &[&[u8]]| Rustc::recalled(found(0, names)).is_some();
        assert!(rustc(&[b"/r/bin/rustc", b"/r"]));
        assert!(!rustc(&[b"/r/bin/rustc"]) && !rustc(&[b"/r/bin/rustc", b"/r", b"\xff"]));
    }

    #[test]
    fn of_too_much_a_part_is_noted() {
        let mut noted = example();
        let mut large = noted.toolsets[0].clone();
        large.premises.absent = vec![vec![b'x'; 1000]; 1000];
        noted.toolsets = vec![large; 10];
        let whole = noted.encode();
        assert!(whole.len() <= MAX_NOTE_BYTES - Note::FRAME_BYTES, "{}", whole.len());
        let read = Noted::decode(&whole).unwrap();
        assert_eq!(read.tools, example().tools);
        assert!(!read.toolsets.is_empty());
        assert_eq!(Noted::decode(&vec![0; MAX_NOTE_BYTES + 1]), Err(NoteError::Damaged));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Noted::decode(&bytes);
        }
    }
}
