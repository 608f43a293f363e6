//! What a broker tells the daemon that it launches.

use larder_proto::LARDER_VERSION;
use running_process::broker::protocol::Endpoint;
use running_process::broker::server::backend_launcher::{
    BACKEND_ENV_ENDPOINT_NAMESPACE, BACKEND_ENV_ENDPOINT_PATH, BACKEND_ENV_INSTANCE,
    BACKEND_ENV_SERVICE_NAME, BACKEND_ENV_SERVICE_VERSION,
};

/// One launch, as its variables describe it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Launch {
    /// Where to listen, exactly as given: the broker compares it byte for byte.
    pub(crate) endpoint: Endpoint,
    /// The version a client asked for.
    pub(crate) version: String,
    /// The broker's name for its instance.
    pub(crate) instance: String,
}

/// This process was not launched as the daemon.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LaunchError {
    /// A variable of the launch contract is missing: a person started the program.
    #[error(
        "failed to start: larderd is launched by a broker, and {missing} is not set\nhint: larder start"
    )]
    ByHand {
        /// The first missing variable.
        missing: &'static str,
    },
    /// The definition names another service.
    #[error("failed to start: launched as the service {name:?}, and this is {:?}\nhint: larder start", larder_proto::SERVICE_NAME)]
    OtherService {
        /// The service that was asked for.
        name: String,
    },
    /// The broker launched this binary for another version than its own.
    #[error("failed to start: launched for version {wanted}, and this is {LARDER_VERSION}\nhint: install one version of larder, larderd and larder-broker into one folder")]
    OtherVersion {
        /// The version that was asked for.
        wanted: String,
    },
}

impl Launch {
    /// Reads the launch variables of this process.
    ///
    /// # Errors
    /// When one is missing or empty, or names another service. The version is not judged here: see [`Self::judge`].
    pub(crate) fn from_env() -> Result<Self, LaunchError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, LaunchError> {
        let needed = |name: &'static str| {
            var(name).filter(|value| !value.is_empty()).ok_or(LaunchError::ByHand { missing: name })
        };
        let path = needed(BACKEND_ENV_ENDPOINT_PATH)?;
        let name = needed(BACKEND_ENV_SERVICE_NAME)?;
        let version = needed(BACKEND_ENV_SERVICE_VERSION)?;
        if name != larder_proto::SERVICE_NAME {
            return Err(LaunchError::OtherService { name });
        }
        let namespace_id = var(BACKEND_ENV_ENDPOINT_NAMESPACE).unwrap_or_default();
        let instance = var(BACKEND_ENV_INSTANCE).unwrap_or_default();
        Ok(Self { endpoint: Endpoint { namespace_id, path }, version, instance })
    }

    /// Whether this build is the version that was asked for.
    ///
    /// One definition names one binary, so a broker launches whatever lies there for every version it accepts.
    ///
    /// # Errors
    /// When it is not.
    pub(crate) fn judge(&self) -> Result<(), LaunchError> {
        if self.version == LARDER_VERSION {
            return Ok(());
        }
        Err(LaunchError::OtherVersion { wanted: self.version.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn launch(change: impl Fn(&str) -> Option<Option<String>>) -> Result<Launch, LaunchError> {
        Launch::from_vars(|name| {
            change(name).unwrap_or_else(|| match name {
                BACKEND_ENV_SERVICE_NAME => Some("larder".to_owned()),
                BACKEND_ENV_SERVICE_VERSION => Some(LARDER_VERSION.to_owned()),
                BACKEND_ENV_ENDPOINT_PATH => Some("/run/s".to_owned()),
                BACKEND_ENV_ENDPOINT_NAMESPACE => Some("shared".to_owned()),
                _ => None,
            })
        })
    }

    #[test]
    fn a_complete_launch_is_read_as_given() {
        let launch = launch(|_| None).expect("complete");
        assert_eq!((launch.endpoint.path.as_str(), launch.endpoint.namespace_id.as_str()), ("/run/s", "shared"));
        assert_eq!(launch.judge(), Ok(()));
    }

    #[test]
    fn without_an_endpoint_a_person_is_told_what_to_type() {
        let error = launch(|name| (name == BACKEND_ENV_ENDPOINT_PATH).then_some(None)).expect_err("by hand");
        assert!(error.to_string().contains("hint: larder start"), "{error}");
    }

    #[test]
    fn another_service_and_another_version_are_refused() {
        let other = |name: &'static str, value: &'static str| {
            launch(move |asked| (asked == name).then(|| Some(value.to_owned())))
        };
        assert!(matches!(other(BACKEND_ENV_SERVICE_NAME, "pantry"), Err(LaunchError::OtherService { .. })));
        let old = other(BACKEND_ENV_SERVICE_VERSION, "0.0.9").expect("complete");
        assert!(old.judge().expect_err("another version").to_string().contains("0.0.9"));
    }
}
