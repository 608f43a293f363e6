//! The bytes of a [`State`].

use larder_service::Digest;

use crate::state::{MAGIC, MAX_STATE_BYTES};
use crate::{Entry, Found, Snapshot, Stamp, State};

const VERSION: u8 = 1;

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

pub(crate) fn encode(state: &State) -> Vec<u8> {
    let entries =
        |snapshot: &Option<Snapshot>| snapshot.as_ref().map_or(0, |snapshot| snapshot.entries.len());
    let mut bytes = Vec::with_capacity(128 + 160 * (entries(&state.success) + entries(&state.pending)));
    bytes.extend(MAGIC);
    bytes.push(VERSION);
    bytes.extend(state.selection);
    let flag = |is: bool, flag: u8| if is { flag } else { 0 };
    bytes.push(
        flag(state.failed, FAILED)
            | flag(state.success.is_some(), SUCCESS)
            | flag(state.pending.is_some(), PENDING),
    );
    for snapshot in [&state.success, &state.pending].into_iter().flatten() {
        // What has a longer path than can be written is left out: it is then new at each check.
        let entries = snapshot.entries.iter().filter(|entry| u16::try_from(entry.path.len()).is_ok());
        bytes.extend((entries.clone().count() as u32).to_le_bytes());
        entries.for_each(|entry| put(&mut bytes, entry));
    }
    sealed(bytes)
}

/// `body` with the sum that [`decode`] asks for.
pub(crate) fn sealed(mut body: Vec<u8>) -> Vec<u8> {
    body.extend(crc32fast::hash(&body).to_le_bytes());
    body
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
    bytes.extend((entry.path.len() as u16).to_le_bytes());
    bytes.extend(&entry.path);
    match &entry.found {
        Found::File { digest, stamp, .. } => {
            bytes.extend(digest.hash);
            bytes.extend(digest.size.to_le_bytes());
            bytes.extend(stamp.size.to_le_bytes());
            bytes.extend(stamp.mtime_ns.to_le_bytes());
            bytes.extend(stamp.ctime_ns.to_le_bytes());
            bytes.extend(stamp.inode.to_le_bytes());
            bytes.extend(stamp.device.to_le_bytes());
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
    if fields.byte()? != VERSION || crc32fast::hash(body) != u32::from_le_bytes(*seal) {
        return None;
    }
    let selection = fields.array()?;
    let flags = fields.byte()?;
    if flags & !(FAILED | SUCCESS | PENDING) != 0 {
        return None;
    }
    let mut snapshot = |flag: u8| -> Option<Option<Snapshot>> {
        if flags & flag == 0 { Some(None) } else { fields.snapshot().map(Some) }
    };
    let (success, pending) = (snapshot(SUCCESS)?, snapshot(PENDING)?);
    fields.0.is_empty().then_some(State { selection, failed: flags & FAILED != 0, success, pending })
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn snapshot(&mut self) -> Option<Snapshot> {
        let count = u32::from_le_bytes(self.array()?) as usize;
        if count > self.0.len() / SMALLEST_ENTRY {
            return None;
        }
        let mut entries: Vec<Entry> = Vec::with_capacity(count);
        for _ in 0..count {
            let entry = self.entry()?;
            if entries.last().is_some_and(|last| last.path >= entry.path) {
                return None;
            }
            entries.push(entry);
        }
        Some(Snapshot { entries })
    }

    fn entry(&mut self) -> Option<Entry> {
        let kind = self.byte()?;
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (path, rest) = self.0.split_at_checked(length)?;
        if path.is_empty() || path.contains(&0) || path.starts_with(b"/") {
            return None;
        }
        self.0 = rest;
        let found = match kind {
            FILE | PROGRAM => {
                let digest = self.digest()?;
                let stamp = Stamp {
                    size: self.u64()?,
                    mtime_ns: self.u64()?.cast_signed(),
                    ctime_ns: self.u64()?.cast_signed(),
                    inode: self.u64()?,
                    device: self.u64()?,
                };
                Found::File { digest, executable: kind == PROGRAM, stamp }
            }
            LINK => Found::Link(self.digest()?),
            OTHER => Found::Other,
            UNREADABLE => Found::Unreadable,
            _ => return None,
        };
        Some(Entry { path: path.into(), found })
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
        let success = Snapshot::of(vec![
            entry(b"a", file(false)),
            entry(b"b/\xff", file(true)),
            entry(b"link", Found::Link(Digest::of(b"gone"))),
            entry(b"pipe", Found::Other),
        ]);
        let pending = Snapshot::of(vec![entry(b"closed", Found::Unreadable)]);
        State { selection: [9; 32], failed: true, success: Some(success), pending: Some(pending) }
    }

    #[test]
    fn the_stored_form_is_the_golden_one() {
        let golden = include_bytes!("../golden/state.v1.bin");
        assert_eq!(encode(&example()), golden);
        assert_eq!(decode(golden), Some(example()));
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
            let head = [MAGIC, &[VERSION][..], &[0; 32], &[flags]].concat();
            let _ = decode(&bytes);
            let _ = decode(&sealed([head, bytes].concat()));
        }
    }
}
