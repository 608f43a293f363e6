//! `cargo xtask demo`: a real C project, built without larder, with an empty cache, and with a filled one.

mod pass;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail};

use crate::house::House;
use crate::say::Progress;
use crate::sources::Project;
use crate::{release, say};
use pass::Pass;

/// Most calls that are listed when they should have been hits and were none.
const SHOWN: usize = 10;

pub(crate) fn run(keep: bool) -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second signal ends this process at once.
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let progress = Progress::new();
    progress.line("building larder");
    let programs = release::build()?;
    let mut house = House::new(&programs)?;
    progress.line("fetching the sources of libgit2");
    let project = Project::lay_out(&house.work())?;
    progress.line(&format!(
        "{} C files; everything that is written lies in {}",
        project.files.len(),
        house.root().display()
    ));

    let mut passes = Vec::new();
    passes.push(build(&project, &house, "without larder", &interrupted, &progress)?);
    project.keep_reference()?;

    progress.line("starting larder");
    house.start()?;
    let status = house.status()?;
    let pages = [("daemon", text(&status["page"])), ("broker", text(&status["broker_page"]))];
    for (whose, page) in &pages {
        progress.line(&format!("{whose}'s page: {page}"));
    }
    for title in ["empty cache", "filled cache"] {
        passes.push(build(&project, &house, title, &interrupted, &progress)?);
        project.compare_with_reference()?;
        progress.line("every object and depfile is, byte for byte, the compiler's own");
        project.remove_outputs()?;
    }

    say::line("");
    say::line(&table::of(&passes));
    let status = house.status()?;
    say::line(&format!("store: {}", table::store(&status)));
    let failed = verdict(&passes, &house);
    if keep {
        for (whose, page) in &pages {
            say::line(&format!("{whose}'s page: {page}"));
        }
        say::line("\nto stop both and remove everything:");
        say::line(&format!("  {}", house.leave()));
    } else {
        house.end()?;
        say::line("daemon and broker were stopped, and with them their pages: --keep leaves them running");
    }
    failed
}

fn build(
    project: &Project,
    house: &House,
    title: &'static str,
    interrupted: &AtomicBool,
    progress: &Progress,
) -> anyhow::Result<Pass> {
    let pass = pass::run(project, house, title, interrupted)
        .with_context(|| format!("failed to build the project: {title}"))?;
    if interrupted.load(Ordering::Relaxed) {
        bail!("interrupted");
    }
    progress.line(&format!("{title}: {} files in {}", pass.files, say::time(pass.took)));
    Ok(pass)
}

/// The demonstration has succeeded when the last pass was all hits.
fn verdict(passes: &[Pass], house: &House) -> anyhow::Result<()> {
    let Some(last) = passes.last() else { bail!("nothing was built") };
    let hits = last.counts.map_or(0, |counts| counts.hits);
    if hits == last.files {
        return Ok(());
    }
    let others = house.not_hits(last.files)?;
    for line in others.iter().take(SHOWN) {
        say::error(line);
    }
    if others.len() > SHOWN {
        say::error(&format!("… and {} more", others.len() - SHOWN));
    }
    bail!(
        "{hits} of {} files came from the filled cache, and all should have\nhint: the lines above say why",
        last.files
    )
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or("none").to_owned()
}
