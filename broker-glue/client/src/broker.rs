//! Starting the broker host when none runs.

use std::process::Command;

use anyhow::Context as _;
use larder_glue::folders::Folders;
use larder_glue::{definition, launch_env, programs};
use running_process::spawn_daemon;

/// Starts the broker host beside this program; one that runs already makes the new one exit by itself.
///
/// The service definition is registered first: a broker launches nothing that it has no definition of.
pub(crate) fn start(folders: &Folders) -> anyhow::Result<()> {
    prepare(folders)?;
    let program = programs::beside(programs::BROKER)?;
    let mut command = Command::new(&program);
    // The spawned process gets the login environment; what decides where things lie is added.
    command.envs(launch_env::current());
    spawn_daemon(&mut command).with_context(|| format!("failed to start {}", program.display()))?;
    Ok(())
}

/// Makes sure that a broker, whichever it is, can launch larder's daemon for this environment.
pub(crate) fn prepare(folders: &Folders) -> anyhow::Result<()> {
    launch_env::leave(folders)?;
    definition::ensure(|| programs::beside(programs::DAEMON))?;
    Ok(())
}
