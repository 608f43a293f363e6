//! Action results, manifests, and the index that keeps them.

use std::fs;

use larder_service::Digest;
use larder_store::StoreError;

use crate::sandbox::{OWNER, Sandbox, key, result};

#[test]
fn records_are_kept_in_memory_and_on_disk_and_the_latest_counts() {
    for memory_bytes in [0, 1 << 20] {
        let sandbox = Sandbox { memory_bytes, ..Sandbox::new() };
        let store = sandbox.open();
        let digest = store.put_bytes(b"object").unwrap();
        assert!(store.action(&key(1)).unwrap().is_none());
        assert!(store.manifest(&key(1)).unwrap().is_none());
        store.put_action(OWNER, &key(1), &result(&[digest])).unwrap();
        for text in [&b"one"[..], b"two"] {
            store.put_manifest(OWNER, &key(1), text).unwrap();
            assert_eq!(&store.manifest(&key(1)).unwrap().unwrap()[..], text);
        }
        assert_eq!(store.action(&key(1)).unwrap().unwrap(), result(&[digest]));
        let usage = store.usage();
        assert_eq!((usage.blobs, usage.actions), (1, 1));
        store.flush().unwrap();
        drop(store);
        let (store, report) = sandbox.try_open().unwrap();
        assert_eq!((report.blobs, report.relisted, report.actions, report.set_aside), (1, 0, 1, None));
        assert_eq!(store.usage(), usage);
        assert_eq!(store.action(&key(1)).unwrap().unwrap(), result(&[digest]));
        assert_eq!(&store.manifest(&key(1)).unwrap().unwrap()[..], b"two");
    }
}

#[test]
fn an_action_result_whose_blob_is_not_there_is_refused() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let error = store.put_action(OWNER, &key(1), &result(&[Digest::of(b"nowhere")])).unwrap_err();
    assert!(matches!(error, StoreError::BlobMissing { .. }), "{error}");
    assert!(store.action(&key(1)).unwrap().is_none());
}

/// Opens after `bytes` took the place of the index; blobs must be there, and everything must work.
fn blobs_survive(sandbox: &Sandbox, bytes: &[u8]) -> Option<String> {
    let digest = Digest::of(b"object");
    fs::write(sandbox.index(), bytes).unwrap();
    let (store, report) = sandbox.try_open().unwrap();
    assert_eq!(report.blobs, 1);
    assert_eq!(store.read_blob(&digest, 100).unwrap().unwrap(), b"object");
    if report.set_aside.is_some() {
        assert!(store.action(&key(1)).unwrap().is_none());
    }
    store.put_action(OWNER, &key(1), &result(&[digest])).unwrap();
    store.flush().unwrap();
    assert_eq!(store.action(&key(1)).unwrap().unwrap(), result(&[digest]));
    report.set_aside
}

/// A sandbox whose store was closed, and its index.
fn filled() -> (Sandbox, Vec<u8>) {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(b"object").unwrap();
    store.put_action(OWNER, &key(1), &result(&[digest])).unwrap();
    for number in 2..20 {
        store.put_manifest(OWNER, &key(number), &[number; 1000]).unwrap();
    }
    store.flush().unwrap();
    drop(store);
    let index = fs::read(sandbox.index()).unwrap();
    (sandbox, index)
}

#[test]
fn an_index_of_other_bytes_is_set_aside_and_the_blobs_are_found_again() {
    let (sandbox, index) = filled();
    let noise: Vec<u8> =
        (0_u32..2000).flat_map(|number| Digest::of(&number.to_le_bytes()).hash).take(50_000).collect();
    for bytes in [&noise[..], b"x", &vec![0; 5000], &index[..index.len() / 2], &index[..100]] {
        assert!(blobs_survive(&sandbox, bytes).is_some(), "{} bytes", bytes.len());
        assert_eq!(fs::read(sandbox.index().with_file_name("broken.redb")).unwrap(), bytes);
    }
    assert_eq!(blobs_survive(&sandbox, b""), None, "an empty file is a new index");
    assert_eq!(blobs_survive(&sandbox, &index), None, "a sound one is used");
}

#[test]
fn an_index_with_damage_anywhere_never_keeps_the_store_from_opening_nor_answers_wrong() {
    let (sandbox, index) = filled();
    let used = index.iter().rposition(|byte| *byte != 0).unwrap();
    for at in (0..used).step_by(used / 60 + 1) {
        let mut damaged = index.clone();
        for byte in &mut damaged[at..(at + 8).min(used)] {
            *byte ^= 0x55;
        }
        fs::write(sandbox.index(), &damaged).unwrap();
        let store = sandbox.open();
        let digest = Digest::of(b"object");
        assert!(store.blob(&digest).unwrap().is_some());
        assert!(store.action(&key(1)).unwrap().is_none_or(|found| found == result(&[digest])), "at {at}");
        for number in 2..20 {
            let found = store.manifest(&key(number)).unwrap();
            assert!(found.is_none_or(|found| found[..] == [number; 1000]), "at {at}");
        }
        store.put_manifest(OWNER, &key(1), b"new").unwrap();
        store.flush().unwrap();
    }
}

#[test]
fn an_index_damaged_while_it_is_open_answers_nothing_wrong_and_comes_back() {
    let (sandbox, index) = filled();
    for keep in [0, 1000, index.len() / 4] {
        fs::write(sandbox.index(), &index).unwrap();
        let store = sandbox.open();
        let mut damaged = fs::read(sandbox.index()).unwrap();
        damaged[keep..].fill(0x55);
        fs::write(sandbox.index(), damaged).unwrap();
        for number in 1..20 {
            let found = store.manifest(&key(number));
            assert!(found.is_err() || found.unwrap().is_none_or(|found| found[..] == [number; 1000]));
        }
        // It finds the damage, at the latest when it is closed and opened again.
        let _ = store.put_manifest(OWNER, &key(1), b"new");
        let _ = store.flush();
        let _ = store.flush();
        drop(store);
        let store = sandbox.open();
        assert!(store.blob(&Digest::of(b"object")).unwrap().is_some());
        store.put_manifest(OWNER, &key(1), b"newer").unwrap();
        store.flush().unwrap();
        assert_eq!(&store.manifest(&key(1)).unwrap().unwrap()[..], b"newer");
    }
}

#[test]
fn a_record_damaged_under_the_open_index_is_absent_and_can_be_put_again() {
    let sandbox = Sandbox::new();
    drop(sandbox.open());
    {
        let database = redb::Database::open(sandbox.index()).unwrap();
        let transaction = database.begin_write().unwrap();
        let table = |name| redb::TableDefinition::<&[u8], &[u8]>::new(name);
        let id = [&[1][..], &key(1).0].concat();
        let row = [&[1][..], &5_u64.to_le_bytes(), &7_u64.to_le_bytes()].concat();
        let records = [("records", vec![1; 40]), ("record_rows", row)];
        for (name, bytes) in &records {
            transaction.open_table(table(name)).unwrap().insert(&id[..], &bytes[..]).unwrap();
        }
        transaction.commit().unwrap();
    }
    let store = sandbox.open();
    assert_eq!(store.usage().actions, 1);
    assert!(store.action(&key(1)).unwrap().is_none());
    assert_eq!(store.usage().actions, 0);
    store.put_action(OWNER, &key(1), &result(&[])).unwrap();
    assert_eq!(store.action(&key(1)).unwrap().unwrap(), result(&[]));
}

#[test]
fn an_index_with_a_row_of_no_sense_is_set_aside_when_it_is_opened() {
    let (sandbox, _) = filled();
    {
        let database = redb::Database::open(sandbox.index()).unwrap();
        let transaction = database.begin_write().unwrap();
        let rows = redb::TableDefinition::<&[u8], &[u8]>::new("record_rows");
        let id = [&[2][..], &key(1).0].concat();
        transaction.open_table(rows).unwrap().insert(&id[..], &b"nonsense"[..]).unwrap();
        transaction.commit().unwrap();
    }
    let (store, report) = sandbox.try_open().unwrap();
    assert!(report.set_aside.is_some());
    assert_eq!((report.blobs, report.relisted, report.actions), (1, 1, 0));
    store.put_manifest(OWNER, &key(1), b"new").unwrap();
    store.flush().unwrap();
    assert_eq!(&store.manifest(&key(1)).unwrap().unwrap()[..], b"new");
}

#[test]
fn an_index_of_another_version_is_set_aside() {
    let sandbox = Sandbox::new();
    drop(sandbox.open());
    {
        let database = redb::Database::open(sandbox.index()).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta = redb::TableDefinition::<&str, u64>::new("meta");
        transaction.open_table(meta).unwrap().insert("version", 3).unwrap();
        transaction.commit().unwrap();
    }
    let (_, report) = sandbox.try_open().unwrap();
    assert!(report.set_aside.unwrap().contains("version"));
}

#[test]
fn an_index_that_ended_the_process_twice_while_it_was_opened_is_set_aside() {
    let (sandbox, _) = filled();
    let opening = sandbox.index().with_file_name("opening");
    fs::write(&opening, ".").unwrap();
    assert_eq!(sandbox.try_open().unwrap().1.set_aside, None);
    assert!(!opening.exists());
    fs::write(&opening, "..").unwrap();
    let (_, report) = sandbox.try_open().unwrap();
    assert!(report.set_aside.is_some());
    assert_eq!((report.blobs, report.relisted, report.actions), (1, 1, 0));
    assert!(!opening.exists());
}

#[test]
fn what_was_flushed_survives_a_crash() {
    let (sandbox, _) = filled();
    let store = sandbox.open();
    let digest = store.put_bytes(b"another").unwrap();
    store.put_action(OWNER, &key(30), &result(&[digest])).unwrap();
    store.flush().unwrap();
    store.put_manifest(OWNER, &key(31), b"after the flush").unwrap();
    // The files as a crash would leave them.
    let crashed = fs::read(sandbox.index()).unwrap();
    drop(store);
    fs::write(sandbox.index(), crashed).unwrap();
    let (store, report) = sandbox.try_open().unwrap();
    assert_eq!(report.set_aside, None);
    assert_eq!(store.action(&key(30)).unwrap().unwrap(), result(&[digest]));
    assert_eq!((report.blobs, report.relisted), (2, 0));
}
