//! What goes when there is too much, and what stays.

use larder_service::Digest;
use larder_store::{ActionResult, Evicted, Store};

use crate::sandbox::{OWNER, Sandbox, key, result};

fn content(number: u8) -> [u8; 100] {
    [number; 100]
}

fn has(store: &Store, number: u8) -> bool {
    store.read_blob(&Digest::of(&content(number)), 100).unwrap().is_some()
}

/// A store with room for ten blobs, in which there are `count`, number 0 the oldest.
fn with_blobs(sandbox: &mut Sandbox, count: u8) -> Store {
    sandbox.limit_bytes = 1000;
    let store = sandbox.open();
    for number in 0..count {
        sandbox.later();
        store.put_bytes(&content(number)).unwrap();
    }
    sandbox.later();
    store
}

#[test]
fn up_to_the_limit_nothing_goes_and_above_it_the_oldest_until_a_tenth_is_free() {
    let mut sandbox = Sandbox::new();
    let store = with_blobs(&mut sandbox, 10);
    assert_eq!(store.evict_if_needed().unwrap(), Evicted::default());
    store.put_bytes(&content(10)).unwrap();
    assert_eq!(store.evict_if_needed().unwrap(), Evicted { blobs: 2, records: 0, bytes: 200 });
    assert_eq!(
        (0..11).filter(|number| has(&store, *number)).collect::<Vec<_>>(),
        (2..11).collect::<Vec<_>>()
    );
    let usage = store.usage();
    assert_eq!((usage.bytes, usage.blobs, usage.evicted_blobs, usage.damaged_blobs), (900, 9, 2, 0));
    assert!(usage.bytes <= usage.limit_bytes);
}

#[test]
fn what_was_used_lately_stays_whichever_tier_answered() {
    for memory_bytes in [0, 1 << 20] {
        let mut sandbox = Sandbox { memory_bytes, ..Sandbox::new() };
        let store = with_blobs(&mut sandbox, 11);
        assert!(has(&store, 0));
        assert!(store.blob(&Digest::of(&content(1))).unwrap().is_some());
        store.put_bytes(&content(2)).unwrap();
        store.evict_if_needed().unwrap();
        let there: Vec<_> = (0..11).filter(|number| has(&store, *number)).collect();
        assert_eq!(there, [0, 1, 2, 5, 6, 7, 8, 9, 10]);
    }
}

#[test]
fn what_is_pinned_stays_until_its_connection_lets_go() {
    let mut sandbox = Sandbox::new();
    let store = with_blobs(&mut sandbox, 11);
    for number in 0..11 {
        store.pin(1 + u64::from(number % 2), &Digest::of(&content(number))).unwrap();
    }
    assert_eq!(store.evict_if_needed().unwrap(), Evicted::default(), "even above the limit");
    store.unpin_all(1).unwrap();
    assert_eq!(store.evict_if_needed().unwrap().blobs, 2);
    let there: Vec<_> = (0..11).filter(|number| has(&store, *number)).collect();
    assert_eq!(there, [1, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn records_age_and_go_like_blobs() {
    for memory_bytes in [0, 1 << 20] {
        let sandbox = Sandbox { limit_bytes: 1000, memory_bytes, ..Sandbox::new() };
        let store = sandbox.open();
        for number in 0..4 {
            sandbox.later();
            store.put_manifest(OWNER, &key(number), &[number; 200]).unwrap();
        }
        store.put_action(OWNER, &key(0), &result(&[])).unwrap();
        sandbox.later();
        assert!(store.manifest(&key(0)).unwrap().is_some());
        let digest = store.put_bytes(&[7; 300]).unwrap();
        let evicted = store.evict_if_needed().unwrap();
        assert_eq!((evicted.blobs, evicted.records), (0, 2), "{evicted:?}");
        let there: Vec<_> =
            (0..4).filter(|number| store.manifest(&key(*number)).unwrap().is_some()).collect();
        assert_eq!(there, [0, 3]);
        assert!(store.blob(&digest).unwrap().is_some());
        store.flush().unwrap();
        let usage = store.usage();
        drop(store);
        let reopened = sandbox.open();
        assert_eq!(reopened.usage().bytes, usage.bytes, "what was evicted does not come back");
        assert!(reopened.manifest(&key(1)).unwrap().is_none());
    }
}

#[test]
fn the_order_survives_reopening_when_it_was_flushed() {
    let mut sandbox = Sandbox::new();
    let store = with_blobs(&mut sandbox, 11);
    assert!(has(&store, 0));
    store.flush().unwrap();
    drop(store);
    let store = sandbox.open();
    store.evict_if_needed().unwrap();
    assert!(has(&store, 0));
    assert!(!has(&store, 1));
}

#[test]
fn to_be_looked_at_is_no_use() {
    let sandbox = Sandbox { limit_bytes: 1000, ..Sandbox::new() };
    let store = sandbox.open();
    for number in [1, 2] {
        let result = ActionResult { stderr: vec![0; 200], ..result(&[]) };
        store.put_action(OWNER, &key(number), &result).unwrap();
        sandbox.later();
    }
    store.survey(0).unwrap();
    store.clear(Some(OWNER), true).unwrap();
    sandbox.later();
    assert_eq!(store.find_actions(&key(1).hex()).unwrap().len(), 1);
    // Room for one of them, and not for both.
    store.put_bytes(&[7; 600]).unwrap();
    assert_eq!(store.evict_if_needed().unwrap().records, 1, "the older one");
    assert!(store.action(&key(1)).unwrap().is_none());
    assert!(store.action(&key(2)).unwrap().is_some());
}
