//! The power goes: what was written and not yet on the disk is there in part, or not at all.

use std::fs;

use larder_service::Digest;

use crate::sandbox::{OWNER, Sandbox, key, overwrite, result};

const PAGE: usize = 4096;

/// Numbers that follow from `seed`, by xorshift64.
fn chance(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |end| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) % end
    }
}

/// The file `old` after some of the writes that make it `new` have come through, page by page.
fn cut(old: &[u8], new: &[u8], mut below: impl FnMut(u64) -> u64) -> Vec<u8> {
    // Its length is one of both: it is not part of any page.
    let length = if below(2) == 0 { old.len() } else { new.len() };
    let mut bytes = old.to_vec();
    bytes.resize(length.max(old.len()), 0);
    for (at, page) in new.chunks(PAGE).enumerate() {
        let place = at * PAGE..(at * PAGE + page.len()).min(bytes.len());
        if below(2) == 0 && place.start < place.end {
            bytes[place.clone()].copy_from_slice(&page[..place.len()]);
        }
    }
    bytes
}

fn blob(number: u8, edition: u8) -> Vec<u8> {
    vec![number ^ edition; 20_000 + usize::from(number)]
}

fn fill(sandbox: &Sandbox, store: &larder_store::Store, edition: u8) {
    for number in 1..12 {
        let digest = store.put_bytes(&blob(number, edition)).unwrap();
        store.put_action(OWNER, &key(number), &result(&[digest])).unwrap();
        store.put_manifest(OWNER, &key(number), &[edition; 1500]).unwrap();
    }
    sandbox.later();
}

#[test]
fn whichever_writes_came_through_each_record_is_whole_and_each_blob_right_or_gone() {
    let mut kept = 0;
    for seed in 0..40 {
        let mut below = chance(seed + 1);
        let sandbox = Sandbox::new();
        let store = sandbox.open();
        fill(&sandbox, &store, 0x10);
        store.flush().unwrap();
        let old = fs::read(sandbox.index()).unwrap();
        fill(&sandbox, &store, 0x20);
        if seed % 2 == 0 {
            store.flush().unwrap();
        }
        let new = fs::read(sandbox.index()).unwrap();
        drop(store);
        fs::write(sandbox.index(), cut(&old, &new, &mut below)).unwrap();
        for number in 1..12 {
            let path = path_of(&sandbox, &Digest::of(&blob(number, 0x20)));
            match below(4) {
                0 => fs::remove_file(path).unwrap(),
                1 => overwrite(&path, b""),
                2 => overwrite(&path, &vec![0; 20_000 + usize::from(number)]),
                _ => {}
            }
        }
        sandbox.clock.reboot();
        let (store, report) = sandbox.try_open().unwrap();
        kept += u64::from(report.set_aside.is_none());
        let mut editions = std::collections::BTreeSet::new();
        for number in 1..12 {
            let found = store.manifest(&key(number)).unwrap();
            if let Some(found) = found {
                assert!(
                    [[0x10; 1500], [0x20; 1500]].iter().any(|whole| whole[..] == found[..]),
                    "seed {seed}"
                );
                editions.insert(found[0]);
            }
            for edition in [0x10, 0x20] {
                let content = blob(number, edition);
                let found = store.read_blob(&Digest::of(&content), 1 << 20).unwrap();
                assert!(found.as_ref().is_none_or(|found| *found == content), "seed {seed}");
                assert!(edition == 0x20 || found.is_some(), "what was on the disk is there: seed {seed}");
            }
        }
        assert!(editions.len() <= 1, "a flush comes through as one: seed {seed}, {editions:x?}");
        if report.set_aside.is_none() {
            assert_eq!(editions.len(), 1, "what was flushed is there: seed {seed}");
        }
        fill(&sandbox, &store, 0x30);
        store.flush().unwrap();
        assert_eq!(store.manifest(&key(1)).unwrap().unwrap()[..], [0x30; 1500]);
    }
    assert_eq!(kept, 40, "the index is never lost");
}

fn path_of(sandbox: &Sandbox, digest: &Digest) -> std::path::PathBuf {
    let hex = digest.hex();
    sandbox.path("store/blobs").join(&hex[..2]).join(format!("{hex}-{}", digest.size))
}

/// A file system may have written name, size and times of a file and not its content.
#[test]
fn a_proof_outlives_the_daemon_and_not_the_run_of_the_machine() {
    let sandbox = Sandbox::new();
    let digest = Digest::of(b"genuine");
    let store = sandbox.open();
    store.put_bytes(b"genuine").unwrap();
    // Far beyond the file's own time: its stamp proves it.
    sandbox.clock.advance(std::time::Duration::from_secs(100 * 365 * 24 * 60 * 60));
    store.blob(&digest).unwrap().unwrap();
    store.flush().unwrap();
    drop(store);
    let is_proven = || sandbox.open().proofs(1, &[digest])[0].is_some();
    assert!(is_proven(), "a daemon that is started again relies on it");
    sandbox.clock.reboot();
    assert!(!is_proven());
    assert!(!is_proven(), "nor does the next one, before it has been read");
    let store = sandbox.open();
    store.blob(&digest).unwrap().unwrap();
    assert!(store.proofs(1, &[digest])[0].is_some());
}
