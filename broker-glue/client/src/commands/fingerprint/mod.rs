//! `larder fingerprint check|success|failure|invalidate`
//!
//! The daemon is asked first, since it remembers digests; without it this process does the same by itself. Either way
//! it is this process that writes the cache file.

mod alone;
mod ask;
mod render;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use larder_glue::folders::Folders;
use larder_glue::private;
use larder_proto::v1::FingerprintChecked;
use larder_tree::{Choice, Depth, Selection};

use crate::complaint;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Exit with 0 when no file has changed since the last success, with 1 when one has or the work failed, 2: an error
    Check {
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        kept: KeptIn,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// The work that followed the last check has succeeded
    Success(KeptIn),
    /// The work that followed the last check has failed, and stays due
    Failure(KeptIn),
    /// Whatever was done must be done again
    Invalidate(KeptIn),
}

#[derive(Args, Debug)]
pub(super) struct KeptIn {
    /// The file that keeps what was found; made when there is none, and never one of those looked at
    #[arg(long = "cache", value_name = "FILE")]
    file: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct Files {
    /// The folder whose files are meant
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// How closely files are looked at
    #[arg(long = "type", value_name = "TYPE", default_value = "two-layer")]
    depth: Type,
    /// Only files with this extension, without its dot; none: all files
    #[arg(long, value_name = "EXTENSION")]
    ext: Vec<std::ffi::OsString>,
    /// Only files that match: the path from DIR, or the name where the glob has no slash
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No files that match, and nothing in folders that do
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
    /// Leave out .git, and what .gitignore, .ignore and .git/info/exclude name
    #[arg(long)]
    ignore_rules: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    /// The content of every file
    Hash,
    /// Size, times and inode first; the content where they differ
    TwoLayer,
}

/// What is to be done with a cache file.
enum Verb {
    Check(Box<Selection>, Depth),
    Success,
    Failure,
    Invalidate,
}

/// What came of it.
struct Done {
    /// The answer to a check.
    checked: Option<FingerprintChecked>,
    /// What the cache file is to hold; `None`: what it holds.
    state: Option<Vec<u8>>,
}

pub(super) fn run(command: &Command) -> ExitCode {
    match run_or_fail(command) {
        Ok(code) => code,
        Err(error) => {
            super::say(&format!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

fn run_or_fail(command: &Command) -> anyhow::Result<ExitCode> {
    let (verb, kept, json) = match command {
        Command::Check { files, kept, json } => (check(files)?, kept, *json),
        Command::Success(kept) => (Verb::Success, kept, false),
        Command::Failure(kept) => (Verb::Failure, kept, false),
        Command::Invalidate(kept) => (Verb::Invalidate, kept, false),
    };
    let cache = resolved(&kept.file)?;
    let done = match ask::daemon(&verb, &cache) {
        Ok(done) => done,
        Err(why) => {
            if let (ask::Aside::Because(why), Ok(folders)) = (why, Folders::from_env()) {
                complaint::say_once(&folders, &format!("{why}; going on without the daemon"));
            }
            alone::do_it(&verb, &cache)?
        }
    };
    if let Some(state) = &done.state {
        // Not put in place, a check must not be followed by a mark: that would be of an earlier one.
        private::write_atomically(&cache, state)?;
    }
    let Some(checked) = &done.checked else { return Ok(ExitCode::SUCCESS) };
    let text = if json { render::json(checked)? } else { render::text(checked) };
    // Whoever does not read the list to its end wants the exit code all the same.
    let _ = super::print(&text);
    Ok(ExitCode::from(u8::from(!checked.unchanged)))
}

fn check(files: &Files) -> anyhow::Result<Verb> {
    let root = files.root.canonicalize();
    let root = root.with_context(|| format!("failed to find the folder {}", files.root.display()))?;
    let choice = Choice {
        extensions: files.ext.iter().map(|extension| extension.as_bytes().to_vec()).collect(),
        include: files.include.clone(),
        exclude: files.exclude.clone(),
        ignore_rules: files.ignore_rules,
    };
    let depth = match files.depth {
        Type::Hash => Depth::Content,
        Type::TwoLayer => Depth::TwoLayer,
    };
    Ok(Verb::Check(Box::new(Selection::new(root, choice)?), depth))
}

/// The place of the cache file, absolute and past links, its folder made where there is none.
fn resolved(file: &Path) -> anyhow::Result<PathBuf> {
    if let Ok(path) = file.canonicalize() {
        return Ok(path);
    }
    let why = || format!("failed to use {} as the cache file", file.display());
    let name = file.file_name().with_context(why)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(why)?;
    Ok(folder.canonicalize().with_context(why)?.join(name))
}
