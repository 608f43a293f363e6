//! Opening, whatever is in the folder and whoever else has it open.

use std::fs;
use std::path::PathBuf;

use larder_service::Digest;
use larder_store::{Store, StoreConfig, StoreError};

use crate::sandbox::{OWNER, Sandbox, key};

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
