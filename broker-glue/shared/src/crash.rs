//! What a program that ended badly leaves for whoever wants to know.
//!
//! A panic leaves a report at once. A program that was killed, or that the kernel ended, leaves the mark that it made
//! when it began; the next one makes a report of that. A machine that stopped is no crash of a program's.

use std::backtrace::Backtrace;
use std::fs;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::{private, process};

/// Most reports that are kept; the oldest go first.
const KEPT: usize = 10;

/// Most bytes of one report.
const MAX_REPORT: usize = 64 << 10;

const FOLDER: &str = "crashes";
const RUNNING: &str = "running-";
const SUFFIX: &str = ".txt";

/// A report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its file.
    pub path: PathBuf,
    /// What it says, cut to [`MAX_REPORT`] bytes. Its first line says what happened.
    pub text: String,
}

/// The reports below the folder `state`, latest first.
#[must_use]
pub fn reports(state: &Path) -> Vec<Report> {
    let mut paths = files(state, |name| !name.starts_with(RUNNING) && name.ends_with(SUFFIX));
    paths.reverse();
    paths
        .into_iter()
        .filter_map(|path| {
            let bytes = private::read_own(&path, 2 * MAX_REPORT as u64).ok()??;
            let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_REPORT)]).into_owned();
            Some(Report { path, text })
        })
        .collect()
}

/// Leaves the mark that this process runs `program` of `version`, and makes reports of marks whose process is gone.
/// The mark goes when what is returned is dropped.
#[must_use]
pub fn begin(state: &Path, program: &str, version: &str) -> Mark {
    let boot = boot_id();
    for path in files(state, |name| name.starts_with(RUNNING)) {
        let text = private::read_own(&path, 1024).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut fields = text.trim_end().split('\t');
        let (pid, start) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let (its_boot, who) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let lives = pid.parse().ok().and_then(process::stat);
        if lives.is_some_and(|stat| stat.runs && stat.start.to_string() == start) {
            continue;
        }
        if its_boot == boot {
            leave(
                state,
                &format!("{who} (pid {pid}) ended without a word: it was killed, or the kernel ended it\n"),
            );
        }
        let _ = fs::remove_file(path);
    }
    let pid = std::process::id();
    let start = process::stat(pid).map_or(0, |stat| stat.start);
    let path = state.join(FOLDER).join(format!("{RUNNING}{pid}"));
    // Without it a later crash is not reported, and that is all.
    let _ = private::ensure_folder(&state.join(FOLDER)).and_then(|()| {
        private::write_atomically(&path, format!("{pid}\t{start}\t{boot}\t{program} {version}\n").as_bytes())
    });
    Mark(path)
}

/// Says that its process has not ended badly so far.
#[derive(Debug)]
pub struct Mark(PathBuf);

impl Drop for Mark {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Leaves a report of a panic of `program`.
pub(crate) fn panicked(state: &Path, program: &str, info: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let backtrace = Backtrace::force_capture();
    leave(state, &format!("{program} panicked in the thread {thread}: {info}\n\n{backtrace}\n"));
}

fn leave(state: &Path, text: &str) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let folder = state.join(FOLDER);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    // A clock that jumps only mixes up which is the oldest.
    let name = format!("{now:010}-{}-{}{SUFFIX}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let bytes = &text.as_bytes()[..text.len().min(MAX_REPORT)];
    if private::ensure_folder(&folder)
        .and_then(|()| private::write_atomically(&folder.join(name), bytes))
        .is_err()
    {
        return;
    }
    let reports = files(state, |name| !name.starts_with(RUNNING) && name.ends_with(SUFFIX));
    for old in reports.iter().take(reports.len().saturating_sub(KEPT)) {
        let _ = fs::remove_file(old);
    }
}

/// Files of the folder of reports whose names are `wanted`, in the order of their names.
fn files(state: &Path, wanted: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join(FOLDER)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(&wanted))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// Writes `text` to the new file `path`, which only this user can read.
///
/// # Errors
/// When it is there already, or cannot be written.
pub fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_reports_are_kept() {
        let state = tempfile::tempdir().expect("a folder");
        for number in 0..KEPT + 3 {
            leave(state.path(), &format!("{number} {}", "x".repeat(MAX_REPORT)));
        }
        let reports = reports(state.path());
        assert_eq!(reports.len(), KEPT);
        assert!(reports.iter().all(|report| report.text.len() == MAX_REPORT));
        assert!(!reports.iter().any(|report| report.text.starts_with("0 ")), "the oldest went");
    }

    #[test]
    fn a_process_that_is_gone_is_reported_and_one_that_ended_well_or_lives_is_not() {
        let state = tempfile::tempdir().expect("a folder");
        let mark = |pid: u32, start: u64, boot: &str| {
            let path = state.path().join(FOLDER).join(format!("{RUNNING}{pid}"));
            private::ensure_folder(&state.path().join(FOLDER)).expect("ours");
            fs::write(path, format!("{pid}\t{start}\t{boot}\tlarderd 0.1.0\n")).expect("ours");
        };
        drop(begin(state.path(), "larderd", "0.1.0"));
        assert_eq!(reports(state.path()), []);
        let own = std::process::id();
        mark(own, process::stat(own).expect("this one").start, &boot_id());
        mark(1, 0, "another run of the machine");
        drop(begin(state.path(), "larderd", "0.1.0"));
        assert_eq!(reports(state.path()), []);
        // Process 1 was not started at that time: it is another one of that number.
        mark(1, u64::MAX, &boot_id());
        let _own = begin(state.path(), "larderd", "0.1.0");
        let found = reports(state.path());
        assert_eq!(found.len(), 1);
        assert!(found[0].text.starts_with("larderd 0.1.0 (pid 1) ended"), "{}", found[0].text);
        assert_eq!(files(state.path(), |name| name.starts_with(RUNNING)).len(), 1);
    }
}
