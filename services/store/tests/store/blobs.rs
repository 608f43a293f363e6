//! Blobs, and what is done to them behind the store's back.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use larder_service::Digest;
use larder_store::{Store, StoreError};

use crate::sandbox::{Sandbox, next_tick, overwrite};

const CONTENT: &[u8] = b"what a compiler made";

#[test]
fn a_file_becomes_a_read_only_blob_that_outlives_it() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    for content in [CONTENT, b"", &vec![7; 300_000]] {
        let file = sandbox.write("object", content);
        let digest = store.put_file(&file).unwrap();
        assert_eq!(digest, Digest::of(content));
        fs::remove_file(file).unwrap();
        let path = store.blob(&digest).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o222, 0, "nobody may write it");
        assert_eq!(store.read_blob(&digest, 1 << 20).unwrap().unwrap(), content);
    }
    assert_eq!(fs::read_dir(sandbox.path("store/tmp")).unwrap().count(), 0);
}

#[test]
fn the_same_content_is_one_blob_whose_file_is_left_alone() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(CONTENT).unwrap();
    let blob = store.blob(&digest).unwrap().unwrap();
    // Held open, so that its inode cannot be used again.
    let held = File::open(&blob).unwrap();
    assert_eq!(store.put_file(&sandbox.write("object", CONTENT)).unwrap(), digest);
    assert_eq!(store.put_bytes(CONTENT).unwrap(), digest);
    let inode = |metadata: fs::Metadata| std::os::unix::fs::MetadataExt::ino(&metadata);
    assert_eq!(inode(held.metadata().unwrap()), inode(fs::metadata(blob).unwrap()));
    assert_eq!((store.usage().blobs, store.usage().bytes), (1, digest.size));
}

#[test]
fn only_ordinary_files_become_blobs() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    symlink(sandbox.write("object", CONTENT), sandbox.path("link")).unwrap();
    fs::create_dir(sandbox.path("folder")).unwrap();
    for path in [&sandbox.path("link"), &sandbox.path("folder"), Path::new("/dev/null")] {
        let error = store.put_file(path).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{}: {error}", path.display());
    }
    let error = store.put_file(&sandbox.path("nothing")).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_that_holds_something_else_than_its_size_says_is_not_stored() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    // It claims to be empty, and is not.
    let error = store.put_file(Path::new("/proc/self/stat")).unwrap_err();
    assert!(matches!(error, StoreError::Changed { .. }), "{error}");
    assert_eq!(store.usage().blobs, 0);
    assert_eq!(fs::read_dir(sandbox.path("store/tmp")).unwrap().count(), 0);
}

#[test]
fn a_blob_is_not_read_into_memory_beyond_what_the_caller_allows() {
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(CONTENT).unwrap();
    let size = digest.size;
    assert!(matches!(store.read_blob(&digest, size - 1), Err(StoreError::TooLarge { .. })));
    assert_eq!(store.read_blob(&digest, size).unwrap().unwrap(), CONTENT);
}

/// Puts a blob, lets it be proven, does `harm` to its file, and sees that each way to it says that it is gone, and
/// that it can be put again.
fn is_lost_and_comes_back(harm: impl Fn(&Path)) {
    type Look = fn(&Store, &Digest) -> bool;
    let looks: [Look; 2] = [
        |store, digest| store.blob(digest).unwrap().is_some(),
        |store, digest| store.read_blob(digest, 1 << 20).unwrap().is_some(),
    ];
    for look in looks {
        let sandbox = Sandbox { real_time: true, ..Sandbox::new() };
        let store = sandbox.open();
        let digest = store.put_bytes(CONTENT).unwrap();
        let path = store.blob(&digest).unwrap().unwrap();
        next_tick(&path);
        store.blob(&digest).unwrap().unwrap();
        harm(&path);
        assert!(!look(&store, &digest), "it is damaged");
        let usage = store.usage();
        assert_eq!((usage.blobs, usage.bytes, usage.damaged_blobs), (0, 0, 1));
        assert!(!path.exists());
        assert_eq!(store.put_file(&sandbox.write("object", CONTENT)).unwrap(), digest);
        assert!(look(&store, &digest));
        assert_eq!(fs::read(path).unwrap(), CONTENT);
    }
}

#[test]
fn a_truncated_blob_is_lost_and_comes_back() {
    is_lost_and_comes_back(|path| overwrite(path, &CONTENT[1..]));
}

#[test]
fn a_blob_changed_under_a_forged_mtime_is_lost_and_comes_back() {
    is_lost_and_comes_back(|path| {
        let mtime = fs::metadata(path).unwrap().modified().unwrap();
        overwrite(path, &CONTENT.to_ascii_uppercase());
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(mtime)).unwrap();
    });
}

#[test]
fn a_blob_replaced_by_another_file_is_lost_and_comes_back() {
    is_lost_and_comes_back(|path| {
        let other = path.with_extension("other");
        fs::write(&other, CONTENT.to_ascii_uppercase()).unwrap();
        fs::rename(other, path).unwrap();
    });
}

#[test]
fn a_removed_blob_is_lost_and_comes_back() {
    is_lost_and_comes_back(|path| fs::remove_file(path).unwrap());
}

#[test]
fn blobs_removed_with_the_folders_above_them_are_lost_and_come_back() {
    for levels in [1, 2, 3] {
        is_lost_and_comes_back(|path| fs::remove_dir_all(path.ancestors().nth(levels).unwrap()).unwrap());
    }
}

#[test]
fn a_link_or_a_folder_in_place_of_a_blob_is_lost_and_the_blob_comes_back() {
    is_lost_and_comes_back(|path| {
        let other = path.with_extension("other");
        fs::rename(path, &other).unwrap();
        symlink(other, path).unwrap();
    });
    is_lost_and_comes_back(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir_all(path.join("folder")).unwrap();
    });
}

#[test]
fn a_blob_changed_before_the_clock_moved_on_is_still_told() {
    // The clock of files stands still, so that no stamp ever proves anything.
    let sandbox = Sandbox::new();
    let store = sandbox.open();
    let digest = store.put_bytes(CONTENT).unwrap();
    let path = store.blob(&digest).unwrap().unwrap();
    overwrite(&path, &CONTENT.to_ascii_uppercase());
    assert!(store.blob(&digest).unwrap().is_none());
}

#[test]
fn a_touched_blob_is_proven_again_and_stays() {
    let sandbox = Sandbox { real_time: true, ..Sandbox::new() };
    let store = sandbox.open();
    let digest = store.put_bytes(CONTENT).unwrap();
    let path = store.blob(&digest).unwrap().unwrap();
    next_tick(&path);
    store.blob(&digest).unwrap().unwrap();
    overwrite(&path, CONTENT);
    assert_eq!(store.blob(&digest).unwrap().unwrap(), path);
    assert_eq!(store.usage().damaged_blobs, 0);
}

#[test]
fn many_threads_put_and_read_the_same_blobs_while_others_are_evicted() {
    let sandbox = Sandbox { limit_bytes: 2000, memory_bytes: 10_000, real_time: true, ..Sandbox::new() };
    let store = sandbox.open();
    std::thread::scope(|scope| {
        for thread in 1..=4_u64 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..100_u32 {
                    let content = format!("{:0>100}", round % 30);
                    let digest = Digest::of(content.as_bytes());
                    store.pin(thread, &digest).unwrap();
                    store.put_bytes(content.as_bytes()).unwrap();
                    let path = store.blob(&digest).unwrap().unwrap();
                    assert_eq!(fs::read(path).unwrap(), content.as_bytes(), "it is pinned");
                    store.unpin_all(thread).unwrap();
                    store.evict_if_needed().unwrap();
                }
            });
        }
    });
    assert_eq!(store.usage().damaged_blobs, 0);
    assert!(store.usage().evicted_blobs > 0);
}
