//! The journals and logs of sessions: files that clients opened, written on a thread of their own.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use larder_glue::journal::Line;
use larder_proto::v1::Record;
use larder_service::Journal;
use rustix::fs::{OFlags, fcntl_getfl};
use tokio::sync::oneshot;

/// Most records that wait for the disk, about 1 KB each. What comes beyond is lost, and counted.
const WAITING: usize = 65_536;

/// How long the end of a session, or of the daemon, waits for the disk.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// A descriptor that is no journal's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("its descriptor did not come along")]
    Missing,
    #[error("it is no regular file")]
    NoFile,
    #[error("it is not open for appending")]
    NotAppending,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The file behind `descriptor`, if lines can be appended to it.
pub(crate) fn fit(descriptor: Option<OwnedFd>) -> Result<File, Unfit> {
    let file = File::from(descriptor.ok_or(Unfit::Missing)?);
    if !file.metadata()?.is_file() {
        return Err(Unfit::NoFile);
    }
    let flags = fcntl_getfl(&file).map_err(io::Error::from)?;
    let writes = flags.intersects(OFlags::WRONLY | OFlags::RDWR) && !flags.contains(OFlags::PATH);
    if !writes || !flags.contains(OFlags::APPEND) {
        return Err(Unfit::NotAppending);
    }
    Ok(file)
}

/// The thread that writes, once there is anything to write.
#[derive(Debug, Default)]
pub(crate) struct Journals(Mutex<Option<SyncSender<Job>>>);

#[derive(Debug)]
enum Job {
    Write(Arc<Files>, Box<Record>),
    Tell(oneshot::Sender<()>),
}

impl Journals {
    /// Where the requests of a session are written to `journal` and to `log`.
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub(crate) fn open(&self, journal: Option<File>, log: Option<File>) -> io::Result<Arc<dyn Journal>> {
        let files = Files { journal: journal.map(Out::new), log: log.map(Out::new), lost: AtomicU64::new(0) };
        Ok(Arc::new(SessionJournal { files: Arc::new(files), queue: self.queue()? }))
    }

    fn queue(&self) -> io::Result<SyncSender<Job>> {
        let mut queue = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = &*queue {
            return Ok(queue.clone());
        }
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || work(&receiver))?;
        *queue = Some(sender.clone());
        Ok(sender)
    }

    /// Returns when what was handed over so far is in the files, or the disk is too slow.
    pub(crate) async fn written(&self) {
        let queue = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(queue) = queue else { return };
        let (tell, told) = oneshot::channel();
        let asked = tokio::task::spawn_blocking(move || queue.try_send(Job::Tell(tell)).is_ok());
        let wait = async { asked.await.unwrap_or(false) && told.await.is_ok() };
        if !tokio::time::timeout(LAST_WAIT, wait).await.unwrap_or(false) {
            tracing::warn!("a journal's disk is too slow: its last lines may be missing");
        }
    }
}

#[derive(Debug)]
struct SessionJournal {
    files: Arc<Files>,
    queue: SyncSender<Job>,
}

impl Journal for SessionJournal {
    fn write(&self, record: &Record) {
        let job = Job::Write(Arc::clone(&self.files), Box::new(record.clone()));
        if self.queue.try_send(job).is_err() {
            self.files.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lost(&self) -> u64 {
        self.files.lost.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
struct Files {
    journal: Option<Out>,
    log: Option<Out>,
    lost: AtomicU64,
}

fn work(jobs: &Receiver<Job>) {
    for job in jobs {
        match job {
            Job::Write(files, record) => files.write(&record),
            Job::Tell(tell) => drop(tell.send(())),
        }
    }
}

impl Files {
    fn write(&self, record: &Record) {
        let journal = self.journal.as_ref().map(|out| out.append(&Line::from(record).written()));
        let log = self.log.as_ref().map(|out| out.append(log_line(record).as_bytes()));
        for error in [journal, log].into_iter().flatten().filter_map(Result::err) {
            if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
                tracing::warn!("failed to write a session's journal or log: {error}");
            }
        }
    }
}

/// A file to which whole lines are appended.
#[derive(Debug)]
struct Out {
    file: File,
    /// It ends within a line.
    torn: AtomicBool,
}

impl Out {
    fn new(file: File) -> Self {
        Self { file, torn: AtomicBool::new(false) }
    }

    /// Appends a line by one write, so that nothing but a power cut leaves a part of it; a part that the disk had room
    /// for is taken back.
    fn append(&self, line: &[u8]) -> io::Result<()> {
        let mut ended = Vec::new();
        let mut line = line;
        if self.torn.swap(false, Ordering::Relaxed) {
            ended.push(b'\n');
            ended.extend_from_slice(line);
            line = &ended;
        }
        let written = loop {
            match (&self.file).write(line) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if written == line.len() {
            return Ok(());
        }
        self.torn.store(!self.take_back(written).unwrap_or(false), Ordering::Relaxed);
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Takes the last `count` bytes back, unless somebody else has appended since.
    fn take_back(&self, count: usize) -> io::Result<bool> {
        let end = (&self.file).stream_position()?;
        let is_last = self.file.metadata()?.len() == end;
        if is_last {
            self.file.set_len(end - count as u64)?;
        }
        Ok(is_last)
    }
}

/// A request as a line for people.
fn log_line(record: &Record) -> String {
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(record.at_unix_ms));
    let what = if record.unit.is_empty() { &record.source } else { &record.unit };
    let about = if record.detail.is_empty() { String::new() } else { format!(" ({})", record.detail) };
    let tool_ms = record.tool_us / 1000;
    let text = format!(
        "{time} {:<11} {} {what}: {}{about}, {} us of larder's, {tool_ms} ms of the tool's",
        record.outcome, record.tool, record.reason, record.overhead_us
    );
    // What a path may contain must not make a second line.
    text.chars().map(|char| if char.is_control() { '?' } else { char }).chain(['\n']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    fn appending(path: &std::path::Path) -> File {
        OpenOptions::new().append(true).create(true).open(path).expect("our folder")
    }

    #[test]
    fn only_a_regular_file_that_is_open_for_appending_is_fit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("j.jsonl");
        assert!(fit(Some(appending(&path).into())).is_ok());
        assert!(matches!(fit(None), Err(Unfit::Missing)));
        let plain = OpenOptions::new().write(true).open(&path).expect("it is there");
        assert!(matches!(fit(Some(plain.into())), Err(Unfit::NotAppending)));
        assert!(matches!(fit(Some(File::open(&path).expect("there").into())), Err(Unfit::NotAppending)));
        let device = OpenOptions::new().append(true).open("/dev/null").expect("it is there");
        assert!(matches!(fit(Some(device.into())), Err(Unfit::NoFile)));
    }

    #[test]
    fn a_part_of_a_line_is_taken_back_and_the_next_line_is_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("j.jsonl");
        let out = Out::new(appending(&path));
        out.append(b"one\n").expect("room");
        (&out.file).write_all(b"tw").expect("room");
        assert!(out.take_back(2).expect("our file"));
        (&out.file).write_all(b"tw").expect("room");
        appending(&path).write_all(b"other").expect("room");
        assert!(!out.take_back(2).expect("our file"), "somebody else has appended");
        out.torn.store(true, Ordering::Relaxed);
        out.append(b"three\n").expect("room");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "one\ntwother\nthree\n");
    }

    #[test]
    fn a_log_line_is_one_line() {
        let record = Record { source: "a\nb".into(), outcome: "miss".into(), ..Record::default() };
        assert_eq!(log_line(&record).matches('\n').count(), 1);
    }
}
