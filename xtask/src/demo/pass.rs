//! One build of the whole project.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::house::{Counts, House};
use crate::sources::Project;
use crate::{run, say};

/// Without a terminal, one line for so many files.
const FILES_PER_LINE: u64 = 50;

/// What one build took and gave.
pub(super) struct Pass {
    pub(super) title: &'static str,
    pub(super) files: u64,
    pub(super) took: Duration,
    /// What larder counted meanwhile; `None` where it took no part.
    pub(super) counts: Option<Counts>,
}

/// Compiles every file, as many at once as there are processors. The first that fails ends the pass, as does
/// `interrupted`.
pub(super) fn run(
    project: &Project,
    house: &House,
    title: &'static str,
    interrupted: &AtomicBool,
) -> anyhow::Result<Pass> {
    let files = u64::try_from(project.files.len())?;
    let before = house.counts()?.unwrap_or_default();
    let bar = bar(files, title);
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                while let Some(file) = project.files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if interrupted.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut command = house.gcc();
                    if let Err(error) = run::output(project.compile(&mut command, file)) {
                        // The others stop at their next file.
                        next.store(project.files.len(), Ordering::Relaxed);
                        if let Ok(mut first) = failure.lock() {
                            first.get_or_insert(error);
                        }
                        break;
                    }
                    bar.inc(1);
                    if bar.is_hidden() && bar.position().is_multiple_of(FILES_PER_LINE) {
                        say::line(&format!("    {title}: {} of {files}", bar.position()));
                    }
                }
            });
        }
    });
    let took = start.elapsed();
    bar.finish_and_clear();
    if let Some(error) = failure.into_inner().unwrap_or_default() {
        return Err(error);
    }
    let counts = house.counts()?.map(|counts| counts.since(before));
    Ok(Pass { title, files, took, counts })
}

fn bar(files: u64, title: &'static str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{msg:>15} {wide_bar} {pos}/{len} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(Some(files), target).with_style(style).with_message(title)
}
