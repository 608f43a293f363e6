//! Blobs that others write, and proofs that others rely on.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use larder_service::{Digest, Key};
use larder_store::{ActionResult, StoreError};

use crate::sandbox::{OWNER, Sandbox, next_tick, overwrite};

const CONTENT: &[u8] = b"what a client wrote";

#[test]
fn a_staged_file_becomes_the_blob_itself_and_is_unproven_until_it_is_hashed() {
    let sandbox = Sandbox { real_time: true, ..Sandbox::new() };
    let store = sandbox.open();
    let digest = Digest::of(CONTENT);
    let staged = sandbox.write("staged", CONTENT);
    store.put_staged(1, &staged, &digest).unwrap();
    assert!(!staged.exists());
    assert_eq!(store.proofs(1, &[digest]), [None]);
    next_tick(&store.blobs_folder().join(store.blob_name(&digest)));
    let path = store.blob(&digest).unwrap().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o444);
    assert_eq!(store.blobs_folder().join(store.blob_name(&digest)), path);
    let proof = store.proofs(1, &[digest])[0].unwrap();
    // A proven one stays when the same comes again.
    store.put_staged(1, &sandbox.write("staged", CONTENT), &digest).unwrap();
    assert_eq!(store.proofs(1, &[digest]), [Some(proof)]);
    assert!(!sandbox.path("staged").exists());
    // One that was changed since is replaced.
    overwrite(&path, b"WHAT a client wrote");
    store.put_staged(1, &sandbox.write("staged", CONTENT), &digest).unwrap();
    assert_eq!(store.read_blob(&digest, 100).unwrap().unwrap(), CONTENT);
}

#[test]
fn a_staged_file_that_is_not_what_was_said_reaches_nobody() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = Digest::of(CONTENT);
    store.put_staged(1, &sandbox.write("staged", b"WHAT a client wrote"), &digest).unwrap();
    assert!(store.blob(&digest).unwrap().is_none());
    assert_eq!(store.usage().damaged_blobs, 1);
}

#[test]
fn only_an_ordinary_file_of_one_name_and_the_right_size_is_taken() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = Digest::of(CONTENT);
    let own = sandbox.write("own", CONTENT);
    let staged = sandbox.path("staged");
    symlink(&own, &staged).unwrap();
    assert!(store.put_staged(1, &staged, &digest).is_err());
    assert!(!staged.is_symlink(), "it is cleared away");
    fs::hard_link(&own, &staged).unwrap();
    let error = store.put_staged(1, &staged, &digest).unwrap_err();
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
    let error = store.put_staged(1, &sandbox.write("staged", b"short"), &digest).unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error}");
    assert!(store.put_staged(1, &sandbox.path("nothing"), &digest).is_err());
    assert_eq!((fs::read(own).unwrap().as_slice(), store.usage().blobs), (CONTENT, 0));
}

#[test]
fn what_was_handed_out_or_used_is_evicted_last() {
    let mut sandbox = Sandbox::new();
    sandbox.limit_bytes = 1500;
    let store = sandbox.open();
    let put = |number: u8| {
        sandbox.later();
        let digest = store.put_bytes(&[number; 300]).unwrap();
        let key = Key([number; 32]);
        let output = larder_store::OutputBlob { name: "go".to_owned(), digest, mode: 0o444 };
        let result = ActionResult { outputs: vec![output], ..ActionResult::default() };
        store.put_actions(OWNER, &[(key, result)]).unwrap();
        (key, digest)
    };
    let (first, second) = (put(1), put(2));
    let _ = store.proofs(7, &[first.1]);
    let third = put(3);
    sandbox.later();
    store.note_uses([(&second.0, &second.1)]).unwrap();
    let fourth = put(4);
    store.evict_if_needed().unwrap();
    let there = |(key, digest): &(Key, Digest)| {
        (store.action(key).unwrap().is_some(), store.blob(digest).unwrap().is_some())
    };
    assert!(there(&first).1, "pinned");
    assert_eq!(there(&second), (true, true), "used");
    assert!(!there(&third).1);
    assert_eq!(there(&fourth), (true, true));
    // Who takes a pin over keeps it.
    store.hand_over_pins(7, 8);
    store.unpin_all(7).unwrap();
    for number in 5..9 {
        put(number);
    }
    store.evict_if_needed().unwrap();
    assert!(there(&first).1);
}

#[test]
fn a_result_without_its_blob_is_passed_over_among_others() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let result = |digest| {
        let output = larder_store::OutputBlob { name: "go".to_owned(), digest, mode: 0o444 };
        ActionResult { outputs: vec![output], ..ActionResult::default() }
    };
    let there = store.put_bytes(CONTENT).unwrap();
    let both = [(Key([1; 32]), result(Digest::of(b"gone"))), (Key([2; 32]), result(there))];
    store.put_actions(OWNER, &both).unwrap();
    assert!(store.action(&both[0].0).unwrap().is_none());
    assert_eq!(store.action(&both[1].0).unwrap().as_ref(), Some(&both[1].1));
}
