//! What was looked at when an answer was found right, as stamps: while each is what it was then the answer is right again,
//! and to know that takes one look at each, and nothing else.

use std::collections::{HashMap, HashSet};
use std::ffi::{CString, OsStr};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_fingerprint::{Kind, Presence, Stamp};
use larder_service::Key;

use crate::files;
use crate::manifest::Fact;

/// Most different sights remembered, and most that all proofs together are made of; beyond either everything is
/// forgotten. The first takes about 40 MB, the second 32 MB.
const MAX_SIGHTS: usize = 200_000;
const MAX_PARTS: usize = 4_000_000;

/// How long ago a folder was written to that is likely to be written to again.
const BUSY_NS: u64 = 10_000_000_000;

/// From how many looks on a second thread is worth its waking, and how many of them are shared out at once.
const MANY: usize = 256;
const SHARE: usize = 32;

/// Most names of such a folder that are looked for each by itself.
const MOST_NAMES: usize = 64;

/// What was seen at a path.
#[derive(PartialEq, Eq, Hash, Debug)]
struct Sight {
    path: CString,
    /// What a link leads to was looked at, and not the link.
    followed: bool,
    seen: Seen,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
enum Seen {
    /// Nothing, or a link that leads nowhere.
    Absent,
    /// A folder, whatever is in it.
    Folder,
    /// Something with this stamp.
    Stamped(Stamp),
}

impl Sight {
    fn is_as_then(&self) -> bool {
        Presence::at(&self.path, self.followed).is_ok_and(|now| match (self.seen, now) {
            (Seen::Absent, Presence::Absent)
            | (Seen::Folder, Presence::Present { kind: Kind::Folder, .. }) => true,
            (Seen::Stamped(then), Presence::Present { stamp, .. }) => then == stamp,
            _ => false,
        })
    }
}

/// Everything that was seen, none of it young enough to change again unnoticed.
#[derive(Clone, Debug)]
pub(crate) struct Proof(Arc<[Arc<Sight>]>);

impl Proof {
    /// Everything is as it was.
    pub(crate) fn holds(&self) -> bool {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if self.0.len() >= MANY => {
                let shared = Arc::new(Shared::new(self.clone()));
                let helper = Arc::clone(&shared);
                runtime.spawn_blocking(move || helper.take_part());
                shared.take_part();
                shared.all_hold()
            }
            _ => self.0.iter().all(|sight| sight.is_as_then()),
        }
    }
}

/// Many looks, which two threads may share. Neither waits for the other: on a busy machine the second may come late, or
/// stop in the middle.
struct Shared {
    proof: Proof,
    /// The next share that nobody has taken.
    next: AtomicUsize,
    /// For each share whether all of it was found as it was.
    held: Vec<AtomicBool>,
    /// Something was not.
    broken: AtomicBool,
}

impl Shared {
    fn new(proof: Proof) -> Self {
        let held = proof.0.chunks(SHARE).map(|_| AtomicBool::new(false)).collect();
        Self { proof, next: AtomicUsize::new(0), held, broken: AtomicBool::new(false) }
    }

    /// Looks at shares that nobody has taken until there are none.
    fn take_part(&self) {
        while !self.broken.load(Ordering::Relaxed) {
            let share = self.next.fetch_add(1, Ordering::Relaxed);
            if share >= self.held.len() {
                return;
            }
            self.look(share);
        }
    }

    fn look(&self, share: usize) -> bool {
        let from = share * SHARE;
        let sights = &self.proof.0[from..self.proof.0.len().min(from + SHARE)];
        let holds = sights.iter().all(|sight| sight.is_as_then());
        let flag = if holds { &self.held[share] } else { &self.broken };
        flag.store(true, Ordering::Release);
        holds
    }

    /// Whether all shares held; looks itself at those that the other took and has not done.
    fn all_hold(&self) -> bool {
        (0..self.held.len()).all(|share| {
            !self.broken.load(Ordering::Acquire)
                && (self.held[share].load(Ordering::Acquire) || self.look(share))
        })
    }
}

/// Collects what is seen.
pub(crate) struct Trail {
    /// Clock of files before anything was looked at.
    began: u64,
    sights: Vec<Sight>,
    lasting: bool,
    /// From when on, by the same clock, fewer looks will tell the same.
    fewer_from: Option<u64>,
}

impl Trail {
    /// Nothing was looked at before `began`, of the clock of files.
    pub(crate) fn begin(began: u64) -> Self {
        Self { began, sights: Vec::new(), lasting: true, fewer_from: None }
    }

    /// `path` leads to something stamped with `stamp`.
    pub(crate) fn saw(&mut self, path: &Path, stamp: Stamp) {
        self.add(path, true, Seen::Stamped(stamp));
    }

    /// `path` leads to a folder, and what is in it is told by other looks.
    pub(crate) fn saw_folder(&mut self, path: &Path) {
        self.add(path, true, Seen::Folder);
    }

    /// `path` leads nowhere.
    pub(crate) fn saw_nothing(&mut self, path: &Path) {
        self.add(path, true, Seen::Absent);
    }

    /// There is no entry `path`.
    pub(crate) fn saw_no_entry(&mut self, path: &Path) {
        self.add(path, false, Seen::Absent);
    }

    /// The folder `path`, stamped with `stamp`, has no entry of any of the `names`.
    pub(crate) fn saw_none_of(&mut self, path: &Path, stamp: Stamp, names: &[&[u8]]) {
        // What was written to a moment ago may well be again, though none of these appears: then each is looked for.
        if files::young(&stamp, self.began.saturating_sub(BUSY_NS)) && names.len() <= MOST_NAMES {
            // At the next moment the same look finds it quiet.
            let quiet = stamp.young_until().unwrap_or(u64::MAX).saturating_add(BUSY_NS + 1);
            self.fewer_from = self.fewer_from.max(Some(quiet));
            self.saw_folder(path);
            for name in names {
                self.saw_no_entry(&path.join(OsStr::from_bytes(name)));
            }
        } else {
            self.saw(path, stamp);
        }
    }

    /// The link `path` is to be what it is at this moment.
    pub(crate) fn look_at_link(&mut self, path: &Path) {
        match c_string(path).map(|path| Presence::at(&path, false)) {
            Some(Ok(Presence::Present { stamp, .. })) => self.add(path, false, Seen::Stamped(stamp)),
            _ => self.lasting = false,
        }
    }

    /// There is no entry `path`. That the folder nearest to it which exists has no entry on the way there says so for
    /// every path that leads through that entry, so that one look does for all of them.
    pub(crate) fn saw_nothing_on_the_way_to(&mut self, path: &Path) {
        let spelled = path.as_os_str().as_bytes();
        for slash in (0..spelled.len()).rev().filter(|at| spelled[*at] == b'/') {
            let folder = Path::new(OsStr::from_bytes(&spelled[..slash.max(1)]));
            let Some(Ok(Presence::Present { stamp, .. })) =
                c_string(folder).map(|path| Presence::at(&path, true))
            else {
                continue;
            };
            let name = spelled[slash + 1..].split(|byte| *byte == b'/').next().unwrap_or_default();
            // A link that leads nowhere is an entry, and may lead somewhere one day.
            let entry = folder.join(OsStr::from_bytes(name)).symlink_metadata();
            if !name.is_empty() && entry.is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                return self.saw_none_of(folder, stamp, &[name]);
            }
            break;
        }
        self.saw_no_entry(path);
    }

    /// What was seen cannot be told by stamps.
    pub(crate) fn spoil(&mut self) {
        self.lasting = false;
    }

    fn add(&mut self, path: &Path, followed: bool, seen: Seen) {
        let Some(path) = c_string(path) else { return self.spoil() };
        if let Seen::Stamped(stamp) = seen {
            self.lasting &= !files::young(&stamp, self.began);
        }
        if self.lasting {
            self.sights.push(Sight { path, followed, seen });
        }
    }

    /// The proof, if there is one; nothing is in it twice.
    pub(crate) fn finish(self) -> Option<Proof> {
        let sights = self.distinct()?;
        Some(Proof(sights.into_iter().map(Arc::new).collect()))
    }

    fn distinct(mut self) -> Option<Vec<Sight>> {
        if !self.lasting {
            return None;
        }
        self.sights
            .sort_unstable_by(|a, b| (&a.path, a.followed, a.seen).cmp(&(&b.path, b.followed, b.seen)));
        self.sights.dedup();
        Some(self.sights)
    }
}

fn c_string(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_bytes()).ok()
}

/// What is known of the input set that held last for one call.
#[derive(Clone)]
pub(crate) struct Proven {
    /// The action that it leads to. Its key is of the whole set: no other set has it.
    pub(crate) action: Key,
    /// What else must hold.
    pub(crate) facts: Arc<[Fact]>,
    /// Of what was there.
    pub(crate) inputs: Proof,
    /// Of what was not. `None` where no stamp tells: a folder that was written to a moment ago.
    pub(crate) absences: Option<Proof>,
    /// From when on, by the clock of files, fewer looks would tell what was not there.
    fewer_from: Option<u64>,
}

/// The input sets that held last, by call.
#[derive(Default)]
pub(crate) struct Proofs(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Many calls see the same headers: each is kept once.
    sights: HashSet<Arc<Sight>, foldhash::fast::RandomState>,
    proven: HashMap<Key, Proven>,
    parts: usize,
}

impl Proofs {
    /// What held last for `call`.
    pub(crate) fn of(&self, call: &Key) -> Option<Proven> {
        self.lock().proven.get(call).cloned()
    }

    /// `action` was the result of `call`, as the two trails show; nothing is remembered where the first does not last.
    pub(crate) fn remember(&self, call: Key, action: Key, facts: &[Fact], inputs: Trail, absences: Trail) {
        let fewer_from = absences.fewer_from;
        let (inputs, absences) = (inputs.distinct(), absences.distinct());
        let mut known = self.lock();
        let Some(inputs) = inputs.map(|sights| known.intern(sights)) else { return };
        let absences = absences.map(|sights| known.intern(sights));
        known.put(call, Proven { action, facts: facts.into(), inputs, absences, fewer_from });
    }

    /// The same for what was not there alone.
    pub(crate) fn remember_absences(&self, call: Key, proven: Proven, absences: Trail) {
        let fewer_from = absences.fewer_from;
        let Some(sights) = absences.distinct() else { return };
        let mut known = self.lock();
        let absences = Some(known.intern(sights));
        known.put(call, Proven { absences, fewer_from, ..proven });
    }

    /// As if nothing had ever held.
    pub(crate) fn forget(&self) {
        *self.lock() = Known::default();
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        // A panic within leaves at worst counts that are too high.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn intern(&mut self, sights: Vec<Sight>) -> Proof {
        let kept = sights.into_iter().map(|sight| {
            if let Some(kept) = self.sights.get(&sight) {
                return Arc::clone(kept);
            }
            let sight = Arc::new(sight);
            self.sights.insert(Arc::clone(&sight));
            sight
        });
        Proof(kept.collect())
    }

    fn put(&mut self, call: Key, proven: Proven) {
        if self.sights.len() > MAX_SIGHTS || self.parts > MAX_PARTS {
            *self = Self::default();
        }
        self.parts += proven.parts();
        if let Some(before) = self.proven.insert(call, proven) {
            self.parts -= before.parts();
        }
    }
}

impl Proven {
    /// What was not there still is not, at `now` of the clock of files; no also where there is a shorter way to know.
    pub(crate) fn lacks_the_same(&self, now: u64) -> bool {
        self.fewer_from.is_none_or(|from| now < from) && self.absences.as_ref().is_some_and(Proof::holds)
    }

    fn parts(&self) -> usize {
        // One for the call itself.
        1 + self.inputs.0.len() + self.absences.as_ref().map_or(0, |proof| proof.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    /// A time of which everything that the tests make is long past.
    const LATER: u64 = u64::MAX / 2;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            fs::create_dir_all(self.at(name).parent().expect("one")).expect("made");
            fs::write(self.at(name), text).expect("written");
        }

        fn stamp(&self, name: &str) -> Stamp {
            Stamp::of(&self.at(name).metadata().expect("there"))
        }
    }

    fn proof(look: impl FnOnce(&mut Trail)) -> Option<Proof> {
        let mut trail = Trail::begin(LATER);
        look(&mut trail);
        trail.finish()
    }

    #[test]
    fn it_holds_until_what_was_seen_is_otherwise() {
        let place = Place::new();
        place.write("a.h", "one");
        symlink("a.h", place.at("link")).expect("linked");
        let all = |trail: &mut Trail| {
            trail.saw(&place.at("a.h"), place.stamp("a.h"));
            trail.look_at_link(&place.at("link"));
            trail.saw_nothing(&place.at("b.h"));
        };
        let before = proof(all).expect("it lasts");
        assert!(before.holds());
        place.write("b.h", "");
        assert!(!before.holds(), "what was absent is there");
        fs::remove_file(place.at("b.h")).expect("removed");
        assert!(before.holds());
        fs::remove_file(place.at("link")).expect("removed");
        symlink("elsewhere", place.at("link")).expect("linked");
        assert!(!before.holds(), "the link leads elsewhere");
        let before = proof(all).expect("it lasts");
        place.write("a.h", "longer");
        assert!(!before.holds(), "the file holds something else");
    }

    #[test]
    fn nothing_is_proven_by_what_was_changed_just_now() {
        let place = Place::new();
        place.write("a.h", "one");
        let stamp = place.stamp("a.h");
        let mut trail = Trail::begin(u64::try_from(stamp.ctime_ns).expect("after 1970"));
        trail.saw(&place.at("a.h"), stamp);
        assert!(trail.finish().is_none());
    }

    #[test]
    fn one_look_at_the_nearest_folder_tells_of_all_that_it_lacks() {
        let place = Place::new();
        place.write("lib/x", "");
        let proof = proof(|trail| {
            trail.saw_nothing_on_the_way_to(&place.at("lib/12/../specs"));
            trail.saw_nothing_on_the_way_to(&place.at("lib/12/include"));
            trail.saw_nothing_on_the_way_to(&place.at("lib/13/include"));
        })
        .expect("it lasts");
        assert_eq!(proof.0.len(), 1, "{proof:?}");
        assert!(proof.holds());
        let before = place.stamp("lib");
        while place.stamp("lib") == before {
            place.write("lib/13/include/a.h", "");
            fs::remove_dir_all(place.at("lib/13")).expect("removed");
        }
        assert!(!proof.holds());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_looked_at_itself() {
        let place = Place::new();
        place.write("lib/x", "");
        symlink("../later", place.at("lib/12")).expect("linked");
        let proof =
            proof(|trail| trail.saw_nothing_on_the_way_to(&place.at("lib/12/specs"))).expect("it lasts");
        assert!(proof.holds());
        place.write("later/specs", "");
        assert!(!proof.holds());
    }

    #[test]
    fn names_in_a_busy_folder_are_looked_for_one_by_one() {
        let place = Place::new();
        place.write("src/a.c", "");
        let stamp = place.stamp("src");
        let now = u64::try_from(stamp.ctime_ns).expect("after 1970");
        let proof = |began| {
            let mut trail = Trail::begin(began);
            trail.saw_none_of(&place.at("src"), stamp, &[b"a.h", b"b.h"]);
            trail.finish()
        };
        let (busy, quiet) = (proof(now + 1).expect("it lasts"), proof(LATER).expect("it lasts"));
        // Where the clock of files goes in steps, one change may not show.
        while place.stamp("src") == stamp {
            place.write("src/a.o", "");
            fs::remove_file(place.at("src/a.o")).expect("removed");
        }
        assert!(busy.holds(), "none of the names appeared");
        assert!(!quiet.holds(), "the folder's stamp is all that is known");
        place.write("src/b.h", "");
        assert!(!busy.holds());
        fs::remove_dir_all(place.at("src")).expect("removed");
        fs::write(place.at("src"), "").expect("written");
        assert!(!busy.holds(), "a file lacks all names, and is no folder");
    }

    #[test]
    fn once_a_busy_folder_is_quiet_its_names_are_looked_for_together() {
        let place = Place::new();
        place.write("src/a.c", "");
        let (stamp, key) = (place.stamp("src"), Key([1; 32]));
        let written = stamp.young_until().expect("after 1970");
        let quiet = written + BUSY_NS + 1;
        let lacking = |began| {
            let mut trail = Trail::begin(began);
            trail.saw_none_of(&place.at("src"), stamp, &[b"a.h", b"b.h"]);
            trail
        };
        let proofs = Proofs::default();
        proofs.remember(key, key, &[], Trail::begin(LATER), lacking(written + 1));
        let proven = proofs.of(&key).expect("remembered");
        assert!(proven.lacks_the_same(quiet - 1) && !proven.lacks_the_same(quiet));
        proofs.remember_absences(key, proven, lacking(quiet));
        let proven = proofs.of(&key).expect("remembered");
        assert!(proven.lacks_the_same(quiet) && proven.lacks_the_same(LATER));
        assert_eq!(proven.absences.map(|proof| proof.0.len()), Some(1));
    }

    #[test]
    fn many_looks_are_shared_and_each_of_them_counts() {
        let place = Place::new();
        let count = 3 * MANY;
        for number in 0..count {
            place.write(&format!("{number}.h"), "one");
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("it runs");
        for number in [0, SHARE - 1, SHARE, count / 2, count - 1] {
            let proof = proof(|trail| {
                for number in 0..count {
                    let name = format!("{number}.h");
                    trail.saw(&place.at(&name), place.stamp(&name));
                }
            })
            .expect("it lasts");
            let holds = || runtime.block_on(async { proof.holds() });
            assert!((0..20).all(|_| holds()));
            let (there, away) = (place.at(&format!("{number}.h")), place.at("away"));
            fs::rename(&there, &away).expect("renamed");
            assert!((0..20).all(|_| !holds()), "{number} is gone");
            fs::rename(&away, &there).expect("renamed");
        }
    }

    #[test]
    fn a_share_that_the_other_thread_has_not_done_is_looked_at_here() {
        let place = Place::new();
        place.write("a.h", "one");
        let seen = |trail: &mut Trail| {
            for _ in 0..2 {
                trail.saw(&place.at("a.h"), place.stamp("a.h"));
            }
            trail.saw_nothing(&place.at("b.h"));
        };
        let proof = proof(seen).expect("it lasts");
        let shared = Shared::new(proof);
        // Taken by one that never comes to it.
        shared.next.fetch_add(1, Ordering::Relaxed);
        shared.take_part();
        assert!(shared.all_hold());
        place.write("b.h", "");
        let shared = Shared::new(shared.proof.clone());
        shared.next.fetch_add(1, Ordering::Relaxed);
        assert!(!shared.all_hold());
    }

    #[test]
    fn calls_that_see_the_same_share_what_is_remembered() {
        let place = Place::new();
        place.write("a.h", "one");
        let key = |number: u8| Key([number; 32]);
        let seen = || {
            let mut trail = Trail::begin(LATER);
            trail.saw(&place.at("a.h"), place.stamp("a.h"));
            trail
        };
        let proofs = Proofs::default();
        for call in 1..4 {
            proofs.remember(key(call), key(9), &[], seen(), Trail::begin(LATER));
        }
        proofs.remember(key(1), key(8), &[], seen(), Trail::begin(LATER));
        {
            let known = proofs.lock();
            assert_eq!((known.sights.len(), known.proven.len(), known.parts), (1, 3, 6));
        }
        assert_eq!(proofs.of(&key(1)).map(|proven| proven.action), Some(key(8)), "the latest");
        assert!(proofs.of(&key(7)).is_none());
        let mut spoilt = seen();
        spoilt.spoil();
        proofs.remember(key(7), key(9), &[], spoilt, Trail::begin(LATER));
        assert!(proofs.of(&key(7)).is_none(), "no stamp tells of it");
    }
}
