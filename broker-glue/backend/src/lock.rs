//! One daemon for one store: the lock, and the record of who holds it.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use larder_glue::private;
use larder_proto::LARDER_VERSION;
use running_process::broker::backend_handle::DaemonProcess;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// Version of the record's form. A holder whose record is of another version is of another build.
const FORMAT: u32 = 1;
const RECORD_LIMIT: u64 = 16 * 1024;

/// The lock file below the store's folder.
pub(crate) fn path(store: &Path) -> PathBuf {
    store.join("locks/larderd.lock")
}

/// The held lock. The kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct StoreLock {
    file: File,
}

/// Who holds the lock, as the holder has written it down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holder {
    format: u32,
    /// Its process id.
    pub(crate) pid: u32,
    /// Its larder version.
    pub(crate) version: String,
    /// Digest of its executable, hexadecimal.
    executable: String,
    /// Path of the socket on which it listens.
    pub(crate) endpoint: String,
}

impl Holder {
    /// How `daemon`, of this build, is written down.
    pub(crate) fn of(daemon: &DaemonProcess) -> Self {
        Self {
            format: FORMAT,
            pid: daemon.pid,
            version: LARDER_VERSION.to_owned(),
            executable: daemon.exe_hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            endpoint: daemon.ipc_endpoint.path.clone(),
        }
    }

    /// Whether both are the same executable content and version.
    pub(crate) fn is_same_build(&self, other: &Self) -> bool {
        (self.format, &self.version, &self.executable) == (other.format, &other.version, &other.executable)
    }

    /// The record in the lock file at `path`; `None` where none was written or it cannot be understood.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        Self::parse(&private::read_own(path, RECORD_LIMIT).ok()??)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|holder: &Self| holder.format == FORMAT)
    }
}

impl StoreLock {
    /// Takes the lock at `path`; `None` while another process holds it.
    ///
    /// # Errors
    /// When the file cannot be made or locked at all.
    pub(crate) fn try_take(path: &Path) -> anyhow::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            private::ensure_folder(folder)?;
        }
        let context = || format!("failed to lock {}", path.display());
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)
                .with_context(context)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error).with_context(context),
            }
            // A file that was removed meanwhile locks nothing: somebody else can make and lock a new one.
            let ours = file.metadata().with_context(context)?;
            if std::fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Some(Self { file }));
            }
        }
    }

    /// Writes down who holds the lock.
    ///
    /// # Errors
    /// When the disk is full, for example.
    pub(crate) fn record(&mut self, holder: &Holder) -> anyhow::Result<()> {
        let text = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holder() -> Holder {
        Holder {
            format: FORMAT,
            pid: 7,
            version: "0.1.0".to_owned(),
            executable: "ab".repeat(32),
            endpoint: "/run/s".to_owned(),
        }
    }

    #[test]
    fn one_holds_the_lock_and_the_next_reads_who() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = path(folder.path());
        let mut lock = StoreLock::try_take(&path).expect("lockable").expect("free");
        lock.record(&holder()).expect("written");
        assert!(StoreLock::try_take(&path).expect("lockable").is_none());
        assert_eq!(Holder::read(&path), Some(holder()));
        drop(lock);
        assert!(StoreLock::try_take(&path).expect("lockable").is_some());
    }

    #[test]
    fn the_record_keeps_its_form() {
        let golden = format!(
            "{{\"format\":1,\"pid\":7,\"version\":\"0.1.0\",\"executable\":\"{}\",\"endpoint\":\"/run/s\"}}",
            "ab".repeat(32)
        );
        assert_eq!(serde_json::to_string(&holder()).expect("text"), golden);
        assert_eq!(Holder::parse(golden.as_bytes()), Some(holder()));
        assert_eq!(Holder::parse(golden.replace("\"format\":1", "\"format\":2").as_bytes()), None);
    }

    #[test]
    fn another_executable_or_version_is_another_build() {
        let mut other = Holder { pid: 8, endpoint: "/run/t".to_owned(), ..holder() };
        assert!(other.is_same_build(&holder()));
        other.executable = "cd".repeat(32);
        assert!(!other.is_same_build(&holder()));
        assert!(!Holder { version: "0.2.0".to_owned(), ..holder() }.is_same_build(&holder()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Holder::parse(&bytes);
        }
    }
}
