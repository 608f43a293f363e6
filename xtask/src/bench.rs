//! `cargo xtask bench`: what larder costs beside the compilers themselves and beside its peers, measured in turns on one
//! machine. The goals are ratios within one run, so that they mean the same on any machine.

mod builds;
mod calls;
mod clients;
mod contender;
mod fingerprint;
mod go;
mod limit;
mod machine;
mod peers;
mod record;
mod report;
mod rounds;
mod start;

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::house::House;
use crate::say::Progress;
use crate::{release, say};
use contender::Contender;
use record::{Record, Row, Run};

/// What is measured together. A new one needs a name here, and a line in [`Group::measure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// One C and one C++ file whose results are known
    Calls,
    /// A call that finds no daemon
    Start,
    /// Many clients at once
    Clients,
    /// What the go command builds, vets and tests
    Go,
    /// Whether a tree of 100,000 files has changed
    Fingerprint,
    /// A C library, with an empty and with a filled cache
    Libgit2,
    /// A Rust program, likewise
    Fd,
}

impl Group {
    fn measure(self, bench: &Bench) -> anyhow::Result<Vec<Row>> {
        match self {
            Self::Calls => calls::measure(bench),
            Self::Start => start::measure(bench),
            Self::Clients => clients::measure(bench),
            Self::Go => go::measure(bench),
            Self::Fingerprint => fingerprint::measure(bench),
            Self::Libgit2 => builds::libgit2(bench),
            Self::Fd => builds::fd(bench),
        }
    }
}

/// What every measurement needs.
struct Bench {
    house: House,
    progress: Progress,
    /// Larder first, then its peers.
    caches: Vec<Contender>,
}

pub(crate) fn run(with_peers: bool, only: &[Group], json: bool) -> anyhow::Result<()> {
    let progress = Progress::new();
    progress.line("building larder");
    let programs = release::build()?;
    if with_peers {
        peers::install(&progress);
    }
    let peers = peers::known(&progress)?;
    rounds::heed_signals()?;
    let mut house = House::new(&programs)?;
    std::fs::create_dir(house.root().join(contender::PLACE))?;
    house.start()?;
    let mut caches = vec![Contender::larder(&programs)];
    caches.extend(peers);
    let groups = if only.is_empty() { Group::value_variants() } else { only };
    let bench = Bench { house, progress, caches };
    let mut rows = Vec::new();
    for group in groups {
        let name = group.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        bench.progress.line(&format!("measuring {name}"));
        rows.extend(group.measure(&bench).with_context(|| format!("failed to measure {name}"))?);
    }
    let versions = bench.caches.iter().map(|cache| (cache.name.to_owned(), cache.version.clone())).collect();
    bench.house.end()?;
    if rows.is_empty() {
        bail!("nothing was measured");
    }
    let run = Run { date: machine::date()?, machine: machine::describe()?, versions, rows };
    if json {
        say::line(&serde_json::to_string_pretty(&run)?);
    } else {
        say::line(&report::table(&run.rows, None));
    }
    let mut record = Record::read()?;
    record.add(run);
    record.write()?;
    report::write(&record)
}
