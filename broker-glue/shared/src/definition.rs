//! larder's service definition, as brokers read it.

use std::path::{Path, PathBuf};

use larder_servicedef::Registration;
use prost::Message as _;
use running_process::broker::protocol_v2::{
    HttpServerCapability, ServiceDefinition, ServiceDefinitionBuilder, service_definition_dir_v2,
    service_definition_path_v2,
};

use crate::private::{self, PrivateError};
use crate::programs;

const LABEL_PURPOSE: &str = "purpose";
const FILE_LIMIT: u64 = 1024 * 1024;

/// The definition cannot be registered.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// The shipped data is broken.
    #[error("failed to read larder's own registration data")]
    Data(#[from] toml::de::Error),
    /// The folder or file cannot be used.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The daemon's path cannot be written into a definition.
    #[error("failed to register {}: its path is not UTF-8\nhint: install larder into a folder with a plain name", path.display())]
    Path {
        /// The daemon.
        path: PathBuf,
    },
    /// Somebody else's definition has the name.
    #[error("failed to register larder: {} describes another program\nhint: move that file away", path.display())]
    NotOurs {
        /// The definition.
        path: PathBuf,
    },
    /// No program can read it.
    #[error("failed to read {}: it is no service definition\nhint: move that file away, which is what larder doctor --fix does", path.display())]
    Damaged {
        /// The definition.
        path: PathBuf,
    },
    /// running-process refuses the name.
    #[error("failed to name larder's service definition: {0}")]
    Name(String),
}

/// The definition that this build registers for the daemon at `daemon`.
///
/// # Errors
/// When the path is not UTF-8 or the shipped data is broken.
pub fn build(daemon: &Path) -> Result<ServiceDefinition, DefinitionError> {
    let Registration { service, http, labels, .. } = larder_servicedef::registration()?;
    let path_error = || DefinitionError::Path { path: daemon.to_owned() };
    let binary = daemon.to_str().ok_or_else(path_error)?;
    let folder = daemon.parent().and_then(Path::to_str).ok_or_else(path_error)?;
    let mut builder = ServiceDefinitionBuilder::shared_broker(&service.name, binary)
        .per_version_binary_dir(folder)
        .min_version(&service.min_version);
    for (name, value) in &labels {
        builder = builder.label(name, value);
    }
    let mut definition = builder.build();
    definition.http_server = Some(HttpServerCapability {
        bind_addr: http.bind_addr,
        health_path: http.health_path,
        display_name: service.display_name,
    });
    Ok(definition)
}

/// Where the definition lies.
///
/// # Errors
/// When running-process refuses the name.
pub fn path() -> Result<PathBuf, DefinitionError> {
    service_definition_path_v2(&service_definition_dir_v2(), larder_proto::SERVICE_NAME)
        .map_err(|error| DefinitionError::Name(error.to_string()))
}

/// The registered definition, or `None` where there is none.
///
/// # Errors
/// When it cannot be read, or is not larder's.
pub fn registered() -> Result<Option<ServiceDefinition>, DefinitionError> {
    let path = path()?;
    let Some(bytes) = private::read_own(&path, FILE_LIMIT)? else { return Ok(None) };
    let ours = |definition: &ServiceDefinition| {
        definition.service_name == larder_proto::SERVICE_NAME
            && definition.labels.contains_key(LABEL_PURPOSE)
            && Path::new(&definition.binary_path).file_name() == Some(programs::DAEMON.as_ref())
    };
    match ServiceDefinition::decode(bytes.as_slice()) {
        Ok(definition) if ours(&definition) => Ok(Some(definition)),
        // Cut to nothing it decodes as well, and describes nobody.
        Ok(definition) if !definition.service_name.is_empty() => Err(DefinitionError::NotOurs { path }),
        _ => Err(DefinitionError::Damaged { path }),
    }
}

/// Registers the daemon at `daemon`, in one step; does nothing when it is registered as it should be.
///
/// # Errors
/// When the folder is not writable, or the file is another program's.
pub fn register(daemon: &Path) -> Result<(), DefinitionError> {
    let definition = build(daemon)?;
    if registered()?.as_ref() == Some(&definition) {
        return Ok(());
    }
    let path = path()?;
    if let Some(folder) = path.parent() {
        private::ensure_folder(folder)?;
    }
    private::write_atomically(&path, &definition.encode_to_vec())?;
    Ok(())
}

/// [`register`], which sets a definition that no program can read aside first, with `.broken` behind its name.
///
/// # Errors
/// As [`register`].
pub fn mend(daemon: &Path) -> Result<(), DefinitionError> {
    if let Err(DefinitionError::Damaged { path }) = registered() {
        let mut aside = path.clone().into_os_string();
        aside.push(".broken");
        std::fs::rename(&path, aside).map_err(|source| PrivateError::Io {
            action: "set aside",
            path,
            source,
        })?;
    }
    register(daemon)
}

/// Makes sure that some larder daemon that exists is registered; the one at `daemon` when none is.
///
/// An installation that is not the registered one leaves the registration alone: two of them used in turn would
/// otherwise restart the daemon at each call.
///
/// # Errors
/// As [`register`].
pub fn ensure(daemon: impl FnOnce() -> Result<PathBuf, programs::ProgramError>) -> Result<(), EnsureError> {
    if registered()?.is_some_and(|definition| Path::new(&definition.binary_path).is_file()) {
        return Ok(());
    }
    register(&daemon()?)?;
    Ok(())
}

/// [`ensure`] failed.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError {
    /// The definition.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The daemon to register.
    #[error(transparent)]
    Program(#[from] programs::ProgramError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_carries_the_http_capability_and_the_folder_of_the_binary() {
        let definition = build(Path::new("/opt/larder/bin/larderd")).expect("a plain path");
        assert_eq!(definition.per_version_binary_dir, "/opt/larder/bin");
        let http = definition.http_server.expect("larder serves a page");
        assert_eq!((http.bind_addr.as_str(), http.health_path.as_str()), ("127.0.0.1", "/health"));
    }
}
