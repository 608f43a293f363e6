//! Opening, whatever is in the folder and whoever else has it open.

use std::fs;
use std::path::PathBuf;

use larder_service::Digest;
use larder_store::{Store, StoreConfig, StoreError};

use crate::sandbox::{OWNER, Sandbox, key, result};

#[test]
fn a_store_that_is_open_is_not_opened_again_until_it_is_closed() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(b"x").unwrap();
    let error = sandbox.try_open().err().unwrap();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(store.blob(&digest).unwrap().is_some(), "the first is not disturbed");
    drop(store);
    sandbox.open();
}

#[test]
fn without_a_flush_blobs_are_found_again_and_their_rows_are_made_anew() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(b"x").unwrap();
    store.put_manifest(OWNER, &key(1), b"manifest").unwrap();
    drop(store);
    let (store, report) = sandbox.try_open().unwrap();
    assert_eq!((report.blobs, report.relisted, report.set_aside), (1, 1, None));
    assert_eq!(store.read_blob(&digest, 10).unwrap().unwrap(), b"x");
    store.flush().unwrap();
    drop(store);
    assert_eq!(sandbox.try_open().unwrap().1.relisted, 0);
}

#[test]
fn a_blob_removed_while_the_store_was_closed_is_not_counted() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(b"x").unwrap();
    store.flush().unwrap();
    let path = store.blob(&digest).unwrap().unwrap();
    drop(store);
    fs::remove_file(path).unwrap();
    let store = sandbox.open();
    assert_eq!((store.usage().blobs, store.usage().bytes), (0, 0));
    assert!(store.blob(&digest).unwrap().is_none());
}

#[test]
fn a_file_whose_size_is_not_the_one_in_its_name_is_not_listed() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(b"x").unwrap();
    let path = store.blob(&digest).unwrap().unwrap();
    drop(store);
    let absurd = path.with_file_name(format!("{}-{}", digest.hex(), u64::MAX));
    fs::write(&absurd, b"x").unwrap();
    let store = sandbox.open();
    assert_eq!((store.usage().blobs, store.usage().bytes), (1, 1));
    assert!(!absurd.exists());
    assert!(path.exists());
}

#[test]
fn what_was_left_half_written_is_removed() {
    let sandbox = Sandbox::new();
    drop(sandbox.open());
    fs::write(sandbox.path("store/tmp/half"), "x").unwrap();
    fs::create_dir_all(sandbox.path("store/tmp/folder/in/it")).unwrap();
    let _store = sandbox.open();
    assert_eq!(fs::read_dir(sandbox.path("store/tmp")).unwrap().count(), 0);
}

#[test]
fn files_and_folders_in_each_others_place_give_way() {
    for name in ["blobs", "tmp", "index"] {
        let sandbox = Sandbox::new();
        fs::create_dir(sandbox.path("store")).unwrap();
        sandbox.write(&format!("store/{name}"), b"not a folder");
        let digest = sandbox.open().put_bytes(b"x").unwrap();
        assert!(sandbox.open().blob(&digest).unwrap().is_some());
    }
    for name in ["index/larder.redb", "index/lock", "index/opening", "index/broken.redb"] {
        let sandbox = Sandbox::new();
        fs::create_dir_all(sandbox.path("store").join(name).join("folder")).unwrap();
        let digest = sandbox.open().put_bytes(b"x").unwrap();
        assert!(sandbox.open().blob(&digest).unwrap().is_some());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_folder_that_is_not_writable_is_told() {
    // Nobody, root included, makes folders there.
    let root = PathBuf::from("/sys/larder-store");
    let clock = Sandbox::new().clock;
    let opened = Store::open(StoreConfig { root: root.clone(), limit_bytes: 1, memory_bytes: 0, clock });
    let error = opened.err().unwrap();
    assert!(matches!(error, StoreError::NotWritable { .. }), "{error:?}");
    assert!(error.to_string().contains("/sys/larder-store"), "{error}");
}

#[test]
fn a_file_in_place_of_the_folder_is_told_and_left_alone() {
    let sandbox = Sandbox::new();
    let file = sandbox.write("store", b"somebody's");
    let error = sandbox.try_open().err().unwrap();
    assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
    assert_eq!(fs::read(file).unwrap(), b"somebody's");
}

#[test]
fn all_that_is_there_is_listed_however_much_it_is() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digests: Vec<Digest> =
        (0..600_u32).map(|number| store.put_bytes(&number.to_le_bytes()).unwrap()).collect();
    drop(store);
    let store = sandbox.open();
    assert_eq!(store.usage().bytes, 2400);
    assert!(digests.iter().all(|digest| store.blob(digest).unwrap().is_some()));
}

/// A store that was closed: a blob, a result and a manifest.
fn closed(sandbox: &Sandbox) -> Digest {
    let store = sandbox.open();
    let digest = store.put_bytes(b"object").unwrap();
    store.put_action(OWNER, &key(1), &result(&[digest])).unwrap();
    store.put_manifest(OWNER, &key(2), b"manifest").unwrap();
    store.close().unwrap();
    digest
}

#[test]
fn a_store_that_was_closed_is_opened_as_it_is_and_only_once() {
    let sandbox = Sandbox::new();
    let digest = closed(&sandbox);
    let (store, report) = sandbox.try_open().unwrap();
    assert!(report.as_closed);
    assert_eq!((report.blobs, report.actions, report.relisted, &report.set_aside), (1, 1, 0, &None));
    assert_eq!(store.action(&key(1)).unwrap().unwrap(), result(&[digest]));
    assert_eq!(store.read_blob(&digest, 10).unwrap().unwrap(), b"object");
    let usage = store.usage();
    // Without being closed.
    drop(store);
    let (store, report) = sandbox.try_open().unwrap();
    assert!(!report.as_closed);
    assert_eq!(store.usage(), usage, "the sums are those of a store that was looked at");
    assert!(store.blob(&digest).unwrap().is_some());
    store.close().unwrap();
    sandbox.later();
    for _ in 0..2 {
        // A use that is still to be written.
        let _ = store.blob(&digest);
        assert!(store.flush().is_err(), "it is closed for good");
        assert!(store.put_manifest(OWNER, &key(9), b"later").is_err());
        assert!(store.manifest(&key(1)).is_err());
    }
    assert!(sandbox.path("store/index/closed").exists(), "and the note stands");
}

#[test]
fn what_was_evicted_does_not_come_back_when_the_store_is_opened_as_it_was_closed() {
    let sandbox = Sandbox { limit_bytes: 1000, ..Sandbox::new() };
    let store = sandbox.open();
    for number in 0..4 {
        sandbox.later();
        store.put_manifest(OWNER, &key(number), &[number; 200]).unwrap();
        store.put_bytes(&[number; 100]).unwrap();
    }
    assert!(store.evict_if_needed().unwrap().records > 0);
    let usage = store.usage();
    store.close().unwrap();
    drop(store);
    let (store, report) = sandbox.try_open().unwrap();
    assert!(report.as_closed);
    assert_eq!(
        (store.usage().bytes, store.usage().blobs, store.usage().actions),
        (usage.bytes, usage.blobs, usage.actions)
    );
    assert!(store.manifest(&key(0)).unwrap().is_none());
    drop(store);
    assert_eq!(sandbox.open().usage().bytes, usage.bytes, "nor when it is looked at");
}

#[test]
fn a_store_that_somebody_touched_since_it_was_closed_is_looked_at() {
    type Change = fn(&Sandbox, &std::path::Path);
    let changes: [(&str, Change); 7] = [
        ("a blob is gone", |_, blob| fs::remove_file(blob).unwrap()),
        ("a shelf is gone", |_, blob| fs::remove_dir_all(blob.parent().unwrap()).unwrap()),
        ("all blobs are gone", |sandbox, _| fs::remove_dir_all(sandbox.path("store/blobs")).unwrap()),
        ("the index is another file", |sandbox, _| {
            let index = fs::read(sandbox.index()).unwrap();
            fs::remove_file(sandbox.index()).unwrap();
            fs::write(sandbox.index(), index).unwrap();
        }),
        ("the index was written to", |sandbox, _| fs::write(sandbox.index(), b"noise").unwrap()),
        ("the note is damaged", |sandbox, _| {
            fs::write(sandbox.path("store/index/closed"), b"noise").unwrap();
        }),
        ("the machine was started again", |sandbox, _| sandbox.clock.reboot()),
    ];
    for (about, change) in changes {
        let sandbox = Sandbox::new();
        let digest = closed(&sandbox);
        let hex = digest.hex();
        let blob = sandbox.path("store/blobs").join(&hex[..2]).join(format!("{hex}-{}", digest.size));
        crate::sandbox::next_tick(&sandbox.path("store/index/closed"));
        change(&sandbox, &blob);
        let there = blob.exists();
        let (store, report) = sandbox.try_open().unwrap();
        assert!(!report.as_closed, "{about}");
        assert_eq!(report.blobs, u64::from(there), "{about}");
        let found = store.read_blob(&digest, 10).unwrap();
        assert_eq!(found.as_deref(), there.then_some(&b"object"[..]), "{about}");
    }
}

#[test]
fn what_is_not_written_is_no_reason_to_believe_a_note() {
    let sandbox = Sandbox::new();
    closed(&sandbox);
    let note = fs::read(sandbox.path("store/index/closed")).unwrap();
    let store = sandbox.open();
    assert!(!sandbox.path("store/index/closed").exists(), "it is good for one opening");
    store.put_bytes(b"another").unwrap();
    drop(store);
    fs::write(sandbox.path("store/index/closed"), note).unwrap();
    let (_, report) = sandbox.try_open().unwrap();
    assert_eq!((report.as_closed, report.blobs, report.relisted), (false, 2, 1));
}
