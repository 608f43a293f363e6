//! Opening the files that a session writes. The daemon gets their descriptors, and so this user's rights and no others.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use anyhow::Context as _;
use larder_glue::journal::{BEGINNING, LINE_LIMIT};
use rustix::fs::{FlockOperation, flock};

/// What a journal's name ends in.
const SUFFIX: &str = "jsonl";

/// Opens a journal for appending, and cuts the line that a writer did not finish.
pub(in crate::commands) fn journal(path: &Path) -> anyhow::Result<File> {
    if path.extension().is_none_or(|suffix| suffix != SUFFIX) {
        anyhow::bail!(
            "failed to use {} as a journal: its name does not end in .{SUFFIX}\nhint: --journal build.{SUFFIX}",
            path.display()
        );
    }
    let file = appending(path)?;
    prepare(&file).with_context(|| format!("failed to use {} as a journal", path.display()))?;
    Ok(file)
}

/// Opens a log for appending.
pub(in crate::commands) fn log(path: &Path) -> anyhow::Result<File> {
    appending(path)
}

fn appending(path: &Path) -> anyhow::Result<File> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path);
    let file = file.with_context(|| format!("failed to open {}", path.display()))?;
    if !file.metadata()?.is_file() {
        anyhow::bail!("failed to write to {}: it is no regular file", path.display());
    }
    Ok(file)
}

/// While a session writes to a journal, its descriptor holds a shared lock: what is unfinished then is just being
/// written. The daemon's descriptor is the same open file, and so the lock ends with the session.
fn prepare(file: &File) -> anyhow::Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => cut(file)?,
        Err(rustix::io::Errno::WOULDBLOCK) => {}
        // A file system without locks.
        Err(_) => return cut(file),
    }
    flock(file, FlockOperation::NonBlockingLockShared).or_else(|error| match error {
        // Somebody else is just cutting.
        rustix::io::Errno::WOULDBLOCK => flock(file, FlockOperation::LockShared),
        error => Err(error),
    })?;
    Ok(())
}

/// Cuts a last line that has no end, if it is a journal's.
fn cut(mut file: &File) -> anyhow::Result<()> {
    let length = file.metadata()?.len();
    let from = length.saturating_sub(LINE_LIMIT as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.take(LINE_LIMIT as u64).read_to_end(&mut tail)?;
    let begin = match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => end + 1,
        None if from == 0 => 0,
        None => anyhow::bail!("its last line is longer than a journal's\nhint: another file"),
    };
    let torn = &tail[begin..];
    if torn.is_empty() {
        return Ok(());
    }
    let known = torn.len().min(BEGINNING.len());
    if torn[..known] != BEGINNING.as_bytes()[..known] {
        anyhow::bail!("it ends within a line that is no journal's\nhint: another file");
    }
    let end = from + begin as u64;
    file.set_len(end)
        .map_err(|error| io::Error::new(error.kind(), format!("failed to cut its last line: {error}")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(content: &str) -> (String, bool) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("j.jsonl");
        std::fs::write(&path, content).expect("our folder");
        let fits = journal(&path).is_ok();
        (std::fs::read_to_string(&path).expect("there"), fits)
    }

    #[test]
    fn an_unfinished_line_is_cut_and_nothing_else() {
        for (content, left) in [
            ("", ""),
            ("{\"v\":1}\n", "{\"v\":1}\n"),
            ("{\"v\":1}\n{\"v\":1,\"ti", "{\"v\":1}\n"),
            ("{\"v\":1}\n{", "{\"v\":1}\n"),
            ("{\"v\"", ""),
        ] {
            assert_eq!(opened(content), (left.to_owned(), true), "{content}");
        }
        for foreign in ["{\"name\": 1}", "a letter to somebody", "{\"v\":1}\nmore"] {
            assert_eq!(opened(foreign), (foreign.to_owned(), false));
        }
    }

    #[test]
    fn what_another_session_is_writing_is_not_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("j.jsonl");
        let first = journal(&path).expect("a new file");
        std::fs::write(&path, "{\"v\":1,\"ti").expect("our folder");
        let second = journal(&path).expect("it is in use");
        assert_eq!(path.metadata().expect("there").len(), 10);
        drop((first, second));
        journal(&path).expect("it is free");
        assert_eq!(path.metadata().expect("there").len(), 0);
    }

    #[test]
    fn only_regular_files_of_the_right_name_are_journals() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["j.json", "jsonl", ".jsonl"] {
            let error = journal(&folder.path().join(name)).expect_err(name);
            assert!(error.to_string().contains("hint: "), "{error}");
        }
        assert!(folder.path().read_dir().expect("ours").next().is_none(), "nothing was made");
        assert!(log(Path::new("/dev/null")).is_err());
    }
}
