//! The daemon's reports, which the control lane and the page read.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use larder_glue::names;
use larder_proto::LARDER_VERSION;
use larder_proto::v1::{Stats, Status, StoreStatus};
use larder_service::{Board, Clock, Reports};
use running_process::broker::broker_http_discovery::read_http_port;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::watch;

use crate::lifecycle::Lifecycle;
use crate::services::Loaded;
use crate::warnings::Warnings;

/// State before the services are loaded.
pub(crate) const STARTING: &str = "starting";
/// State while requests are served.
pub(crate) const READY: &str = "ready";
/// State between the wish to end and the end.
pub(crate) const DRAINING: &str = "draining";

/// Where the daemon's reports come from.
pub(crate) struct DaemonReports {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) loaded: watch::Receiver<Option<Arc<Loaded>>>,
    pub(crate) board: Arc<Board>,
    pub(crate) warnings: Arc<Warnings>,
    /// Port of the page, once it is bound.
    pub(crate) page: Arc<OnceLock<u16>>,
    pub(crate) endpoint: String,
    pub(crate) broker: String,
    pub(crate) store_folder: PathBuf,
    pub(crate) size_limit: u64,
    pub(crate) started_unix_ms: u64,
    pub(crate) started_ns: u64,
}

impl DaemonReports {
    fn state(&self) -> &'static str {
        if self.lifecycle.is_draining() {
            DRAINING
        } else if self.loaded.borrow().is_some() {
            READY
        } else {
            STARTING
        }
    }

    fn store(&self) -> StoreStatus {
        let mut status = self
            .loaded
            .borrow()
            .as_ref()
            .and_then(|loaded| loaded.store.as_ref().map(|store| store.status()))
            .unwrap_or_default();
        status.folder = self.store_folder.to_string_lossy().into_owned();
        status.limit_bytes = self.size_limit;
        status
    }
}

impl Reports for DaemonReports {
    fn status(&self) -> Status {
        let uptime_ns = self.clock.monotonic_ns().saturating_sub(self.started_ns);
        Status {
            pid: std::process::id(),
            version: LARDER_VERSION.to_owned(),
            endpoint: self.endpoint.clone(),
            page: self.page.get().map(|port| format!("http://127.0.0.1:{port}/")).unwrap_or_default(),
            broker_page: broker_page(&self.broker).unwrap_or_default(),
            started_unix_ms: self.started_unix_ms,
            uptime_ms: uptime_ns / 1_000_000,
            memory_bytes: resident_bytes(),
            state: self.state().to_owned(),
            store: Some(self.store()),
            connections: u32::try_from(self.lifecycle.connections()).unwrap_or(u32::MAX),
            warnings: self.warnings.all(),
            broker: self.broker.clone(),
        }
    }

    fn stats(&self, records: usize) -> Stats {
        let mut stats = self.board.stats(records);
        if let Some(loaded) = self.loaded.borrow().as_ref() {
            for service in &loaded.services {
                let row = stats.services.iter_mut().find(|row| row.service == service.name());
                if let Some(row) = row {
                    row.figures = service.figures();
                }
            }
        }
        stats
    }
}

/// Address of the page that the broker `program` publishes; `None` where it publishes none.
pub(crate) fn broker_page(program: &str) -> Option<String> {
    let (address, port) = read_http_port(&names::broker_runtime_dir(), program).ok()??;
    Some(format!("http://{}/", std::net::SocketAddr::new(address, port)))
}

fn resident_bytes() -> u64 {
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new();
    let kind = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
    system.process(pid).map_or(0, sysinfo::Process::memory)
}
