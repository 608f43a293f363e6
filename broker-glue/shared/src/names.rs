//! How a broker is found.

use running_process::broker::lifecycle::names_v2::{broker_v2_runtime_dir, v2_program_pipe};
use running_process::broker::lifecycle::user_sid_hash;
use running_process::broker::server::singleton_bind::resolve_socket_path;

/// Variable that names another broker program than larder's own; for sandboxes.
pub const BROKER_VAR: &str = "LARDER_BROKER";

/// The broker program larder's clients ask unless [`BROKER_VAR`] says otherwise.
const DEFAULT_BROKER: &str = "larder";

/// A broker's socket cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NamesError {
    /// The program's name is not one.
    #[error(
        "failed to use {program:?} as a broker program's name: {reason}\nhint: set {BROKER_VAR} to lowercase letters, digits and hyphens"
    )]
    Program {
        /// The name.
        program: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The machine does not tell who this user is.
    #[error("failed to tell this user apart from others: {0}")]
    User(String),
    /// The socket's path cannot be built.
    #[error("failed to place the broker's socket: {0}")]
    Socket(String),
}

/// Name of the broker program that this process's environment asks for.
#[must_use]
pub fn broker_program() -> String {
    std::env::var(BROKER_VAR)
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| DEFAULT_BROKER.to_owned())
}

/// Path of the socket on which the broker `program` of this user listens.
///
/// # Errors
/// When the name is malformed, or the machine does not tell who the user is.
pub fn broker_socket(program: &str) -> Result<String, NamesError> {
    let user = user_sid_hash().map_err(|error| NamesError::User(error.to_string()))?;
    let pipe = v2_program_pipe(program, &user, 0)
        .map_err(|error| NamesError::Program { program: program.to_owned(), reason: error.to_string() })?;
    resolve_socket_path(&pipe).map_err(NamesError::Socket)
}

/// Folder in which brokers of this user publish their pages' ports, and daemons their identities.
#[must_use]
pub fn broker_runtime_dir() -> std::path::PathBuf {
    broker_v2_runtime_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_one_socket_and_another_program_another() {
        let one = broker_socket("larder").expect("a valid name");
        assert_eq!(one, broker_socket("larder").expect("a valid name"));
        assert_ne!(one, broker_socket("larder-2").expect("a valid name"));
    }

    #[test]
    fn a_malformed_program_name_is_refused_by_name() {
        let error = broker_socket("No Such").expect_err("spaces and capitals are no name");
        assert!(error.to_string().contains("\"No Such\""), "{error}");
    }
}
