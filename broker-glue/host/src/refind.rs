//! Daemons that run already: a broker that was started anew finds them by their identity files.
//!
//! A file is only a claim. The process must be this user's, its executable must have the claimed digest, and its
//! endpoint must answer a nonce with the same identity before anyone is sent there.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use larder_glue::{names, private};
use running_process::broker::backend_handle::{BackendHandle, DaemonProcess};
use running_process::broker::lifecycle::names::{validate_service_name, validate_version};
use running_process::broker::lifecycle::names_v2::daemon_identity_path;
use running_process::broker::server::{BACKEND_ENV_SERVICE_NAME, BACKEND_ENV_SERVICE_VERSION};

const IDENTITY_LIMIT: u64 = 64 * 1024;
const ENVIRONMENT_LIMIT: u64 = 4 << 20;

/// How long a daemon may take to answer.
const PROBE_LIMIT: Duration = Duration::from_millis(500);

/// The live daemon of `service`, whichever version and build it is.
pub(crate) fn daemon_of(service: &str) -> Option<BackendHandle> {
    validate_service_name(service).ok()?;
    let path = daemon_identity_path(service);
    let bytes = match private::read_own(&path, IDENTITY_LIMIT) {
        Ok(bytes) => bytes?,
        Err(error) => {
            tracing::warn!("{error}");
            return None;
        }
    };
    let daemon: DaemonProcess = serde_json::from_slice(&bytes).ok()?;
    let version = version_of(daemon.pid, service)?;
    let endpoint = daemon.ipc_endpoint.clone();
    match BackendHandle::probe_with_service_and_timeout(service, version, &endpoint, &daemon, PROBE_LIMIT) {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::debug!(service, pid = daemon.pid, "not a live daemon: {error}");
            None
        }
    }
}

/// All live daemons that have left an identity.
pub(crate) fn all() -> Vec<BackendHandle> {
    services().iter().filter_map(|service| daemon_of(service)).collect()
}

/// Services of which an identity file exists.
fn services() -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(names::broker_runtime_dir()) else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name();
            Some(name.to_str()?.strip_prefix("daemon-")?.strip_suffix(".json")?.to_owned())
        })
        .collect()
}

/// The version for which the process `pid` was launched as `service`: its identity does not say.
fn version_of(pid: u32, service: &str) -> Option<String> {
    let process = Path::new("/proc").join(pid.to_string());
    if process.metadata().ok()?.uid() != rustix::process::geteuid().as_raw() {
        return None;
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(process.join("environ")).ok()?;
    std::io::Read::read_to_end(&mut std::io::Read::take(file, ENVIRONMENT_LIMIT), &mut bytes).ok()?;
    (variable(&bytes, BACKEND_ENV_SERVICE_NAME)? == service).then_some(())?;
    variable(&bytes, BACKEND_ENV_SERVICE_VERSION).filter(|version| validate_version(version).is_ok())
}

fn variable(environment: &[u8], name: &str) -> Option<String> {
    let value = environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    String::from_utf8(value.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_variable_is_found_by_its_whole_name() {
        let environment = b"XNAME=1\0NAMEX=2\0NAME=3\0NAME=4\0";
        assert_eq!(variable(environment, "NAME").as_deref(), Some("3"));
        assert_eq!(variable(environment, "NAM"), None);
    }

    #[test]
    fn a_process_that_was_not_launched_has_no_version() {
        assert_eq!(version_of(std::process::id(), "larder"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_environments_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = variable(&bytes, "A");
        }
    }
}
