//! Launching daemons.
//!
//! Differs from the library's launcher in three things: the daemon gets what decides where its state lies, a daemon
//! that runs already is found instead of launched a second time, and a slow start is waited for.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use larder_glue::launch_env::{self, COMPLETE_VAR, PASSED_ON};
use larder_glue::{private, sockets};
use running_process::DAEMON_MARKER_ENV_VAR;
use running_process::broker::backend_handle::{BackendHandle, DaemonProcess};
use running_process::broker::backend_lifecycle::identity::executable_hash_file;
use running_process::broker::broker_owned_bind::InheritableListener;
use running_process::broker::host_identity;
use running_process::broker::protocol::{Endpoint, ServiceDefinition};
use running_process::broker::server::{
    BACKEND_ENV_ENDPOINT_NAMESPACE, BACKEND_ENV_ENDPOINT_PATH, BACKEND_ENV_INSTANCE,
    BACKEND_ENV_SERVICE_NAME, BACKEND_ENV_SERVICE_VERSION, BACKEND_ENV_TRACEPARENT, BACKEND_ENV_TRACESTATE,
    BackendEndpointAllocator, BackendKey, BackendLaunchError, BackendLaunchRequest, BackendLauncher,
};
use running_process::environment::user_baseline_environment;

use crate::reaper::Reaper;
use crate::refind;

/// How long a daemon may take from its start until it answers. Clients wait for less and go on alone.
const LIMIT: Duration = Duration::from_secs(10);

/// How long one question may take: a daemon that ends meanwhile is noticed after that.
const PROBE_LIMIT: Duration = Duration::from_millis(500);

/// Crashes of one build within [`CRASH_WINDOW`] after which it is not started again for a while: clients that are
/// refused lose no time.
const MAX_CRASHES: usize = 5;

/// How long a crash counts.
const CRASH_WINDOW: Duration = Duration::from_secs(30);

/// Pause between two questions.
const RETRY: Duration = Duration::from_millis(5);

/// Launches daemons for this user.
#[derive(Debug)]
pub(crate) struct Launcher {
    user: String,
    /// One start at a time: while a listener is open to being inherited, no other child may be made.
    starting: Mutex<HashMap<String, BackendEndpointAllocator>>,
    reaper: Arc<Reaper>,
}

impl Launcher {
    /// A launcher for the user with this hash, whose children `reaper` waits for.
    pub(crate) fn new(user: String, reaper: Arc<Reaper>) -> Self {
        Self { user, starting: Mutex::default(), reaper }
    }

    fn start(
        &self,
        request: &BackendLaunchRequest<'_>,
        binary: &Path,
    ) -> Result<(Child, Endpoint), BackendLaunchError> {
        let mut allocators = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let namespace = request.key.instance.id();
        let endpoint = allocators
            .entry(namespace.clone())
            .or_insert_with(|| BackendEndpointAllocator::new(&self.user, namespace))
            .allocate()?;
        if let Some(folder) = Path::new(&endpoint.path).parent() {
            private::ensure_folder(folder)
                .map_err(|error| BackendLaunchError::Launcher(error.to_string()))?;
        }
        let mut listener = InheritableListener::bind(&endpoint.path).map_err(BackendLaunchError::Spawn)?;
        std::fs::set_permissions(&endpoint.path, Permissions::from_mode(0o600))
            .map_err(BackendLaunchError::Spawn)?;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(environment())
            .envs(contract(request, &endpoint))
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        listener.prepare(&mut command).map_err(BackendLaunchError::Spawn)?;
        let child = command.spawn().map_err(BackendLaunchError::Spawn)?;
        self.reaper.note(child.id());
        // From here on the child alone holds the listener: should it end, nobody waits there in vain.
        listener.disown_endpoint();
        drop(listener);
        drop(allocators);
        Ok((child, endpoint))
    }

    fn discard(&self, mut child: Child, endpoint: &Endpoint) {
        // It has never answered, so no client knows it.
        let _ = child.kill();
        let _ = child.wait();
        self.reaper.forget(child.id());
        sockets::remove_dead(Path::new(&endpoint.path));
    }
}

impl BackendLauncher for Launcher {
    fn launch(&self, request: &BackendLaunchRequest<'_>) -> Result<BackendHandle, BackendLaunchError> {
        let key = request.key;
        if let Some(handle) = found_again(key) {
            return Ok(handle);
        }
        let crashes = self.reaper.crashes(&key.exe_hash, CRASH_WINDOW);
        if crashes >= MAX_CRASHES {
            let seconds = CRASH_WINDOW.as_secs();
            return Err(BackendLaunchError::Launcher(format!(
                "it has crashed {crashes} times within {seconds} s; its log says why"
            )));
        }
        let binary = binary(request.service_definition)?;
        let began = Instant::now();
        let (mut child, endpoint) = self.start(request, &binary)?;
        let pid = child.id();
        let ready = identity(pid, &binary, &endpoint).and_then(|daemon| wait_ready(&mut child, key, &daemon));
        match ready {
            Ok(handle) => {
                let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(
                    service = key.service_name,
                    version = key.service_version,
                    pid,
                    took_ms,
                    "launched"
                );
                self.reaper.keep(child, PathBuf::from(endpoint.path), key.exe_hash.clone());
                Ok(handle)
            }
            Err(error) => {
                self.discard(child, &endpoint);
                // The usual reason for a daemon to leave at once is that another one has come first.
                if let Some(handle) = found_again(key) {
                    return Ok(handle);
                }
                tracing::warn!(
                    service = key.service_name,
                    version = key.service_version,
                    pid,
                    "failed to launch: {error}"
                );
                Err(error)
            }
        }
    }
}

/// The daemon that a client asks for, when it runs already: same version, same build.
fn found_again(key: &BackendKey) -> Option<BackendHandle> {
    let handle = refind::daemon_of(&key.service_name)?;
    let same =
        handle.service_version == key.service_version && hex(&handle.daemon_process.exe_hash) == key.exe_hash;
    same.then(|| {
        tracing::info!(
            service = key.service_name,
            pid = handle.daemon_process.pid,
            "found a daemon that runs already"
        );
        handle
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The definition's program, which must lie in the definition's folder.
fn binary(definition: &ServiceDefinition) -> Result<PathBuf, BackendLaunchError> {
    if definition.binary_path.is_empty() {
        return Err(BackendLaunchError::EmptyBinaryPath);
    }
    if definition.per_version_binary_dir.is_empty() {
        return Err(BackendLaunchError::EmptyPerVersionBinaryDir);
    }
    let path = PathBuf::from(&definition.binary_path);
    let binary = match path.canonicalize() {
        Ok(binary) => binary,
        Err(source) => return Err(BackendLaunchError::CanonicalizeBinary { path, source }),
    };
    let path = PathBuf::from(&definition.per_version_binary_dir);
    let root = match path.canonicalize() {
        Ok(root) => root,
        Err(source) => return Err(BackendLaunchError::CanonicalizeBinaryRoot { path, source }),
    };
    if binary.starts_with(&root) {
        Ok(binary)
    } else {
        Err(BackendLaunchError::BinaryOutsideAllowRoot { binary, root })
    }
}

/// The login environment, with this broker's in the variables that decide where things lie.
fn environment() -> BTreeMap<OsString, OsString> {
    let base = user_baseline_environment().unwrap_or_else(|_| std::env::vars_os().collect());
    let mut all: BTreeMap<OsString, OsString> = base.into_iter().collect();
    for name in PASSED_ON {
        all.remove(name.as_ref() as &std::ffi::OsStr);
    }
    all.extend(launch_env::current().into_iter().map(|(name, value)| (OsString::from(name), value)));
    all.insert(COMPLETE_VAR.into(), "1".into());
    all
}

/// What a launched daemon is told, by the library's launch contract.
fn contract(request: &BackendLaunchRequest<'_>, endpoint: &Endpoint) -> Vec<(&'static str, String)> {
    let trace = request.trace_context;
    let mut all = vec![
        (DAEMON_MARKER_ENV_VAR, "1".to_owned()),
        (BACKEND_ENV_SERVICE_NAME, request.key.service_name.clone()),
        (BACKEND_ENV_SERVICE_VERSION, request.key.service_version.clone()),
        (BACKEND_ENV_ENDPOINT_PATH, endpoint.path.clone()),
        (BACKEND_ENV_ENDPOINT_NAMESPACE, endpoint.namespace_id.clone()),
        (BACKEND_ENV_INSTANCE, request.key.instance.id()),
    ];
    for (name, value) in
        [(BACKEND_ENV_TRACEPARENT, &trace.traceparent), (BACKEND_ENV_TRACESTATE, &trace.tracestate)]
    {
        // A byte 0 cannot be passed on, and would keep the daemon from being started at all.
        if !value.is_empty() && !value.contains('\0') {
            all.push((name, value.clone()));
        }
    }
    all
}

/// Who must answer on `endpoint`.
fn identity(pid: u32, binary: &Path, endpoint: &Endpoint) -> Result<DaemonProcess, BackendLaunchError> {
    let unreadable = |source| BackendLaunchError::CanonicalizeBinary { path: binary.to_owned(), source };
    let started = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(DaemonProcess {
        pid,
        exe_path: binary.to_owned(),
        exe_hash: executable_hash_file(binary).map_err(unreadable)?,
        legacy_exe_sha256: [0; 32],
        boot_id: host_identity::current_for_path(binary).boot_id,
        ipc_endpoint: endpoint.clone(),
        started_at_unix_ms: u64::try_from(started.as_millis()).unwrap_or(u64::MAX),
        idle_timeout_secs: None,
    })
}

fn wait_ready(
    child: &mut Child,
    key: &BackendKey,
    daemon: &DaemonProcess,
) -> Result<BackendHandle, BackendLaunchError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let error = match BackendHandle::probe_with_service_and_timeout(
            &key.service_name,
            &key.service_version,
            &daemon.ipc_endpoint,
            daemon,
            PROBE_LIMIT,
        ) {
            Ok(handle) => return Ok(handle),
            Err(error) => error,
        };
        if let Ok(Some(status)) = child.try_wait() {
            return Err(BackendLaunchError::Launcher(format!(
                "{} has ended at once ({status}); its log says why",
                daemon.exe_path.display()
            )));
        }
        if Instant::now() >= deadline {
            return Err(error.into());
        }
        std::thread::sleep(RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(binary: &Path, root: &Path) -> ServiceDefinition {
        ServiceDefinition {
            binary_path: binary.to_str().expect("plain").to_owned(),
            per_version_binary_dir: root.to_str().expect("plain").to_owned(),
            ..ServiceDefinition::default()
        }
    }

    #[test]
    fn only_a_program_in_the_definitions_folder_is_launched() {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = folder.path().join("in");
        std::fs::create_dir(&inside).expect("fresh");
        std::fs::write(inside.join("d"), "").expect("fresh");
        std::fs::write(folder.path().join("d"), "").expect("fresh");
        std::os::unix::fs::symlink(folder.path().join("d"), inside.join("link")).expect("fresh");
        assert!(binary(&definition(&inside.join("d"), &inside)).is_ok());
        for outside in [folder.path().join("d"), inside.join("link")] {
            let refused = binary(&definition(&outside, &inside));
            assert!(matches!(refused, Err(BackendLaunchError::BinaryOutsideAllowRoot { .. })), "{refused:?}");
        }
        assert!(matches!(
            binary(&definition(&inside.join("none"), &inside)),
            Err(BackendLaunchError::CanonicalizeBinary { .. })
        ));
        assert!(matches!(binary(&ServiceDefinition::default()), Err(BackendLaunchError::EmptyBinaryPath)));
    }

    #[test]
    fn the_environment_says_that_it_is_complete() {
        let environment = environment();
        assert_eq!(environment.get(&OsString::from(COMPLETE_VAR)), Some(&OsString::from("1")));
        for (name, value) in launch_env::current() {
            assert_eq!(environment.get(&OsString::from(name)), Some(&value));
        }
    }
}
