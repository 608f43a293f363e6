//! Serves the call as often as it is told to, on the client's side: `cargo xtask count` counts its instructions.
//!
//! To be run in a folder and an environment of its own: what is in both is looked through for each call.

use std::ffi::OsStr;

use larder_bench::client::Client;

fn main() -> larder_bench::Result<()> {
    let client = Client::new(&std::env::current_dir()?, OsStr::new("gcc"))?;
    for _ in 0..larder_bench::times()? {
        client.serve()?;
    }
    Ok(())
}
