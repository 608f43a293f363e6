//! The clock, and the times that files get. Larder tells by them whether a file may have changed unseen.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};

use super::Check;
use crate::folders::Folders;

const GROUP: &str = "clock";

/// A file's time may lag behind the clock by so much: some file systems stamp in twos of seconds.
const COARSE: Duration = Duration::from_secs(3);

/// Clocks are set by so much now and then.
const ADJUSTED: Duration = Duration::from_secs(60);

/// Files that larder writes all the time, below the folders of state and cache.
const LOG: &str = "larderd.log";
const INDEX: &str = "index/larder.redb";

pub(super) fn checks(folders: &Folders) -> Vec<Check> {
    let store = folders.store();
    let mut checks = Vec::new();
    if store.is_dir() {
        checks.push(files(&store));
    }
    let written = [folders.state.join(LOG), store.join(INDEX)];
    let latest = written.iter().filter_map(|path| path.metadata().ok()?.modified().ok()).max();
    checks.extend(latest.map(|latest| records(latest, SystemTime::now())));
    checks
}

/// Whether a new file in `folder` gets the time of the clock.
fn files(folder: &Path) -> Check {
    let before = SystemTime::now();
    match fresh(folder).and_then(|file| file.metadata()?.modified()) {
        Ok(stamped) => stamp(before, stamped, SystemTime::now()),
        Err(error) => {
            let found = format!("failed to look at the time of a new file in {}: {error}", folder.display());
            Check::note(GROUP, "files", found, "")
        }
    }
}

/// A new file in `folder` that has no name, or none any more.
fn fresh(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    if let Ok(file) = rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
        return Ok(file.into());
    }
    let path = folder.join(format!(".clock.{}", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

fn stamp(before: SystemTime, stamped: SystemTime, after: SystemTime) -> Check {
    const HINT: &str =
        "set XDG_CACHE_HOME to a folder on a disk of this machine, or the clocks of both to the same time";
    if let Ok(behind) = before.duration_since(stamped)
        && behind > COARSE
    {
        let found = format!("new files are stamped {} s before the clock", behind.as_secs());
        return Check::problem(GROUP, "files", found, HINT);
    }
    if let Ok(ahead) = stamped.duration_since(after)
        && ahead > COARSE
    {
        let found = format!("new files are stamped {} s after the clock", ahead.as_secs());
        return Check::problem(GROUP, "files", found, HINT);
    }
    Check::ok(GROUP, "files", "new files are stamped as the clock says")
}

/// Whether the clock is past `latest`, when larder last wrote.
fn records(latest: SystemTime, now: SystemTime) -> Check {
    match latest.duration_since(now) {
        Ok(ahead) if ahead > ADJUSTED => Check::note(
            GROUP,
            "records",
            format!("the clock is {} s before what larder wrote last", ahead.as_secs()),
            "set the clock: files that seem to be of the future are read again each time",
        ),
        _ => Check::ok(GROUP, "records", "the clock is past what larder wrote last"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::State;

    #[test]
    fn only_what_is_far_off_the_clock_matters() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let second = Duration::from_secs(1);
        for (stamped, state) in [
            (now, State::Ok),
            (now - 2 * second, State::Ok),
            (now - 5 * second, State::Problem),
            (now + 2 * second, State::Ok),
            (now + 100 * second, State::Problem),
        ] {
            assert_eq!(stamp(now, stamped, now + second / 10).state, state, "{stamped:?}");
        }
        assert_eq!(records(now, now + second).state, State::Ok);
        assert_eq!(records(now + 30 * second, now).state, State::Ok);
        assert_eq!(records(now + 90 * second, now).state, State::Note);
    }

    #[test]
    fn a_look_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(files(folder.path()).state, State::Ok);
        assert_eq!(folder.path().read_dir().expect("ours").count(), 0);
    }
}
