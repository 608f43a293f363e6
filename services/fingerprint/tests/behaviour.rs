//! What is answered about files that change, move, vanish or are no files.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use larder_fingerprint::{FingerprintError, Fingerprints, Kind, Original, Presence, Stamp};
use larder_service::{Clock, Digest, ManualClock, NoteError, Reader, SystemClock};
use tempfile::TempDir;

/// Set by hand; counts how often the time was asked, which happens once for each reading of a file.
struct CountingClock {
    time: ManualClock,
    readings: AtomicUsize,
}

impl CountingClock {
    fn new(unix_ns: u64) -> Arc<Self> {
        Arc::new(Self { time: ManualClock::new(unix_ns), readings: AtomicUsize::new(0) })
    }

    /// An hour from now, so that every file of the test is old.
    fn later() -> Arc<Self> {
        Self::new(SystemClock.unix_ns() + 3_600_000_000_000)
    }

    fn readings(&self) -> usize {
        self.readings.load(Ordering::Relaxed)
    }
}

impl Clock for CountingClock {
    fn unix_ns(&self) -> u64 {
        self.time.unix_ns()
    }
    fn file_time_ns(&self) -> u64 {
        self.readings.fetch_add(1, Ordering::Relaxed);
        self.time.file_time_ns()
    }
    fn monotonic_ns(&self) -> u64 {
        self.time.monotonic_ns()
    }
}

fn fingerprints(clock: Arc<dyn Clock>) -> Fingerprints {
    Fingerprints::new(clock, 1000)
}

fn file(content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[track_caller]
fn assert_digest(fingerprints: &Fingerprints, path: &Path, content: &[u8]) {
    let found = fingerprints.file(path).unwrap().digest;
    assert_eq!(found, Digest::of(content), "expected the digest of {:?}", String::from_utf8_lossy(content));
}

#[test]
fn an_old_file_is_read_once_whatever_its_path() {
    let (folder, path) = file(b"content");
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    let clock = CountingClock::later();
    let fingerprints = fingerprints(clock.clone());
    for path in [&path, &path, &link] {
        assert_digest(&fingerprints, path, b"content");
    }
    assert_eq!(clock.readings(), 1);
}

#[test]
fn a_file_that_is_expected_to_be_a_copy_is_compared_and_read_where_it_is_none() {
    let (folder, known) = file(b"content");
    let stamp = Stamp::of(&known.metadata().unwrap());
    let (mtime_ns, ctime_ns, inode) = (stamp.mtime_ns, stamp.ctime_ns, stamp.inode);
    // Not what it holds, which shows where the answer comes from.
    let digest = Digest { size: 7, ..Digest::of(b"other") };
    let original = Original { path: known.clone(), digest, mtime_ns, ctime_ns, inode };
    let fingerprints = fingerprints(CountingClock::later());
    for (name, content) in [("copy", b"content"), ("other", b"CONTENT")] {
        let path = folder.path().join(name);
        fingerprints.expect_copy(path.clone(), original.clone());
        fs::write(&path, content).unwrap();
        let found = fingerprints.file(&path).unwrap().digest;
        assert_eq!(found, if content == b"content" { digest } else { Digest::of(content) });
        // Nothing is expected of what is written there later.
        fs::write(&path, b"content").unwrap();
        File::open(&path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_digest(&fingerprints, &path, b"content");
    }
}

const READER: Reader = Reader { build: [0; 32], boot: 1, filesystem_view: (2, 3, 4) };

#[test]
fn what_was_noted_is_not_read_again_and_what_was_changed_since_is() {
    let (folder, path) = file(b"content");
    let other = folder.path().join("other");
    fs::write(&other, b"before").unwrap();
    let before = fingerprints(CountingClock::later());
    assert_digest(&before, &path, b"content");
    assert_digest(&before, &other, b"before");
    let note = before.note(&READER);
    fs::write(&other, b"after!").unwrap();
    // Even where all that can be set is set to what it was.
    let then = fs::metadata(&path).unwrap().modified().unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(then).unwrap();
    let clock = CountingClock::later();
    let after = fingerprints(clock.clone());
    assert_eq!(after.recall(&READER, &note), Ok(2));
    assert_digest(&after, &path, b"content");
    assert_eq!(clock.readings(), 0);
    assert_digest(&after, &other, b"after!");
    assert_eq!(clock.readings(), 1);
    after.forget();
    assert_digest(&after, &path, b"content");
    assert_eq!(clock.readings(), 2);
}

#[test]
fn a_note_of_another_run_of_the_machine_leaves_everything_to_be_read() {
    let (_folder, path) = file(b"content");
    let before = fingerprints(CountingClock::later());
    assert_digest(&before, &path, b"content");
    let note = before.note(&READER);
    let clock = CountingClock::later();
    let after = fingerprints(clock.clone());
    let later = Reader { boot: 2, ..READER };
    assert_eq!(after.recall(&later, &note), Err(NoteError::Elsewhere));
    assert_digest(&after, &path, b"content");
    assert_eq!(clock.readings(), 1);
}

#[test]
fn a_file_whose_stamp_proves_nothing_is_not_noted() {
    let (_folder, path) = file(b"content");
    let fingerprint = fingerprints(Arc::new(SystemClock)).file(&path).unwrap();
    let young = fingerprints(CountingClock::new(u64::try_from(fingerprint.stamp.ctime_ns).unwrap()));
    assert_digest(&young, &path, b"content");
    assert_eq!(fingerprints(CountingClock::later()).recall(&READER, &young.note(&READER)), Ok(0));
}

#[test]
fn a_file_as_young_as_the_clock_is_read_again_each_time() {
    let (_folder, path) = file(b"content");
    let fingerprint = fingerprints(Arc::new(SystemClock)).file(&path).unwrap();
    let changed = u64::try_from(fingerprint.stamp.ctime_ns).unwrap();
    let clock = CountingClock::new(changed);
    let fingerprints = fingerprints(clock.clone());
    for _ in 0..3 {
        assert_digest(&fingerprints, &path, b"content");
    }
    assert_eq!(clock.readings(), 3);
    clock.time.advance(Duration::from_secs(3));
    for _ in 0..3 {
        assert_digest(&fingerprints, &path, b"content");
    }
    assert_eq!(clock.readings(), 4);
}

#[test]
fn an_edit_of_the_same_size_in_the_same_tick_is_seen() {
    let (_folder, path) = file(b"");
    let fingerprints = fingerprints(Arc::new(SystemClock));
    // Many rounds, so that many edits fall into the tick of the reading before.
    for round in 0..500_u32 {
        let content = round.to_le_bytes();
        fs::write(&path, content).unwrap();
        assert_digest(&fingerprints, &path, &content);
    }
}

#[test]
fn an_edit_with_the_times_put_back_is_seen() {
    let (_folder, path) = file(b"before");
    let old = SystemTime::now() - Duration::from_secs(1000);
    File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let fingerprints = fingerprints(Arc::new(SystemClock));
    for round in 0..200_u32 {
        let content = format!("{round:06}");
        fs::write(&path, &content).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        assert_digest(&fingerprints, &path, content.as_bytes());
    }
}

#[test]
fn a_file_dated_in_the_future_is_never_remembered() {
    let (_folder, path) = file(b"content");
    let clock = CountingClock::later();
    let future = SystemTime::now() + Duration::from_secs(100_000);
    File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
    let fingerprints = fingerprints(clock.clone());
    assert_digest(&fingerprints, &path, b"content");
    assert_digest(&fingerprints, &path, b"content");
    assert_eq!(clock.readings(), 2);
}

#[test]
fn a_file_that_took_the_place_of_another_is_seen() {
    let (folder, path) = file(b"before");
    let fingerprints = fingerprints(CountingClock::later());
    assert_digest(&fingerprints, &path, b"before");
    let other = folder.path().join("other");
    fs::write(&other, b"after!").unwrap();
    let stamp = fs::metadata(&path).unwrap().modified().unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(stamp).unwrap();
    fs::rename(&other, &path).unwrap();
    assert_digest(&fingerprints, &path, b"after!");
}

#[test]
fn a_link_that_leads_elsewhere_now_is_followed_there() {
    let (folder, first) = file(b"first");
    let second = folder.path().join("second");
    fs::write(&second, b"other").unwrap();
    let link = folder.path().join("link");
    let fingerprints = fingerprints(CountingClock::later());
    symlink(&first, &link).unwrap();
    assert_digest(&fingerprints, &link, b"first");
    fs::remove_file(&link).unwrap();
    symlink(&second, &link).unwrap();
    assert_digest(&fingerprints, &link, b"other");
    fs::remove_file(&second).unwrap();
    assert!(matches!(fingerprints.file(&link), Err(FingerprintError::Missing { .. })));
    assert!(fingerprints.absent(&link).unwrap());
}

#[test]
fn a_file_that_is_gone_is_missing_although_it_was_remembered() {
    let (_folder, path) = file(b"content");
    let fingerprints = fingerprints(CountingClock::later());
    assert_digest(&fingerprints, &path, b"content");
    fs::remove_file(&path).unwrap();
    let error = fingerprints.file(&path).unwrap_err();
    assert!(matches!(error, FingerprintError::Missing { .. }), "{error}");
    assert_eq!(error.path(), path);
}

#[test]
fn what_is_no_file_is_refused_without_blocking() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let (mode, none) = (rustix::fs::Mode::RUSR, 0);
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, none).unwrap();
    let fingerprints = fingerprints(Arc::new(SystemClock));
    for path in [folder.path(), &pipe, Path::new("/dev/null")] {
        for error in [fingerprints.file(path).unwrap_err(), fingerprints.content(path, |_| ()).unwrap_err()] {
            assert!(matches!(error, FingerprintError::NotAFile { .. }), "{error}");
        }
    }
    let kind = |path: &Path| match fingerprints.presence(path).unwrap() {
        Presence::Present { kind, .. } => kind,
        Presence::Absent => panic!("{} is there", path.display()),
    };
    assert_eq!((kind(folder.path()), kind(&pipe)), (Kind::Folder, Kind::Other));
}

#[test]
fn a_circle_of_links_is_unreadable_not_absent() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    symlink(&link, &link).unwrap();
    let fingerprints = fingerprints(Arc::new(SystemClock));
    assert!(matches!(fingerprints.file(&link), Err(FingerprintError::Unreadable { .. })));
    assert!(matches!(fingerprints.absent(&link), Err(FingerprintError::Unreadable { .. })));
}

#[test]
fn a_file_without_permission_is_unreadable() {
    let (_folder, path) = file(b"content");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    let answer = fingerprints(Arc::new(SystemClock)).file(&path);
    if rustix::process::geteuid().is_root() {
        // No permission binds root; the digest must be right all the same.
        assert_eq!(answer.unwrap().digest, Digest::of(b"content"));
    } else {
        assert!(matches!(answer, Err(FingerprintError::Unreadable { .. })));
    }
}

#[test]
fn absence_ends_the_moment_a_file_appears() {
    let folder = tempfile::tempdir().unwrap();
    let fingerprints = fingerprints(Arc::new(SystemClock));
    for round in 0..200 {
        let path = folder.path().join(format!("file{round}"));
        assert!(fingerprints.absent(&path).unwrap());
        fs::write(&path, b"").unwrap();
        assert!(!fingerprints.absent(&path).unwrap(), "round {round}");
    }
}

#[test]
fn what_lies_below_nothing_or_below_a_file_is_absent() {
    let (folder, path) = file(b"content");
    let fingerprints = fingerprints(Arc::new(SystemClock));
    assert!(fingerprints.absent(&folder.path().join("none/file")).unwrap());
    assert!(fingerprints.absent(&path.join("below")).unwrap());
    assert!(matches!(fingerprints.file(&path.join("below")), Err(FingerprintError::Missing { .. })));
}

#[test]
fn content_shows_the_bytes_that_the_digest_is_of_and_is_remembered() {
    let (_folder, path) = file(b"content");
    let clock = CountingClock::later();
    let fingerprints = fingerprints(clock.clone());
    let (fingerprint, bytes) = fingerprints.content(&path, <[u8]>::to_vec).unwrap();
    assert_eq!(bytes, b"content");
    assert_eq!(fingerprint, fingerprints.file(&path).unwrap());
    assert_eq!(clock.readings(), 1);
}

#[test]
fn content_too_large_for_memory_is_refused() {
    let (_folder, path) = file(b"");
    let size = larder_fingerprint::MAX_CONTENT_BYTES + 1;
    File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
    let error = fingerprints(Arc::new(SystemClock)).content(&path, |_| ()).unwrap_err();
    assert!(matches!(error, FingerprintError::TooLarge { .. }), "{error}");
}

mod any_history {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Write(u8),
        WriteOneByte(u8),
        PutTimeBack,
        Replace(u8),
        Remove,
        Ask,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<u8>().prop_map(Step::Write),
            any::<u8>().prop_map(Step::WriteOneByte),
            Just(Step::PutTimeBack),
            any::<u8>().prop_map(Step::Replace),
            Just(Step::Remove),
            Just(Step::Ask),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn ends_in_the_digest_of_what_is_there(steps in prop::collection::vec(step(), 1..40)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("file");
            let fingerprints = fingerprints(Arc::new(SystemClock));
            for step in steps {
                match step {
                    Step::Write(byte) => fs::write(&path, [byte; 64]).unwrap(),
                    Step::WriteOneByte(byte) => {
                        use std::os::unix::fs::FileExt as _;
                        let file = File::options().create(true).write(true).truncate(false).open(&path);
                        file.unwrap().write_all_at(&[byte], 5).unwrap();
                    }
                    Step::PutTimeBack => {
                        if let Ok(file) = File::options().write(true).open(&path) {
                            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(9)).unwrap();
                        }
                    }
                    Step::Replace(byte) => {
                        let other = folder.path().join("other");
                        fs::write(&other, [byte; 64]).unwrap();
                        fs::rename(&other, &path).unwrap();
                    }
                    Step::Remove => drop(fs::remove_file(&path)),
                    Step::Ask => drop(fingerprints.file(&path)),
                }
            }
            match fs::read(&path) {
                Ok(content) => prop_assert_eq!(fingerprints.file(&path).unwrap().digest, Digest::of(&content)),
                Err(_) => prop_assert!(fingerprints.absent(&path).unwrap()),
            }
        }
    }
}
