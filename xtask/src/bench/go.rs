//! What the go command does with larder as its cache, beside its own cache.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::record::{ALONE, Against, LARDER, Row};
use super::{Bench, limit, rounds};
use crate::{run, workspace};

const ROUNDS: usize = 9;
const COLD_ROUNDS: usize = 3;

/// How long one command may take.
const LIMIT: Duration = Duration::from_mins(10);

/// A verb, what it is called in the record, and its arguments.
const WARM: [(&str, &str, &[&str]); 3] = [
    ("go_build", "go build std, warm", &["build", "std"]),
    ("go_vet", "go vet of four trees, warm", &["vet", "net/...", "crypto/...", "encoding/...", "go/..."]),
    (
        "go_test",
        "go test of eight packages, warm",
        &["test", "bytes", "strings", "sort", "strconv", "bufio", "path", "unicode", "errors"],
    ),
];

/// Go's own cache, and larder's.
const NAMES: [&str; 2] = [ALONE, LARDER];

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let go = fs::canonicalize(workspace::tools().join("bin/go"))
        .context("failed to find the go command\nhint: cargo xtask setup")?;
    let work = bench.house.work().join("go");
    fs::create_dir_all(&work)?;
    let mut rows = Vec::new();
    let once = |who: usize, args: &[&str]| time(bench, &go, &work, NAMES[who], args);

    let cold = rounds::run(&bench.progress, &NAMES, 0, COLD_ROUNDS, |who| {
        let own = work.join(NAMES[who]);
        if own.exists() {
            fs::remove_dir_all(own)?;
        }
        if NAMES[who] == LARDER {
            run::output(bench.house.command(&bench.caches[0].program).arg("clear"))?;
        }
        once(who, &["build", "std"])
    })?;
    rows.push(row("go_cold", "go build std, cold", 1.03, cold));
    for (id, title, args) in WARM {
        // Two fill it, and what is asked in one run is foretold in the next.
        let figures = rounds::run(&bench.progress, &NAMES, 2, ROUNDS, |who| once(who, args))?;
        rows.push(row(id, title, 1.25, figures));
    }
    Ok(rows)
}

fn row(id: &str, title: &str, goal: f64, figures: Vec<super::record::Figure>) -> Row {
    Row {
        id: id.to_owned(),
        title: title.to_owned(),
        unit: "ms".to_owned(),
        against: Against::Alone,
        goal: Some(goal),
        figures,
    }
}

fn time(bench: &Bench, go: &Path, work: &Path, who: &str, args: &[&str]) -> anyhow::Result<Duration> {
    let mut command = bench.house.command(go);
    command
        .args(args)
        .current_dir(work)
        .env("PWD", work)
        .env("GOCACHE", work.join(who))
        .envs([("GOPROXY", "off"), ("GOSUMDB", "off"), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=mod")])
        .env_remove("GOCACHEPROG");
    if who == LARDER {
        command.env("GOCACHEPROG", format!("{} go", bench.caches[0].program.display()));
    }
    limit::output(&mut command, LIMIT).map(|(_, took)| took)
}
