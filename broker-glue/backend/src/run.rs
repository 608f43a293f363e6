//! From launch to exit.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context as _;
use larder_glue::folders::Folders;
use larder_glue::{crash, logging, names};
use larder_proto::lane;
use larder_service::{Board, Clock, Context, SystemClock};
use running_process::broker::backend_handle::DaemonProcess;
use running_process::broker::backend_sdk::{BackendEndpointMux, LegacyClassification};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actions::{Doing, Paused};
use crate::connection::Endpoint;
use crate::control::{Control, Counted};
use crate::history::Days;
use crate::journal::Journals;
use crate::lanes::Lanes;
use crate::launch::{Launch, LaunchError};
use crate::lifecycle::{DRAIN_LIMIT, Lifecycle};
use crate::lock::{self, Holder};
use crate::manifests::Manifests;
use crate::reports::DaemonReports;
use crate::services::{self, Loaded};
use crate::settings::{self, Settings};
use crate::takeover::{self, AlreadyRunning, Claim};
use crate::traffic::AllTraffic;
use crate::upkeep::Upkeep;
use crate::views::{Looked, Surroundings};
use crate::warnings::Warnings;
use crate::{identity, listener, page, reexec, registration, serve, stand_in};

/// The daemon's log, in the state folder.
const LOG: &str = "larderd.log";

/// Threads that serve connections. What computes or reads files for long runs on others.
const WORKERS: usize = 2;

/// How long work that cannot be interrupted may hold up the exit.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs the daemon to its end, or says its version; the exit code is 0 after a drain, 2 when a person started the
/// program, 3 when a daemon of this build runs already, 4 when another version or service was asked for, and 1 for all
/// else.
pub(crate) fn run() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|asked| asked == "--version") {
        let said = std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("larderd {}\n", larder_proto::LARDER_VERSION),
        );
        return if said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let launch = match Launch::from_env() {
        Ok(launch) => launch,
        Err(error) => return exit(&error.into()),
    };
    let ended = start(&launch);
    let _ = std::fs::remove_file(&launch.endpoint.path);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            exit(&error)
        }
    }
}

fn exit(error: &anyhow::Error) -> ExitCode {
    // Under a broker there is nobody to read this; by hand there is.
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("larderd: {error:#}\n"));
    if error.is::<AlreadyRunning>() {
        return ExitCode::from(3);
    }
    match error.downcast_ref() {
        Some(LaunchError::ByHand { .. }) => ExitCode::from(2),
        Some(LaunchError::OtherService { .. } | LaunchError::OtherVersion { .. }) => ExitCode::from(4),
        None => ExitCode::FAILURE,
    }
}

fn start(launch: &Launch) -> anyhow::Result<()> {
    let environment = reexec::complete_environment();
    let listener = listener::acquire(Path::new(&launch.endpoint.path))?;
    let mut folders = Folders::from_env()?;
    let newer = folders.pass_by_newer();
    let warnings = Arc::new(Warnings::default());
    // Nothing is said before it is known how.
    let (settings, complaints) = settings::load(&folders.settings_file(), |name| std::env::var(name).ok());
    let logging = logging::start(&folders.state, LOG, settings.log_format);
    tracing::info!(
        pid = std::process::id(),
        version = larder_proto::LARDER_VERSION,
        endpoint = launch.endpoint.path,
        "launched"
    );
    // Gone with a daemon that ends as it should, whether it did its work or not.
    let _mark = crash::begin(&folders.state, "larderd", larder_proto::LARDER_VERSION);
    warnings.note("environment", environment);
    match logging {
        Ok(Ok(())) => {}
        Ok(Err(complaint)) => warnings.add("log", complaint),
        Err(error) => warnings.add("log", format!("nothing is logged: {:#}", anyhow::Error::from(error))),
    }
    if let Some(newer) = newer {
        warnings.add("format", format!("{newer}, and {} is used", folders.store().display()));
    }
    launch.judge()?;
    for complaint in complaints {
        warnings.add("settings", complaint);
    }
    raise_descriptor_limit();

    let daemon = identity::own(&launch.endpoint, settings.idle)?;
    let own = Holder::of(&daemon);
    let claim = takeover::claim(&lock::path(&folders.store()), &own)?;

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .thread_name("larderd")
        .enable_all()
        .build()
        .context("failed to start the daemon's threads")?;
    let life = Life::new(launch, folders, settings, daemon, warnings);
    let ended = runtime.block_on(life.live(listener, claim, own));
    end(runtime);
    ended
}

/// Ends what is left: a call that computes or a disk that hangs must not keep the process.
fn end(runtime: Runtime) {
    runtime.shutdown_timeout(LAST_WAIT);
    tracing::info!("gone");
}

/// One connection is one descriptor, and the usual limit is as low as the number of connections.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    const WANTED: u64 = 8192;
    let limit = getrlimit(Resource::Nofile);
    let current = match (limit.current, limit.maximum) {
        (None, _) => return,
        (Some(current), _) if current >= WANTED => return,
        (Some(_), maximum) => maximum.unwrap_or(WANTED).min(WANTED),
    };
    let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
}

/// What one life of the daemon consists of.
struct Life {
    folders: Folders,
    settings: Settings,
    daemon: DaemonProcess,
    instance: String,
    broker: String,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    journals: Arc<Journals>,
    lifecycle: Arc<Lifecycle>,
    warnings: Arc<Warnings>,
    loaded: watch::Sender<Option<Arc<Loaded>>>,
    page: Arc<OnceLock<u16>>,
    traffic: Arc<AllTraffic>,
    paused: Arc<Paused>,
    days: Arc<Days>,
}

impl Life {
    fn new(
        launch: &Launch,
        folders: Folders,
        settings: Settings,
        daemon: DaemonProcess,
        warnings: Arc<Warnings>,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (days, complaint) = Days::open(&folders);
        if let Some(complaint) = complaint {
            warnings.add("days", complaint);
        }
        Self {
            traffic: Arc::new(AllTraffic::new()),
            paused: Arc::default(),
            days: Arc::new(days),
            folders,
            settings,
            daemon,
            instance: launch.instance.clone(),
            broker: names::broker_program(),
            board: Arc::new(Board::new(clock.unix_ms(), &stand_in::names())),
            journals: Arc::default(),
            lifecycle: Lifecycle::new(Arc::clone(&clock)),
            clock,
            warnings,
            loaded: watch::Sender::new(None),
            page: Arc::new(OnceLock::new()),
        }
    }

    /// Serves until somebody wants the daemon to end, then drains.
    async fn live(
        self,
        listener: std::os::unix::net::UnixListener,
        claim: Claim,
        own: Holder,
    ) -> anyhow::Result<()> {
        self.heed_signals()?;
        let reports = Arc::new(self.reports());
        let accepting =
            tokio::spawn(serve::serve(UnixListener::from_std(listener)?, self.endpoint(&reports)));
        self.announce();
        let manifests =
            Arc::new(Manifests::new(self.folders.cache.clone(), self.instance.clone(), self.daemon.clone())?);
        let page = tokio::spawn(page::serve(page::Page {
            reports,
            actions: Arc::new(Doing {
                lifecycle: Arc::clone(&self.lifecycle),
                loaded: self.loaded.subscribe(),
                paused: Arc::clone(&self.paused),
            }),
            last_port: self.folders.runtime.join("page-port"),
            lifecycle: Arc::clone(&self.lifecycle),
            warnings: Arc::clone(&self.warnings),
            broker: self.broker.clone(),
            port: Arc::clone(&self.page),
        }));
        let upkeep = tokio::spawn(
            Upkeep {
                loaded: self.loaded.subscribe(),
                lifecycle: Arc::clone(&self.lifecycle),
                manifests: Arc::clone(&manifests),
                warnings: Arc::clone(&self.warnings),
                idle: self.settings.idle,
                board: Arc::clone(&self.board),
                clock: Arc::clone(&self.clock),
                days: Arc::clone(&self.days),
            }
            .keep(),
        );
        let loaded = tokio::select! {
            loaded = self.load(claim, own, &manifests) => loaded,
            _ = self.lifecycle.drain_asked() => Ok(()),
        };
        if loaded.is_err() {
            self.lifecycle.drain(Duration::ZERO);
        }
        let limit = self.lifecycle.drain_asked().await;
        self.drain(limit, accepting, manifests).await;
        upkeep.abort();
        page.abort();
        loaded
    }

    fn heed_signals(&self) -> anyhow::Result<()> {
        for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
            let mut signals = signal(kind).context("failed to listen for signals")?;
            let lifecycle = Arc::clone(&self.lifecycle);
            tokio::spawn(async move {
                if signals.recv().await.is_some() {
                    tracing::info!(signal = kind.as_raw_value(), "told to end");
                    lifecycle.drain(DRAIN_LIMIT);
                }
            });
        }
        Ok(())
    }

    fn reports(&self) -> DaemonReports {
        DaemonReports {
            clock: Arc::clone(&self.clock),
            lifecycle: Arc::clone(&self.lifecycle),
            loaded: self.loaded.subscribe(),
            board: Arc::clone(&self.board),
            warnings: Arc::clone(&self.warnings),
            page: Arc::clone(&self.page),
            endpoint: self.daemon.ipc_endpoint.path.clone(),
            broker: self.broker.clone(),
            store_folder: self.folders.store(),
            size_limit: self.settings.size_limit,
            started_unix_ms: self.clock.unix_ms(),
            started_ns: self.clock.monotonic_ns(),
            traffic: Arc::clone(&self.traffic),
            days: Arc::clone(&self.days),
            paused: Arc::clone(&self.paused),
            settings: self.settings.list(&self.folders.settings_file()),
            surroundings: Surroundings { folders: self.folders.clone(), log: self.folders.state.join(LOG) },
            looked: Looked::default(),
        }
    }

    fn endpoint(&self, reports: &Arc<DaemonReports>) -> Arc<Endpoint> {
        let figures: Arc<dyn Counted> = Arc::<DaemonReports>::clone(reports);
        let lanes = Lanes {
            control: Control::new(figures, Arc::clone(&self.lifecycle)),
            reports: Arc::<DaemonReports>::clone(reports),
            loaded: self.loaded.subscribe(),
            lifecycle: Arc::clone(&self.lifecycle),
            board: Arc::clone(&self.board),
            clock: Arc::clone(&self.clock),
            journals: Arc::clone(&self.journals),
            traffic: Arc::clone(&self.traffic),
            paused: Arc::clone(&self.paused),
        };
        let none: fn(&[u8]) -> LegacyClassification = |_| LegacyClassification::NotLegacy;
        let mux = BackendEndpointMux::new(self.daemon.clone(), &lane::SERVED.map(|lane| lane.0), none);
        Endpoint::new(mux, lanes, Arc::clone(&self.lifecycle))
    }

    /// Publishes identity and definition. A failure is a warning: the clients that come here need neither.
    fn announce(&self) {
        let (daemon, warnings) = (self.daemon.clone(), Arc::clone(&self.warnings));
        tokio::task::spawn_blocking(move || {
            warnings.note("identity", identity::publish(&daemon));
            warnings.note("definition", registration::register());
        });
    }

    /// Gets the store, says so in the manifests, and loads the services over it.
    async fn load(&self, claim: Claim, own: Holder, manifests: &Arc<Manifests>) -> anyhow::Result<()> {
        let available = match claim {
            Claim::Taken(lock) => Ok(lock),
            Claim::Held(holder) => Ok(takeover::wait(lock::path(&self.folders.store()), holder, own).await?),
            Claim::Unavailable(error) => Err(error),
        };
        // Given back by the kernel when the process is gone, and not before: until then some thread may still have
        // the index open.
        let available = available.map(std::mem::forget);
        let (publishing, warnings) = (Arc::clone(manifests), Arc::clone(&self.warnings));
        tokio::task::spawn_blocking(move || warnings.note("manifests", publishing.publish()));
        let (folders, settings, context) = (self.folders.clone(), self.settings.clone(), self.context());
        let stand_in = services::stand_in(&context);
        let (build, warnings) = (self.daemon.exe_hash, Arc::clone(&self.warnings));
        let opened = tokio::task::spawn_blocking(move || {
            available?;
            services::load(&folders, &settings, context, build, &warnings)
        });
        let loaded = match opened.await.context("opening the store failed in a way that it should not") {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) | Err(error) => {
                self.warnings.set("store", format!("nothing is cached: {error:#}"));
                stand_in
            }
        };
        self.loaded.send_replace(Some(Arc::new(loaded)));
        tracing::info!("ready");
        Ok(())
    }

    fn context(&self) -> Context {
        Context {
            clock: Arc::clone(&self.clock),
            board: Arc::clone(&self.board),
            tmp: services::tmp(&self.folders),
            filesystem_view: services::filesystem_view(),
        }
    }

    /// Lets running requests finish, and takes back what was published.
    async fn drain(&self, limit: Duration, accepting: JoinHandle<()>, manifests: Arc<Manifests>) {
        tracing::info!(seconds = limit.as_secs(), connections = self.lifecycle.connections(), "draining");
        // Who comes now must find nobody here, so that a broker launches the next daemon.
        let _ = accepting.await;
        let endpoint = PathBuf::from(&self.daemon.ipc_endpoint.path);
        let daemon = self.daemon.clone();
        let _ = tokio::task::spawn_blocking(move || {
            let _ = std::fs::remove_file(endpoint);
            identity::withdraw(&daemon);
        })
        .await;
        if tokio::time::timeout(limit, self.lifecycle.all_gone()).await.is_err() {
            tracing::warn!(connections = self.lifecycle.connections(), "leaving without waiting any longer");
        }
        self.journals.written().await;
        let loaded = self.loaded.send_replace(None);
        let (days, board, clock) = (Arc::clone(&self.days), Arc::clone(&self.board), Arc::clone(&self.clock));
        let _ = tokio::task::spawn_blocking(move || {
            if let Some(store) = loaded.as_ref().and_then(|loaded| loaded.store.as_ref())
                && let Err(error) = store.close()
            {
                tracing::warn!("failed to write what was in memory: {error:#}");
            }
            if let Err(error) = days.write(&board.totals(), clock.unix_ms()) {
                tracing::warn!("failed to write the statistics by day: {error:#}");
            }
            if let Err(error) = manifests.withdraw() {
                tracing::warn!("failed to withdraw the manifests: {error:#}");
            }
        })
        .await;
    }
}
