//! A call that finds no daemon: how long until one runs and has told a result that it knows.

use std::time::Duration;

use super::calls::{self, C};
use super::record::{Against, LARDER, Row};
use super::{Bench, limit, rounds};

const WARM_UPS: usize = 2;
const ROUNDS: usize = 20;

/// How long one call may take.
const LIMIT: Duration = Duration::from_secs(60);

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let folder = bench.house.work().join("start");
    C.lay_out(&folder)?;
    calls::settle();
    let call = || {
        let mut command = bench.caches[0].call(&bench.house, C.tool);
        limit::time(C.compile(&mut command, &folder, "one"), LIMIT)
    };
    // The first stores.
    call()?;
    let figures = rounds::run(&bench.progress, &[LARDER], WARM_UPS, ROUNDS, |_| {
        bench.house.stop()?;
        let took = call()?;
        let counts = bench.house.counts()?.unwrap_or_default();
        anyhow::ensure!(counts.hits == 1, "the call was no hit of a new daemon's: {counts:?}");
        Ok(took)
    })?;
    Ok(vec![Row {
        id: "first_hit".to_owned(),
        title: "C file with 86 headers, hit, where no daemon runs: from the call to its end".to_owned(),
        unit: "ms".to_owned(),
        against: Against::Limit,
        goal: Some(50.0),
        figures,
    }])
}
