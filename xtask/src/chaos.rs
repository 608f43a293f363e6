//! `cargo xtask chaos` and `cargo xtask soak`: the long forms of two tests, which print their seed and what they did.

use anyhow::Context as _;

use crate::{run, workspace};

/// Kills, stops and damages everything of larder's for so long, and then starts a daemon so many times.
pub(crate) fn chaos(minutes: u64, seed: u64, restarts: u64) -> anyhow::Result<()> {
    let seconds = (minutes * 60).to_string();
    let (seed, restarts) = (seed.to_string(), restarts.to_string());
    test("chaos::", &[("LARDER_CHAOS_SECONDS", &seconds), ("LARDER_SEED", &seed)])?;
    test("bursts::restart_after_restart", &[("LARDER_RESTARTS", &restarts)])
}

/// Serves so many clients of every kind at once for so long.
pub(crate) fn soak(minutes: u64, seed: u64, clients: u64) -> anyhow::Result<()> {
    let seconds = (minutes * 60).to_string();
    let (seed, clients) = (seed.to_string(), clients.to_string());
    let variables =
        [("LARDER_SOAK_SECONDS", &*seconds), ("LARDER_SEED", &*seed), ("LARDER_SOAK_CLIENTS", &*clients)];
    test("soak::", &variables)
}

/// Runs the behaviour tests whose names begin with `name`, and shows what they print.
fn test(name: &str, variables: &[(&str, &str)]) -> anyhow::Result<()> {
    run::to_end(&mut run::cargo(&["build", "--workspace", "--all-targets", "--quiet"]))?;
    let filter = format!("test(/^{name}/)");
    let mut command = run::cargo(&[
        "nextest",
        "run",
        "-p",
        "larder-tests",
        "--profile=long",
        "--no-capture",
        "-E",
        &filter,
    ]);
    command.env("LARDER_TOOLS", workspace::tools().join("bin")).envs(variables.iter().copied());
    run::to_end(&mut command).with_context(|| {
        let variables: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("{name} failed\nagain: {} cargo nextest run -p larder-tests {name}", variables.join(" "))
    })
}
