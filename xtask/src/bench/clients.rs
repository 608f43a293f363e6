//! Many clients at once, all of whose results are known.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context as _;

use super::calls::{self, C};
use super::record::{Against, Row};
use super::{Bench, machine, rounds};
use crate::run;

const CLIENTS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// Calls at each number of clients.
const CALLS: usize = 640;

/// What one number of clients made of [`CALLS`].
struct Load {
    clients: usize,
    per_second: f64,
    /// Milliseconds, sorted.
    times: Vec<f64>,
    /// The daemon's own, microseconds for each call.
    daemon_us: f64,
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let folder = bench.house.work().join("clients");
    C.lay_out(&folder)?;
    calls::settle();
    // The first stores; the others make the daemon's and the system's memory what it is in a build.
    load(bench, &folder, *CLIENTS.last().context("no clients")?)?;
    let before = bench.house.counts()?.unwrap_or_default();
    let loads =
        CLIENTS.iter().map(|clients| load(bench, &folder, *clients)).collect::<anyhow::Result<Vec<_>>>()?;
    let counts = bench.house.counts()?.unwrap_or_default().since(before);
    anyhow::ensure!(
        counts.hits == u64::try_from(CALLS * CLIENTS.len())?,
        "not all calls were hits: {counts:?}"
    );
    Ok(loads.iter().flat_map(Load::rows).collect())
}

impl Load {
    fn rows(&self) -> Vec<Row> {
        let row = |what: &str, title: String, unit: &str, goal: Option<f64>, value: f64| Row {
            id: format!("clients_{}_{what}", self.clients),
            title,
            unit: unit.to_owned(),
            against: Against::Limit,
            goal,
            figures: vec![rounds::lone(value)],
        };
        let clients = self.clients;
        let median = rounds::at(&self.times, 0.5);
        vec![
            row("rate", format!("{clients} clients: hits each second"), "1/s", None, self.per_second),
            row("median", format!("{clients} clients: median of a hit"), "ms", None, median),
            row(
                "tail",
                format!("{clients} clients: 99th percentile over the median"),
                "×",
                Some(5.0),
                rounds::at(&self.times, 0.99) / median,
            ),
            row(
                "daemon",
                format!("{clients} clients: the daemon's processor time for a hit"),
                "µs",
                Some(150.0),
                self.daemon_us,
            ),
        ]
    }
}

fn load(bench: &Bench, folder: &std::path::Path, clients: usize) -> anyhow::Result<Load> {
    let pid = bench.house.status()?["pid"].as_u64().context("the daemon's status has no process")?;
    let left = AtomicUsize::new(CALLS);
    let times = Mutex::new(Vec::with_capacity(CALLS));
    let failure = Mutex::new(None);
    let cpu = machine::cpu_seconds(pid)?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        for client in 0..clients {
            let (left, times, failure) = (&left, &times, &failure);
            scope.spawn(move || {
                let mut own = Vec::new();
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    let mut command = bench.caches[0].call(&bench.house, C.tool);
                    let begun = Instant::now();
                    if let Err(error) = run::output(C.compile(&mut command, folder, &format!("c{client}"))) {
                        failure
                            .lock()
                            .unwrap_or_else(std::sync::PoisonError::into_inner)
                            .get_or_insert(error);
                        left.store(0, Ordering::Relaxed);
                    }
                    own.push(begun.elapsed().as_secs_f64() * 1e3);
                }
                times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(own);
            });
        }
    });
    let took = start.elapsed().as_secs_f64();
    let daemon = machine::cpu_seconds(pid)? - cpu;
    if let Some(error) = failure.into_inner().unwrap_or_default() {
        return Err(error);
    }
    let mut times = times.into_inner().unwrap_or_default();
    times.sort_by(f64::total_cmp);
    let calls = f64::from(u32::try_from(times.len())?);
    Ok(Load { clients, per_second: calls / took, times, daemon_us: daemon * 1e6 / calls })
}
