//! Where larder's own programs are: side by side in one folder.

use std::path::PathBuf;

/// The daemon.
pub const DAEMON: &str = "larderd";
/// The broker host.
pub const BROKER: &str = "larder-broker";

/// One of larder's programs is not where it should be.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// This process does not know its own path.
    #[error("failed to find this program's own path")]
    OwnPath(#[source] std::io::Error),
    /// The program is not beside this one.
    #[error("failed to find {}\nhint: larder, larderd and larder-broker must lie in one folder; run `cargo xtask install`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
}

/// The program `name` beside this one, links followed.
///
/// # Errors
/// When it is not there.
pub fn beside(name: &str) -> Result<PathBuf, ProgramError> {
    let own = std::env::current_exe().and_then(|path| path.canonicalize()).map_err(ProgramError::OwnPath)?;
    let path = own.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(ProgramError::Missing { path }) }
}
