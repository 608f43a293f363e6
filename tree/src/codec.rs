//! The bytes of a [`State`].

use larder_service::Digest;

use crate::state::{MAGIC, MAX_STATE_BYTES};
use crate::{Entry, Folder, Found, STAMP_BYTES, Snapshot, Stamp, State};

/// The first has no folders.
const VERSIONS: std::ops::RangeInclusive<u8> = 1..=2;

const FAILED: u8 = 1;
const SUCCESS: u8 = 2;
const PENDING: u8 = 4;

const FILE: u8 = 0;
const PROGRAM: u8 = 1;
const LINK: u8 = 2;
const OTHER: u8 = 3;
const UNREADABLE: u8 = 4;

/// Smallest entry: kind, length, one byte of path.
const SMALLEST_ENTRY: usize = 4;

/// Smallest folder: the length of its path, and its stamp.
const SMALLEST_FOLDER: usize = 2 + STAMP_BYTES;

pub(crate) fn encode(state: &State) -> Vec<u8> {
    let entries =
        |snapshot: &Option<Snapshot>| snapshot.as_ref().map_or(0, |snapshot| snapshot.entries.len());
    let mut bytes = Vec::with_capacity(128 + 160 * (entries(&state.success) + entries(&state.pending)));
    bytes.extend(MAGIC);
    bytes.push(*VERSIONS.end());
    bytes.extend(state.selection);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    bytes.push(
        flag(state.failed, FAILED)
            | flag(state.success.is_some(), SUCCESS)
            | flag(state.pending.is_some(), PENDING),
    );
    for snapshot in [&state.success, &state.pending].into_iter().flatten() {
        // What has a longer path than can be written is left out: it is then new at each check.
        let entries = snapshot.entries.iter().filter(|entry| fits(&entry.path));
        let count = entries.clone().count();
        bytes.extend((count as u32).to_le_bytes());
        entries.for_each(|entry| put(&mut bytes, entry));
        let all = count == snapshot.entries.len() && snapshot.folders.iter().all(|folder| fits(&folder.path));
        let folders = if all { &snapshot.folders[..] } else { &[] };
        bytes.extend((folders.len() as u32).to_le_bytes());
        for folder in folders {
            put_path(&mut bytes, &folder.path);
            bytes.extend(folder.stamp.to_bytes());
        }
    }
    sealed(bytes)
}

/// `body` with the sum that [`decode`] asks for.
pub(crate) fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    body.extend(crc32fast::hash(&body).to_le_bytes());
    body
}

fn fits(path: &[u8]) -> bool {
    u16::try_from(path.len()).is_ok()
}

fn put_path(bytes: &mut Vec<u8>, path: &[u8]) {
    bytes.extend((path.len() as u16).to_le_bytes());
    bytes.extend(path);
}

fn put(bytes: &mut Vec<u8>, entry: &Entry) {
    let kind = match entry.found {
        Found::File { executable: false, .. } => FILE,
        Found::File { executable: true, .. } => PROGRAM,
        Found::Link(_) => LINK,
        Found::Other => OTHER,
        Found::Unreadable => UNREADABLE,
    };
    bytes.push(kind);
    put_path(bytes, &entry.path);
    match &entry.found {
        Found::File { digest, stamp, .. } => {
            bytes.extend(digest.hash);
            bytes.extend(digest.size.to_le_bytes());
            bytes.extend(stamp.to_bytes());
        }
        Found::Link(text) => {
            bytes.extend(text.hash);
            bytes.extend(text.size.to_le_bytes());
        }
        Found::Other | Found::Unreadable => {}
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Option<State> {
    if bytes.len() as u64 > MAX_STATE_BYTES {
        return None;
    }
    let (body, seal) = bytes.split_last_chunk::<4>()?;
    let mut fields = Fields(body.strip_prefix(MAGIC)?);
    let version = fields.byte()?;
    if !VERSIONS.contains(&version) || crc32fast::hash(body) != u32::from_le_bytes(*seal) {
        return None;
    }
    let selection = fields.array()?;
    let flags = fields.byte()?;
    if flags & !(FAILED | SUCCESS | PENDING) != 0 {
        return None;
    }
    let mut snapshot = |flag: u8| -> Option<Option<Snapshot>> {
        if flags & flag == 0 { Some(None) } else { fields.snapshot(version).map(Some) }
    };
    let (success, pending) = (snapshot(SUCCESS)?, snapshot(PENDING)?);
    fields.0.is_empty().then_some(State { selection, failed: flags & FAILED != 0, success, pending })
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn snapshot(&mut self, version: u8) -> Option<Snapshot> {
        let entries = self.sorted(SMALLEST_ENTRY, Self::entry, |entry| &entry.path)?;
        let folders = match version {
            1 => Vec::new(),
            _ => self.sorted(SMALLEST_FOLDER, Self::folder, |folder| &folder.path)?,
        };
        Some(Snapshot { entries, folders })
    }

    /// As many as are said to follow, each of at least `smallest` bytes, in the order of their paths.
    fn sorted<T>(
        &mut self,
        smallest: usize,
        read: impl Fn(&mut Self) -> Option<T>,
        path: impl Fn(&T) -> &[u8],
    ) -> Option<Vec<T>> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.0.len() / smallest {
            return None;
        }
        let mut all: Vec<T> = Vec::with_capacity(count);
        for _ in 0..count {
            let one = read(self)?;
            if all.last().is_some_and(|last| path(last) >= path(&one)) {
                return None;
            }
            all.push(one);
        }
        Some(all)
    }

    fn path(&mut self) -> Option<&[u8]> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (path, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        (!path.contains(&0) && !path.starts_with(b"/")).then_some(path)
    }

    fn folder(&mut self) -> Option<Folder> {
        Some(Folder { path: self.path()?.into(), stamp: self.stamp()? })
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp::from_bytes(&self.array()?))
    }

    fn entry(&mut self) -> Option<Entry> {
        let kind = self.byte()?;
        let path = Box::from(self.path().filter(|path| !path.is_empty())?);
        let found = match kind {
            FILE | PROGRAM => {
                let digest = self.digest()?;
                Found::File { digest, executable: kind == PROGRAM, stamp: self.stamp()? }
            }
            LINK => Found::Link(self.digest()?),
            OTHER => Found::Other,
            UNREADABLE => Found::Unreadable,
            _ => return None,
        };
        Some(Entry { path, found })
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest { hash: self.array()?, size: self.u64()? })
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> State {
        let entry = |path: &[u8], found| Entry { path: path.into(), found };
        let digest = Digest::of(b"content");
        let stamp = Stamp { size: 7, mtime_ns: -1, ctime_ns: 2, inode: 3, device: 4 };
        let file = |executable| Found::File { digest, executable, stamp };
        let mut success = Snapshot::of(vec![
            entry(b"a", file(false)),
            entry(b"b/\xff", file(true)),
            entry(b"link", Found::Link(Digest::of(b"gone"))),
            entry(b"pipe", Found::Other),
        ]);
        success.folders = [&b""[..], b"b"].map(|path| Folder { path: path.into(), stamp }).to_vec();
        let pending = Snapshot::of(vec![entry(b"closed", Found::Unreadable)]);
        State { selection: [9; 32], failed: true, success: Some(success), pending: Some(pending) }
    }

    #[test]
    fn the_stored_form_is_the_golden_one() {
        let golden = include_bytes!("../golden/state.v2.bin");
        assert_eq!(encode(&example()), golden);
        assert_eq!(decode(golden), Some(example()));
    }

    #[test]
    fn a_state_of_the_first_version_is_read_and_tells_of_no_folders() {
        let mut state = example();
        state.success.as_mut().unwrap().folders.clear();
        assert_eq!(decode(include_bytes!("../golden/state.v1.bin")), Some(state));
    }

    #[test]
    fn a_state_that_is_cut_or_changed_anywhere_is_none() {
        let whole = encode(&example());
        for at in 0..whole.len() {
            assert_eq!(decode(&whole[..at]), None, "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            assert_eq!(decode(&changed), None, "changed at {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_state_or_none(bytes: Vec<u8>, flags: u8) {
            let _ = decode(&bytes);
            for version in VERSIONS {
                let head = [MAGIC, &[version][..], &[0; 32], &[flags]].concat();
                let _ = decode(&sealed([&head[..], &bytes].concat()));
            }
        }
    }
}
