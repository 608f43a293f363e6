//! Benches: what one call costs in each of its phases, in time (`cargo bench -p larder-bench`) and in instructions
//! (`cargo xtask count`, which runs the two programs below `bin/`).
//!
//! Both sides serve the same call, a C file with 86 headers, and a hit each time. Nothing of it depends on the machine: sources,
//! folders and clock are the sandbox's own, and so is the compiler, of which nothing ever runs.

pub mod call;
pub mod client;
pub mod daemon;

/// What goes wrong ends the program.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The folder of one program: its name is always as long, since paths are part of what is worked on.
///
/// # Errors
/// When it cannot be made.
pub fn folder() -> Result<tempfile::TempDir> {
    Ok(tempfile::Builder::new().prefix("larder-").rand_bytes(4).tempdir_in("/tmp")?)
}

/// How often the program is to serve the call, from its command line.
///
/// # Errors
/// When that says no number.
pub fn times() -> Result<u64> {
    let first = std::env::args().nth(1).ok_or("how often?\nhint: give a number of hits")?;
    Ok(first.parse().map_err(|error| format!("failed to read {first} as a number of hits: {error}"))?)
}
