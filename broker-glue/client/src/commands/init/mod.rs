//! `larder init`: makes the build tools of a user, or of a project, call larder, and takes that back again.
//!
//! The plan is shown first. What others have set is left alone, and what is written is marked, so that `--undo` finds it.

mod cargo;
mod plan;
mod shell;

use std::ffi::OsString;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use larder_glue::{definition, programs};

use plan::Step;
pub(super) use plan::read;

/// How `larder init` was called.
#[derive(Clone, Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  larder init               show what would be set up for you, and ask\n  larder init --project     the same for the Cargo project in this folder\n  larder init --check       exit with 1 when something is not set up\n  larder init --undo --yes  take all of it back"
)]
pub(super) struct Options {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Only look: exit with 1 when something would be changed
    #[arg(long, conflicts_with_all = ["yes"])]
    check: bool,
    /// Take back what an earlier `larder init` set
    #[arg(long)]
    undo: bool,
    /// Set up the Cargo project in this folder rather than the user
    #[arg(long)]
    project: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let steps = if options.project { for_project(options.undo)? } else { for_user(options.undo)? };
    let mut text = String::new();
    for step in &steps {
        text.push_str(&step.shown());
    }
    let changes = steps.iter().filter(|step| step.changes()).count();
    if changes == 0 {
        text.push_str(if options.undo { "nothing is left to take back\n" } else { "everything is set up\n" });
    }
    super::print(&text)?;
    if changes == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    if options.check {
        return Ok(ExitCode::FAILURE);
    }
    if !options.yes && !agreed()? {
        super::say("nothing was changed");
        return Ok(ExitCode::FAILURE);
    }
    for step in &steps {
        step.carry_out()?;
    }
    super::say(match options.undo {
        true => "done; shells that are open keep their variables",
        false => "done; new shells have the variables (`larder doctor` checks all of it)",
    });
    Ok(ExitCode::SUCCESS)
}

/// Asks on the terminal.
fn agreed() -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        anyhow::bail!("failed to ask: standard input is no terminal\nhint: larder init --yes");
    }
    write!(std::io::stderr(), "larder: change these files? [y/N] ")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn for_user(undo: bool) -> anyhow::Result<Vec<Step>> {
    let larder = std::env::current_exe().context("failed to find this program")?;
    let larder = larder.to_str().context("failed to set up a program whose path is not UTF-8")?;
    let home = std::env::home_dir().context("failed to find a home folder\nhint: set HOME")?;
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let mut steps = vec![cargo_step(&cargo_config(&cargo_home(&home, variable)), larder, undo)?];
    match shell::Shell::of(variable("SHELL").as_deref()) {
        Some(shell) => steps.push(shell_step(&shell.file(&home, variable), shell, larder, undo)?),
        None => steps.push(Step::note(
            "the shell is none of bash, zsh and fish: set GOCACHEPROG and the like yourself (larder --help)",
        )),
    }
    steps.push(definition_step(undo)?);
    Ok(steps)
}

fn for_project(undo: bool) -> anyhow::Result<Vec<Step>> {
    let folder = std::env::current_dir()?;
    if !folder.join("Cargo.toml").is_file() {
        anyhow::bail!(
            "failed to find a project: {} has no Cargo.toml\nhint: make CC=\"larder cc\", or cmake -DCMAKE_C_COMPILER_LAUNCHER=larder",
            folder.display()
        );
    }
    // Others who have the project have larder elsewhere.
    Ok(vec![cargo_step(&cargo_config(&folder.join(".cargo")), "larder", undo)?])
}

pub(super) fn cargo_home(home: &Path, variable: impl Fn(&str) -> Option<OsString>) -> PathBuf {
    variable("CARGO_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .unwrap_or_else(|| home.join(".cargo"))
}

/// The file that Cargo reads in `folder`: where both are there, the one without a suffix.
pub(super) fn cargo_config(folder: &Path) -> PathBuf {
    let old = folder.join("config");
    if old.is_file() { old } else { folder.join("config.toml") }
}

fn cargo_step(file: &Path, larder: &str, undo: bool) -> anyhow::Result<Step> {
    let text = read(file)?;
    let failed = || format!("failed to read {}", file.display());
    let edit = match undo {
        true => cargo::unset(text.as_deref().unwrap_or_default()).with_context(failed)?,
        false => cargo::set(text.as_deref().unwrap_or_default(), larder).with_context(failed)?,
    };
    Ok(Step::edit(file, text, edit.text, edit.lines))
}

fn shell_step(file: &Path, shell: shell::Shell, larder: &str, undo: bool) -> anyhow::Result<Step> {
    let text = read(file)?;
    let before = text.as_deref().unwrap_or_default();
    let block = (!undo).then(|| shell.lines(larder));
    let after = shell::with_block(before, block.as_deref()).with_context(|| {
        format!("failed to find the end of larder's lines in {}\nhint: remove them by hand", file.display())
    })?;
    let lines = match (after == before, block) {
        (true, _) => Vec::new(),
        (false, Some(block)) => block.lines().map(str::to_owned).collect(),
        (false, None) => vec!["remove larder's lines".to_owned()],
    };
    Ok(Step::edit(file, text, after, lines))
}

/// Brokers find the daemon by it. Every start registers it as well.
fn definition_step(undo: bool) -> anyhow::Result<Step> {
    let file = definition::path()?;
    let registered = definition::registered()?;
    let daemon = programs::beside(programs::DAEMON)?;
    let wanted = definition::build(&daemon)?;
    Ok(match (undo, registered) {
        (false, Some(known)) if known == wanted => Step::nothing(&file),
        (false, _) => Step::register(&file, &daemon),
        (true, Some(known)) if known == wanted => Step::remove(&file, "remove the service definition"),
        (true, _) => Step::nothing(&file),
    })
}
