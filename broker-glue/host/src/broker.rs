//! What a broker knows, and what it does with it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use larder_glue::sockets::BackendFolder;
use running_process::broker::backend_handle::BackendHandle;
use running_process::broker::lifecycle::user_sid_hash;
use running_process::broker::protocol::{Frame, HelloReply};
use running_process::broker::protocol_v2::service_definition_dir_v2;
use running_process::broker::server::{
    BackendRegistry, BrokerInstanceKey, CombinedServiceDefinitionLoader, HelloRouter, PeerIdentity,
    SpawnBudgetConfig, SpawnCoordinator,
};
use tokio::sync::{Notify, watch};

use crate::launcher::Launcher;
use crate::pages::{self, Pages};
use crate::reaper::Reaper;
use crate::refind;

/// Failed launches of one build within [`LAUNCH_WINDOW`]; after that clients are refused without a try.
const LAUNCHES: u32 = 5;

/// Also what ends a launch that never came back, so it must be longer than one may take.
const LAUNCH_WINDOW: Duration = Duration::from_secs(30);

/// One broker, from bind to exit.
pub(crate) struct Broker {
    /// Its program name, by which clients find it.
    pub(crate) program: String,
    /// Path of its socket.
    pub(crate) socket: String,
    pub(crate) started: Instant,
    /// Definitions, re-read at each request.
    pub(crate) definitions: CombinedServiceDefinitionLoader,
    backends: Mutex<BackendRegistry>,
    spawns: Mutex<SpawnCoordinator>,
    launcher: Launcher,
    pub(crate) reaper: Arc<Reaper>,
    /// Ports of the backends' pages.
    pub(crate) pages: Pages,
    /// Told whenever a request has been routed: a launch may have ended.
    pub(crate) routed: Notify,
    /// Connections to the socket that are open now.
    pub(crate) open: AtomicU64,
    /// Port of the broker's own page, once it is bound.
    pub(crate) page: OnceLock<u16>,
    stop: watch::Sender<bool>,
    folder: BackendFolder,
}

/// One live backend, as the page and the admin frames show it.
#[derive(Clone, Debug)]
pub(crate) struct Backend {
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) endpoint: String,
    pub(crate) started_unix_ms: u64,
    /// Port of its page, once it has told.
    pub(crate) port: Option<u16>,
}

impl Broker {
    /// A broker that knows no backend yet.
    ///
    /// # Errors
    /// When the machine does not tell who the user is.
    pub(crate) fn new(program: String, socket: String) -> anyhow::Result<Self> {
        let reaper = Arc::new(Reaper::default());
        Ok(Self {
            program,
            socket,
            started: Instant::now(),
            definitions: CombinedServiceDefinitionLoader::new(service_definition_dir_v2()),
            backends: Mutex::default(),
            spawns: Mutex::new(SpawnCoordinator::with_config(SpawnBudgetConfig::new(
                LAUNCHES,
                LAUNCH_WINDOW,
            ))),
            launcher: Launcher::new(user_sid_hash()?, Arc::clone(&reaper)),
            reaper,
            pages: Pages::default(),
            routed: Notify::new(),
            open: AtomicU64::new(0),
            page: OnceLock::new(),
            stop: watch::Sender::new(false),
            folder: BackendFolder::of_user()?,
        })
    }

    /// Folder of the daemons' sockets.
    pub(crate) fn backend_folder(&self) -> &std::path::Path {
        &self.folder.path
    }

    /// Answers one Hello; launches a daemon where there is none. Takes as long as that takes.
    pub(crate) fn route(&self, frame: Frame, peer: PeerIdentity) -> HelloReply {
        HelloRouter::with_lifecycle_monitor(&self.definitions, &self.backends)
            .with_spawn_coordinator(&self.spawns)
            .with_backend_launcher(&self.launcher)
            .handle_frame(frame, peer)
    }

    /// Registers the daemons that run already. Probes them, so it may take a while.
    pub(crate) fn find_again(&self) {
        for handle in refind::all() {
            self.register(handle);
        }
    }

    fn register(&self, handle: BackendHandle) {
        let service = handle.service_name.clone();
        let instance = self.definitions.load(&service).map_err(|error| error.to_string());
        let instance = instance.and_then(|definition| {
            BrokerInstanceKey::from_service_definition(&definition).map_err(|error| error.to_string())
        });
        match instance {
            Ok(instance) => {
                let mut backends = self.backends();
                let pid = handle.daemon_process.pid;
                if !backends.iter().any(|(_, known)| known.daemon_process.pid == pid) {
                    tracing::info!(service, pid, "found a daemon that runs already");
                    backends.insert(instance, handle);
                }
            }
            Err(error) => {
                tracing::warn!(service, "a daemon of a service without a definition is left alone: {error}")
            }
        }
    }

    /// Name under which the page of the live backend with the process id `pid` is kept.
    pub(crate) fn id_of(&self, pid: u32) -> Option<String> {
        let backends = self.backends();
        let handle =
            backends.iter().map(|(_, handle)| handle).find(|handle| handle.daemon_process.pid == pid)?;
        // A process id that was given anew is another process.
        handle.is_alive().then(|| pages::id(handle))
    }

    /// Forgets the backends that have ended, and their pages and sockets.
    pub(crate) fn tidy(&self) {
        let (gone, ids, sockets) = {
            let mut backends = self.backends();
            let gone = backends.prune_stale();
            let ids: BTreeSet<String> = backends.iter().map(|(_, handle)| pages::id(handle)).collect();
            let endpoint = |handle: &BackendHandle| PathBuf::from(&handle.daemon_process.ipc_endpoint.path);
            let sockets: BTreeSet<PathBuf> = backends.iter().map(|(_, handle)| endpoint(handle)).collect();
            (gone, ids, sockets)
        };
        for key in gone {
            tracing::info!(
                service = key.service_name,
                version = key.service_version,
                "forgot a daemon that has ended"
            );
        }
        self.pages.retain(&ids);
        let swept = self.folder.sweep(&sockets);
        if swept > 0 {
            tracing::info!(swept, "removed sockets of ended daemons");
        }
    }

    /// The backends that are alive now, in a stable order.
    pub(crate) fn list(&self) -> Vec<Backend> {
        let backends = self.backends();
        let mut list: Vec<Backend> = backends
            .iter()
            .filter(|(_, handle)| handle.is_alive())
            .map(|(_, handle)| Backend {
                service: handle.service_name.clone(),
                version: handle.service_version.clone(),
                pid: handle.daemon_process.pid,
                endpoint: handle.daemon_process.ipc_endpoint.path.clone(),
                started_unix_ms: handle.daemon_process.started_at_unix_ms,
                port: self.pages.port(&pages::id(handle)),
            })
            .collect();
        list.sort_by(|a, b| {
            (&a.service, a.started_unix_ms, a.pid).cmp(&(&b.service, b.started_unix_ms, b.pid))
        });
        list
    }

    /// The registry; never held across anything that waits.
    pub(crate) fn backends(&self) -> MutexGuard<'_, BackendRegistry> {
        self.backends.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The launch budgets; never held across anything that waits.
    pub(crate) fn spawns(&self) -> MutexGuard<'_, SpawnCoordinator> {
        self.spawns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the broker end. Daemons stay.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Returns once somebody has called [`Self::stop`].
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}
