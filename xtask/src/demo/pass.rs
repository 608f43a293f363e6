//! One build of the whole project.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

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
    let took = run::each(&project.files, |file| {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(());
        }
        run::output(project.compile(&mut house.gcc(), file))?;
        bar.inc(1);
        if bar.is_hidden() && bar.position().is_multiple_of(FILES_PER_LINE) {
            say::line(&format!("    {title}: {} of {files}", bar.position()));
        }
        Ok(())
    });
    bar.finish_and_clear();
    let took = took?;
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
