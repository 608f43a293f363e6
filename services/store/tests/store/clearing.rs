//! What goes at a person's wish, and whose.

use larder_service::Digest;
use larder_store::{Owner, Removed, Store};
use redb::ReadableTable as _;

use crate::sandbox::{Sandbox, key, result};

const ONE: Owner = Owner::new("one");
const OTHER: Owner = Owner::new("other");

/// A store in which both owners have a blob of their own and share one; 100 bytes each.
fn shared(sandbox: &Sandbox) -> (Store, [Digest; 3]) {
    let store = sandbox.open();
    let blobs = [1, 2, 3].map(|number| store.put_bytes(&[number; 100]).unwrap());
    store.put_action(ONE, &key(1), &result(&[blobs[0], blobs[2]])).unwrap();
    store.put_manifest(ONE, &key(1), b"leads to it").unwrap();
    store.put_action(OTHER, &key(2), &result(&[blobs[1], blobs[2]])).unwrap();
    store.put_manifest(OTHER, &key(2), b"leads there").unwrap();
    sandbox.later();
    (store, blobs)
}

/// Which of its two records and three blobs are there; no use of them.
fn there(store: &Store, blobs: &[Digest; 3]) -> ([bool; 2], [bool; 3]) {
    let mut actions = [false; 2];
    store.each_action(|key, _| actions[usize::from(key.0[0]) - 1] = true).unwrap();
    (actions, blobs.map(|digest| !store.find_blobs(&digest.hex()).unwrap().is_empty()))
}

#[test]
fn of_one_owner_its_records_go_and_the_blobs_that_nobody_else_names() {
    for memory_bytes in [0, 1 << 20] {
        let sandbox = Sandbox { memory_bytes, ..Sandbox::new() };
        let (store, blobs) = shared(&sandbox);
        let usage = store.usage();
        let told = store.clear(Some(ONE), true).unwrap();
        assert_eq!((told.records, told.blobs, told.blobs_pinned, told.records_unowned), (2, 1, 0, 0));
        assert_eq!(store.usage(), usage, "only counted");
        assert_eq!(there(&store, &blobs), ([true; 2], [true; 3]));
        assert_eq!(store.clear(Some(ONE), false).unwrap(), told);
        assert_eq!(store.usage().bytes, usage.bytes - told.bytes);
        assert!(store.action(&key(1)).unwrap().is_none() && store.manifest(&key(1)).unwrap().is_none());
        assert_eq!(&store.manifest(&key(2)).unwrap().unwrap()[..], b"leads there");
        assert_eq!(there(&store, &blobs), ([false, true], [false, true, true]));
        store.flush().unwrap();
        drop(store);
        assert_eq!(there(&sandbox.open(), &blobs), ([false, true], [false, true, true]));
    }
}

#[test]
fn an_owner_is_known_again_when_the_store_is_opened_and_after_a_use() {
    let sandbox = Sandbox::new();
    let (store, blobs) = shared(&sandbox);
    assert!(store.action(&key(2)).unwrap().is_some());
    store.flush().unwrap();
    drop(store);
    let store = sandbox.open();
    assert_eq!(store.clear(Some(OTHER), false).unwrap().records, 2);
    assert_eq!(there(&store, &blobs), ([true, false], [true, false, true]));
}

#[test]
fn what_is_pinned_stays_and_everything_else_of_everybody_goes() {
    let sandbox = Sandbox::new();
    let (store, blobs) = shared(&sandbox);
    store.pin(7, &blobs[0]).unwrap();
    let told = store.clear(Some(ONE), true).unwrap();
    assert_eq!((told.records, told.blobs, told.blobs_pinned), (2, 0, 1));
    let removed = store.clear(None, false).unwrap();
    assert_eq!((removed.records, removed.blobs, removed.blobs_pinned), (4, 2, 1));
    assert_eq!(there(&store, &blobs), ([false; 2], [true, false, false]));
}

#[test]
fn what_another_owner_has_put_again_is_his() {
    let sandbox = Sandbox::new();
    let (store, blobs) = shared(&sandbox);
    store.put_action(OTHER, &key(1), &result(&[blobs[0]])).unwrap();
    assert_eq!(store.clear(Some(ONE), false).unwrap().records, 1);
    assert_eq!(there(&store, &blobs), ([true; 2], [true; 3]));
}

#[test]
fn an_owner_of_nothing_loses_nothing() {
    let sandbox = Sandbox::new();
    let (store, blobs) = shared(&sandbox);
    assert_eq!(store.clear(Some(Owner::new("nobody")), false).unwrap(), Removed::default());
    assert_eq!(there(&store, &blobs), ([true; 2], [true; 3]));
}

#[test]
fn records_of_the_first_version_of_the_index_are_read_counted_and_nobodys() {
    let sandbox = Sandbox::new();
    let (store, blobs) = shared(&sandbox);
    store.flush().unwrap();
    drop(store);
    {
        let database = redb::Database::open(sandbox.index()).unwrap();
        let transaction = database.begin_write().unwrap();
        let meta = redb::TableDefinition::<&str, u64>::new("meta");
        transaction.open_table(meta).unwrap().insert("version", 1).unwrap();
        let rows = redb::TableDefinition::<&[u8], &[u8]>::new("record_rows");
        let mut rows = transaction.open_table(rows).unwrap();
        for kind in [1, 2] {
            let id = [&[kind][..], &key(1).0].concat();
            let owned = rows.get(&id[..]).unwrap().unwrap().value().to_vec();
            rows.insert(&id[..], &[&[1][..], &owned[1..17]].concat()[..]).unwrap();
        }
        drop(rows);
        transaction.commit().unwrap();
    }
    let (store, report) = sandbox.try_open().unwrap();
    assert_eq!((report.set_aside, report.actions), (None, 2));
    let removed = store.clear(Some(OTHER), false).unwrap();
    assert_eq!((removed.records, removed.blobs, removed.records_unowned), (2, 1, 2));
    assert_eq!(there(&store, &blobs), ([true, false], [true, false, true]));
    assert_eq!(store.clear(Some(ONE), true).unwrap(), Removed { records_unowned: 2, ..Removed::default() });
    // Whoever stores it again is its owner.
    store.put_action(ONE, &key(1), &result(&[blobs[0]])).unwrap();
    let told = store.clear(Some(ONE), true).unwrap();
    assert_eq!((told.records, told.blobs, told.records_unowned), (1, 1, 1));
    assert_eq!(store.clear(None, true).unwrap().records_unowned, 0, "all go");
}
