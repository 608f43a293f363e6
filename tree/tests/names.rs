//! A check that lists no folder finds what one that lists all of them finds.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use larder_service::{Clock as _, SystemClock};
use larder_tree::{Changes, Checked, Choice, Depth, Kept, Plain, Selection, State, check};
use proptest::prelude::*;
use tempfile::TempDir;

/// Waits until the clock of files is past the stamps of all that was changed before: some are of a finer clock than theirs, and
/// ahead of it.
fn settle() {
    let start = SystemClock.unix_ns();
    while SystemClock.file_time_ns() <= start {
        std::thread::yield_now();
    }
}

fn everything(root: &Path) -> Selection {
    Selection::new(root.to_owned(), Choice::default()).expect("a selection")
}

fn checked(selection: &Selection, state: State) -> Checked {
    let kept = if state.success.is_some() { Kept::State(state) } else { Kept::Nothing };
    check(selection, Depth::TwoLayer, kept, None, &Plain::by_system_time()).expect("checked")
}

/// What is kept once all that is there has been seen, and is older than the clock's step.
fn success(selection: &Selection) -> State {
    settle();
    let mut state = checked(selection, State::default()).state.expect("a state");
    state.mark_success().expect("marked");
    state
}

/// `state` as one that does not tell which names there were.
fn without_folders(state: &State) -> State {
    let mut state = state.clone();
    for snapshot in [&mut state.success, &mut state.pending].into_iter().flatten() {
        snapshot.folders.clear();
    }
    state
}

fn tree() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["a/b", "a/c", "d"] {
        fs::create_dir_all(folder.path().join(name)).expect("made");
        fs::write(folder.path().join(name).join("file"), name).expect("written");
    }
    folder
}

#[test]
fn no_folder_is_listed_while_all_are_stamped_as_they_were() {
    let folder = tree();
    let selection = everything(folder.path());
    let mut state = success(&selection);
    let snapshot = state.success.as_mut().expect("a success");
    let paths: Vec<_> = snapshot.folders.iter().map(|folder| &*folder.path).collect();
    assert_eq!(paths, [&b""[..], b"a", b"a/b", b"a/c", b"d"]);
    // Nobody looks whether there is a file that was not there.
    snapshot.entries.retain(|entry| *entry.path != *b"d/file");
    assert!(checked(&selection, state.clone()).unchanged);
    assert_eq!(checked(&selection, without_folders(&state)).changes.added, [b"d/file"]);
    // Whoever wants every file read has every folder listed too.
    let all = check(&selection, Depth::Content, Kept::State(state), None, &Plain::by_system_time());
    assert_eq!(all.expect("checked").changes.added, [b"d/file"]);
}

#[test]
fn folders_tell_nothing_where_links_are_followed_or_rules_heeded_or_the_cache_file_lies_in_one() {
    let folder = tree();
    let root = folder.path();
    let tells = |state: State| !state.success.expect("a success").folders.is_empty();
    assert!(tells(success(&everything(root))));
    let heeding = Choice { ignore_rules: true, ..Choice::default() };
    assert!(!tells(success(&Selection::new(root.to_owned(), heeding).expect("a selection"))));
    std::os::unix::fs::symlink("../d", root.join("a/link")).expect("linked");
    assert!(!tells(success(&everything(root))));
    let excluding = Choice { exclude: vec!["link".to_owned()], ..Choice::default() };
    let excluding = Selection::new(root.to_owned(), excluding).expect("a selection");
    assert!(tells(success(&excluding)));
    let cache = {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = root.join("d/file").metadata().expect("there");
        Some((metadata.dev(), metadata.ino()))
    };
    settle();
    let plain = Plain::by_system_time();
    let checked = check(&excluding, Depth::TwoLayer, Kept::Nothing, cache, &plain).expect("checked");
    assert!(checked.state.expect("a state").pending.expect("one").folders.is_empty());
}

#[test]
fn what_a_folder_is_now_is_kept_once_nothing_else_has_changed() {
    let folder = tree();
    let selection = everything(folder.path());
    let state = success(&selection);
    fs::write(folder.path().join("d/passing"), "").expect("written");
    fs::remove_file(folder.path().join("d/passing")).expect("removed");
    settle();
    let first = checked(&selection, state);
    assert!(first.unchanged);
    let state = first.state.expect("other stamps of folders");
    let second = checked(&selection, state);
    assert!(second.unchanged && second.state.is_none());
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize, u8),
    Remove(usize),
    Rename(usize, usize),
    Folder(usize),
    /// A folder of the same names in place of another.
    Swap(usize, usize),
}

const PLACES: [&str; 8] = ["a", "a/b", "a/b/x", "a/c", "d", "d/x", "new", "new/x"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let place = 0..PLACES.len();
    let step = prop_oneof![
        (place.clone(), 0..3_u8).prop_map(|(place, content)| Step::Write(place, content)),
        place.clone().prop_map(Step::Remove),
        (place.clone(), place.clone()).prop_map(|(from, to)| Step::Rename(from, to)),
        place.clone().prop_map(Step::Folder),
        (place.clone(), place).prop_map(|(one, other)| Step::Swap(one, other)),
    ];
    prop::collection::vec(step, 0..4)
}

/// Takes `step` as far as it can be taken.
fn take(root: &Path, step: &Step) {
    let at = |place: &usize| root.join(PLACES[*place]);
    let _ = match step {
        Step::Write(place, content) => fs::write(at(place), [*content]),
        Step::Remove(place) => fs::remove_dir_all(at(place)).or_else(|_| fs::remove_file(at(place))),
        Step::Rename(from, to) => fs::rename(at(from), at(to)),
        Step::Folder(place) => fs::create_dir(at(place)),
        Step::Swap(one, other) => fs::rename(at(one), root.join("aside"))
            .and_then(|()| fs::rename(at(other), at(one)))
            .and_then(|()| fs::rename(root.join("aside"), at(other))),
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_done_is_found_as_by_listing_every_folder(rounds in prop::collection::vec(steps(), 1..5)) {
        let folder = tree();
        let selection = everything(folder.path());
        let mut state = success(&selection);
        for steps in rounds {
            steps.iter().for_each(|step| take(folder.path(), step));
            let quick = checked(&selection, state.clone());
            let slow = checked(&selection, without_folders(&state));
            prop_assert_eq!(&quick.changes, &slow.changes);
            prop_assert_eq!((quick.unchanged, quick.files), (slow.unchanged, slow.files));
            if let Some(later) = quick.state {
                state = later;
                let _ = state.mark_success();
            }
        }
    }
}

#[test]
fn a_name_that_comes_while_folders_are_looked_at_is_found_then_or_the_next_time() {
    let folder = tree();
    let selection = everything(folder.path());
    let mut state = success(&selection);
    for round in 0..50 {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..20 {
                    let place = ["a", "a/b", "a/c", "d"][(round + number) % 4];
                    let path = folder.path().join(place).join(format!("{}", number % 7));
                    let _ = if number % 3 == 2 { fs::remove_file(path) } else { fs::write(path, "") };
                }
                done.store(true, Ordering::Release);
            });
            let mut last = false;
            while !last {
                last = done.load(Ordering::Acquire);
                if let Some(later) = checked(&selection, state.clone()).state {
                    state = later;
                    let _ = state.mark_success();
                }
            }
        });
        // Nothing has changed since the last check, and so nothing may be found that it has not seen.
        let slow = checked(&selection, without_folders(&state));
        assert_eq!(slow.changes, Changes::default(), "round {round}");
    }
}
