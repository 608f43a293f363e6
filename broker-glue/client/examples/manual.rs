//! Writes larder's manual pages into a folder: `larder.1`, and one for each command.

use std::path::Path;

const WHAT: &str = "\
larder remembers the results of build steps. `larder TOOL ARGUMENT…` runs a compiler, an archiver or a linker, or hands out \
what it made the last time, when nothing that could change the result has changed; called by a tool's name, through a \
link, it does the same. Whatever goes wrong with larder, the tool runs.

LARDER_SESSION names the session that calls belong to, LARDER_PORTABLE=1 lets working trees of one project share \
results, and RUNNING_PROCESS_DISABLE=1 runs every tool without larder.";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("failed to find a folder\nhint: manual DIR")?;
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder)?;
    let command = larder_client::commands::command().long_about(WHAT).disable_help_flag(true);
    clap_mangen::generate_to(command, folder)?;
    Ok(())
}
