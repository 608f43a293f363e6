//! Whole projects, with an empty and with a filled cache.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::contender::Contender;
use super::record::{ALONE, Against, Figure, LARDER, Row};
use super::{Bench, calls, limit, rounds};
use crate::sources::Project;
use crate::{projects, run};

/// Rounds with an empty cache, and with a filled one.
const COLD: usize = 2;
const WARM: usize = 5;

/// How long one command may take.
const LIMIT: Duration = Duration::from_mins(5);

pub(super) fn libgit2(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let work = bench.house.work().join("git");
    fs::create_dir_all(&work)?;
    let project = Project::lay_out(&work)?;
    calls::settle();
    let caches: Vec<&Contender> = bench.caches.iter().filter(|cache| cache.c).collect();
    let build = |cache: Option<&Contender>| -> anyhow::Result<Duration> {
        project.remove_outputs()?;
        let took = run::each(&project.files, |file| {
            let mut command =
                cache.map_or_else(|| bench.house.command("gcc"), |cache| cache.call(&bench.house, "gcc"));
            limit::output(project.compile(&mut command, file), LIMIT).map(drop)
        })?;
        Ok(took)
    };
    build(None)?;
    project.keep_reference()?;
    let build = |cache: Option<&Contender>| {
        let took = build(cache)?;
        project.compare_with_reference().map(|()| took)
    };
    let _running = caches.iter().map(|cache| cache.start(&bench.house)).collect::<Result<Vec<_>, _>>()?;
    rows(bench, "libgit2", "libgit2 (C)", &caches, build)
}

pub(super) fn fd(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let source = projects::program()?;
    let work = bench.house.work().join("fd");
    run::output(Command::new("cp").arg("-R").arg(source).arg(&work))?;
    calls::settle();
    let caches: Vec<&Contender> = bench.caches.iter().filter(|cache| cache.rust).collect();
    let _running = caches.iter().map(|cache| cache.start(&bench.house)).collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for (profile, options) in [("dev", &[][..]), ("release", &["--release"])] {
        let build = |cache: Option<&Contender>| cargo(bench, &work, cache, options);
        found.extend(rows(
            bench,
            &format!("fd_{profile}"),
            &format!("fd-find (Rust, {profile})"),
            &caches,
            build,
        )?);
    }
    Ok(found)
}

/// Two rows: a build that fills the cache against one without, and builds from a filled one against the peers'.
fn rows(
    bench: &Bench,
    id: &str,
    title: &str,
    caches: &[&Contender],
    build: impl Fn(Option<&Contender>) -> anyhow::Result<Duration>,
) -> anyhow::Result<Vec<Row>> {
    let row = |what: &str, against, goal, figures| Row {
        id: format!("{id}_{what}"),
        title: format!("{title}, {what}"),
        unit: "ms".to_owned(),
        against,
        goal: Some(goal),
        figures,
    };
    let cold = rounds::run(&bench.progress, &[ALONE, LARDER], 0, COLD, |who| {
        if who == 0 {
            return build(None);
        }
        run::output(bench.house.command(&bench.caches[0].program).arg("clear"))?;
        build(Some(&bench.caches[0]))
    })?;
    bench.progress.line(&format!("{title}: with an empty cache, done"));
    let names: Vec<&str> = caches.iter().map(|cache| cache.name).collect();
    // The first fills a peer's cache; the second brings what it needs into memory.
    let mut warm = rounds::run(&bench.progress, &names, 2, WARM, |who| build(Some(caches[who])))?;
    let alone = cold.iter().find(|figure| figure.who == ALONE).cloned();
    let quick = |figure: &Figure| alone.as_ref().is_none_or(|alone| figure.median < alone.median);
    warm.retain(|figure| figure.who == LARDER || quick(figure));
    warm.extend(alone);
    Ok(vec![row("cold", Against::Alone, 1.05, cold), row("warm", Against::BestPeer, 0.6, warm)])
}

/// One build in a target folder that is empty.
fn cargo(
    bench: &Bench,
    work: &Path,
    cache: Option<&Contender>,
    options: &[&str],
) -> anyhow::Result<Duration> {
    let target = work.with_file_name("fd-target");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut command = bench.house.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let known = ["CARGO_HOME", "CARGO"];
        if name.to_str().is_some_and(|name| name.starts_with("CARGO") && !known.contains(&name)) {
            command.env_remove(name);
        }
    }
    // Cargo's own home stays, for that is where the sources are; so does rustup's.
    let home = std::env::home_dir().context("there is no home folder")?;
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        command.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(folder).into_os_string()));
    }
    command
        .args([
            "build",
            "--locked",
            "--offline",
            "--quiet",
            "--no-default-features",
            "--features",
            "completions",
        ])
        .args(options)
        .current_dir(work)
        .env("PWD", work)
        .env("CARGO_TARGET_DIR", &target);
    if let Some(cache) = cache {
        cache.prepare(&bench.house, &mut command);
        // What none of the caches keeps.
        command.env("CARGO_INCREMENTAL", "0").env("RUSTC_WRAPPER", cache.as_wrapper());
    } else {
        command.env("CARGO_INCREMENTAL", "0");
    }
    let (_, took) = limit::output(&mut command, LIMIT)?;
    let profile = if options.is_empty() { "debug" } else { "release" };
    let help = run::output(Command::new(target.join(profile).join("fd")).arg("--version"))?;
    if !help.stdout.starts_with(b"fd ") {
        bail!("the program that was built is not fd");
    }
    Ok(took)
}
