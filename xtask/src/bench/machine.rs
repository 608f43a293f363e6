//! What the figures were measured on: nothing that tells whose machine it is.

use std::fs;
use std::process::Command;

use crate::run;

/// What matters of the machine, as names and values.
pub(super) fn describe() -> anyhow::Result<Vec<(String, String)>> {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let gcc = said(Command::new("gcc").arg("-dumpfullversion"))?;
    let rustc = said(Command::new("rustc").arg("--version"))?;
    let pairs = [
        ("processor", field(&cpus, "model name")),
        ("cores", cores.to_string()),
        ("memory", field(&memory, "MemTotal")),
        ("kernel", said(Command::new("uname").arg("-sr"))?),
        ("file system", said(Command::new("stat").args(["-f", "-c", "%T", "/tmp"]))?),
        ("gcc", gcc),
        ("rustc", rustc),
        ("others' load at the end", load.split(' ').next().unwrap_or_default().to_owned()),
    ];
    Ok(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The day, in UTC.
pub(super) fn date() -> anyhow::Result<String> {
    said(Command::new("date").args(["-u", "+%Y-%m-%d"]))
}

pub(super) fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = run::output(command)?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().trim().to_owned())
}

fn field(text: &str, name: &str) -> String {
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_once(':')).map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// What the threads of process `pid` have had of the processors, in seconds.
pub(super) fn cpu_seconds(pid: u64) -> anyhow::Result<f64> {
    let mut nanoseconds = 0_u64;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(std::time::Duration::from_nanos(nanoseconds).as_secs_f64())
}
