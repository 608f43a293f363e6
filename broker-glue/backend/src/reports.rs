//! The daemon's reports, which the control lane and the page read.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use larder_glue::names;
use larder_proto::LARDER_VERSION;
use larder_proto::v1::{
    BuildActions, Builds, Comparison, Found, Health, LaneList, LaneStatus, Misses, Overview, SettingList,
    Stats, Status, StoreReport, StoreStatus,
};
use larder_service::{Board, Clock, Figures, Reports};
use running_process::broker::broker_http_discovery::read_http_port;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::sync::watch;

use crate::actions::Paused;
use crate::control::Counted;
use crate::history::Days;
use crate::lifecycle::Lifecycle;
use crate::services::Loaded;
use crate::stand_in;
use crate::traffic::AllTraffic;
use crate::views::{self, Looked, Surroundings};
use crate::warnings::Warnings;

/// Version of the JSON form of the reports.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// How many records are looked at where all are meant.
const ALL_RECORDS: usize = 1000;

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
    pub(crate) traffic: Arc<AllTraffic>,
    pub(crate) days: Arc<Days>,
    pub(crate) paused: Arc<Paused>,
    pub(crate) settings: SettingList,
    pub(crate) surroundings: Surroundings,
    pub(crate) looked: Looked,
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

    fn store_status(&self) -> StoreStatus {
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

impl Figures for DaemonReports {
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
            store: Some(self.store_status()),
            connections: u32::try_from(self.lifecycle.connections()).unwrap_or(u32::MAX),
            warnings: self.warnings.all(),
            broker: self.broker.clone(),
        }
    }
    fn stats(&self, records: usize) -> Stats {
        self.with_figures(self.board.stats(records))
    }
}

impl DaemonReports {
    /// With what the services hold at the moment.
    fn with_figures(&self, mut stats: Stats) -> Stats {
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

impl Counted for DaemonReports {
    fn begin_anew(&self, records: usize) -> Stats {
        self.with_figures(self.board.begin_anew(self.clock.unix_ms(), records))
    }
}

impl Reports for DaemonReports {
    fn overview(&self) -> Overview {
        let stats = self.board.stats(0);
        let (days, today) = self.days.read(&self.board.totals(), self.clock.unix_ms());
        views::overview(&stats, days, today, self.paused.is())
    }

    fn misses(&self, records: usize) -> Misses {
        views::misses(self.board.stats(ALL_RECORDS), records)
    }

    fn comparison(&self, record: u64) -> Option<Comparison> {
        let found = self.board.stats(ALL_RECORDS).records.into_iter().find(|known| known.id == record)?;
        Some(views::comparison(found, self.board.comparisons().of(record)))
    }

    fn builds(&self) -> Builds {
        views::builds(&self.board.stats(ALL_RECORDS), &self.board.sessions().all())
    }

    fn build(&self, id: &str) -> Option<BuildActions> {
        views::actions(id, self.board.stats(ALL_RECORDS), &self.board.sessions().all())
    }

    fn lanes(&self) -> LaneList {
        let stats = self.stats(0);
        let loaded = self.loaded.borrow().clone();
        let lanes = self.traffic.each().filter_map(|(lane, traffic)| {
            let name = stand_in::name_of(lane)?;
            let row = stats.services.iter().find(|row| row.service == name);
            let service =
                loaded.iter().flat_map(|loaded| &loaded.services).find(|service| service.lane() == lane);
            Some(LaneStatus {
                service: name.to_owned(),
                lane: lane.0,
                in_flight: traffic.in_flight(),
                requests: traffic.requests(),
                requests_last_minute: traffic.last_minute(self.clock.monotonic_ns()),
                p50_us: traffic.percentile(50),
                p95_us: traffic.percentile(95),
                p99_us: traffic.percentile(99),
                errors: row.map_or(0, |row| row.errors),
                leases: service.map_or(0, |service| service.leases()),
                figures: row.map(|row| row.figures.clone()).unwrap_or_default(),
            })
        });
        LaneList { schema_version: SCHEMA_VERSION, lanes: lanes.collect() }
    }

    fn store(&self) -> Option<StoreReport> {
        let loaded = self.loaded.borrow().clone()?;
        let (store, status, now) = (loaded.store.as_ref()?, self.store_status(), self.clock.unix_ms());
        let survey = self.looked.at(now, &status, || store.survey(now));
        let survey =
            survey.inspect_err(|error| tracing::warn!("failed to look at the store: {error:#}")).ok()?;
        Some(views::report(status, &survey))
    }

    fn find(&self, name: &str) -> Found {
        let loaded = self.loaded.borrow().clone();
        let store = loaded.as_ref().and_then(|loaded| loaded.store.as_ref());
        let found = store.map(|store| store.find(name));
        found
            .and_then(|found| {
                found.inspect_err(|error| tracing::warn!("failed to search the store: {error:#}")).ok()
            })
            .unwrap_or(Found { schema_version: SCHEMA_VERSION, ..Found::default() })
    }

    fn health(&self) -> Health {
        views::health(self.status(), &self.surroundings)
    }

    fn settings(&self) -> SettingList {
        self.settings.clone()
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
