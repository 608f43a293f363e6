//! How a broker is found.

use std::path::{Path, PathBuf};

use running_process::broker::lifecycle::names_v2::{broker_v2_runtime_dir, v2_program_pipe};
use running_process::broker::lifecycle::user_sid_hash;
use running_process::broker::server::singleton_bind::resolve_socket_path;

/// Variable that names another broker program than larder's own; for sandboxes.
pub const BROKER_VAR: &str = "LARDER_BROKER";

/// The broker program larder's clients ask unless [`BROKER_VAR`] says otherwise.
const DEFAULT_BROKER: &str = "larder";

/// Most bytes of a socket's path: `sun_path` of unix(7), without its final zero.
const SOCKET_PATH_LIMIT: usize = 107;

/// Bytes that a daemon's socket adds to the folder of the brokers' sockets: `rpb-v1-…-be-….sock` with the user's hash
/// and the daemon's number, in a folder beside.
const DAEMON_SOCKET_BYTES: usize =
    "/rpb-v1-0123456789abcdef-be-0123456789abcdef0123456789abcdef.sock".len() - "-v2".len();

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
    /// The operating system takes no socket path as long as they would be.
    #[error(
        "failed to place sockets below {}: their paths would be longer than {SOCKET_PATH_LIMIT} bytes\nhint: set XDG_RUNTIME_DIR to a folder whose own path is shorter", .folder.display()
    )]
    TooLong {
        /// The folder of the sockets.
        folder: PathBuf,
    },
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
    fits(&broker_runtime_dir())?;
    resolve_socket_path(&pipe).map_err(NamesError::Socket)
}

/// Whether the sockets of brokers in `folder`, and those of their daemons beside it, have paths that can be bound.
fn fits(folder: &Path) -> Result<(), NamesError> {
    if folder.as_os_str().len() + DAEMON_SOCKET_BYTES <= SOCKET_PATH_LIMIT {
        return Ok(());
    }
    Err(NamesError::TooLong { folder: folder.to_owned() })
}

/// Folder in which brokers of this user publish their pages' ports, and daemons their identities.
#[must_use]
pub fn broker_runtime_dir() -> PathBuf {
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
    fn a_folder_in_which_no_daemon_could_listen_is_refused_by_name() {
        let folder = |bytes: usize| PathBuf::from("r".repeat(bytes)).join("running-process/broker-v2");
        let longest = |bytes: usize| fits(&folder(bytes)).is_ok();
        assert!(longest(19) && !longest(20), "19 and 88 bytes are 107");
        let error = fits(&folder(40)).expect_err("too long");
        assert!(error.to_string().contains("XDG_RUNTIME_DIR"), "{error}");
    }

    #[test]
    fn a_malformed_program_name_is_refused_by_name() {
        let error = broker_socket("No Such").expect_err("spaces and capitals are no name");
        assert!(error.to_string().contains("\"No Such\""), "{error}");
    }
}
