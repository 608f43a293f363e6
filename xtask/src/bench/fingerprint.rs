//! Whether a tree has changed: larder's check beside the least that must be done, a look at each file on all processors.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::record::{ALONE, Against, LARDER, Row};
use super::{Bench, calls, limit, rounds};
use crate::run;

const FOLDERS: usize = 1_000;
const FILES_EACH: usize = 100;
const ROUNDS: usize = 15;

/// Files that one thread looks at before it asks for more.
const SHARE: usize = 256;

/// How long one check may take.
const LIMIT: Duration = Duration::from_mins(2);

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let root = bench.house.work().join("tree");
    let mut files = Vec::with_capacity(FOLDERS * FILES_EACH);
    for folder in 0..FOLDERS {
        let folder = root.join(format!("part{}/module{folder}", folder / 50));
        fs::create_dir_all(&folder)?;
        for file in 0..FILES_EACH {
            let path = folder.join(format!("file{file}.rs"));
            fs::write(&path, format!("pub const NUMBER: usize = {file};\n"))?;
            files.push(path);
        }
    }
    calls::settle();
    let larder = |verb: &[&str]| {
        let mut command = bench.house.command(&bench.caches[0].program);
        command.arg("fingerprint").args(verb).args(["--cache", "state"]).current_dir(bench.house.work());
        command
    };
    // The first check finds everything new, and says so by its exit code.
    larder(&["check", "--root", "tree"]).output()?;
    run::output(&mut larder(&["success"]))?;
    let figures = rounds::run(&bench.progress, &[ALONE, LARDER], 3, ROUNDS, |who| {
        if who == 0 {
            return look_at_each(&files);
        }
        limit::output(&mut larder(&["check", "--root", "tree"]), LIMIT).map(|(_, took)| took)
    })?;
    Ok(vec![Row {
        id: "fingerprint_check".to_owned(),
        title: "100,000 files that have not changed, beside looking at each".to_owned(),
        unit: "ms".to_owned(),
        against: Against::Alone,
        goal: Some(1.5),
        figures,
    }])
}

/// Looks at each of `files`, whose names are known already.
fn look_at_each(files: &[PathBuf]) -> anyhow::Result<Duration> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let found = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let from = next.fetch_add(SHARE, Ordering::Relaxed);
                    let Some(share) =
                        files.get(from..files.len().min(from + SHARE)).filter(|s| !s.is_empty())
                    else {
                        return;
                    };
                    let there = share.iter().filter(|file| file.symlink_metadata().is_ok()).count();
                    found.fetch_add(there, Ordering::Relaxed);
                }
            });
        }
    });
    let took = start.elapsed();
    anyhow::ensure!(found.into_inner() == files.len(), "a file has vanished");
    Ok(took)
}
