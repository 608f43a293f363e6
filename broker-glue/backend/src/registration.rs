//! The service definition, registered anew at each start.

use anyhow::Context as _;
use larder_glue::definition;

/// Registers this very executable with brokers.
///
/// # Errors
/// When the definition's folder is not writable, or the file is another program's.
pub(crate) fn register() -> anyhow::Result<()> {
    let own = std::env::current_exe().context("failed to find this program's own path")?;
    definition::register(&own)?;
    Ok(())
}
