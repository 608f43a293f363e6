//! Watching a session while its build runs, on a thread of its own: a slow daemon must not keep signals from the build.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use larder_glue::wire::Wire;
use larder_proto::v1::SessionReport;

use super::super::session;
use super::progress::Progress;

/// How often the progress is shown anew.
const REFRESH: Duration = Duration::from_millis(250);

/// An open session that is shown while it is.
pub(super) struct Watch {
    session: String,
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<SessionReport>>,
}

impl Watch {
    /// Shows the session's progress where standard error is a terminal.
    pub(super) fn begin(wire: Wire, session: String) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let id = session.clone();
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            let mut wire = wire;
            let mut progress = Progress::begin();
            while stopped.recv_timeout(REFRESH) == Err(RecvTimeoutError::Timeout) {
                if let Some(shown) = &mut progress {
                    match session::stats(&mut wire, &id) {
                        Ok(report) => shown.show(&report),
                        // The daemon is gone, and the build goes on.
                        Err(_) => progress = None,
                    }
                }
            }
            drop(progress);
            session::end(&mut wire, &id)
        })?;
        Ok(Self { session, stop, thread })
    }

    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// Ends the session and takes the progress off the terminal.
    pub(super) fn end(self) -> anyhow::Result<SessionReport> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the watching thread ended")))
    }
}
