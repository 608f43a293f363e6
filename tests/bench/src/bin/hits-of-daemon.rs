//! Serves the call as often as it is told to, on the daemon's side: `cargo xtask count` counts its instructions.

fn main() -> larder_bench::Result<()> {
    let folder = larder_bench::folder()?;
    let daemon = larder_bench::daemon::Daemon::new(folder.path())?;
    daemon.hit()?;
    for _ in 0..larder_bench::times()? {
        std::hint::black_box(daemon.serve());
    }
    // All of them were, then.
    daemon.hit()?;
    Ok(())
}
