//! What Clang's drivers read beside the program itself: configuration files, GCC installations, search folders.

use std::path::{Path, PathBuf};

use larder_service::{Hasher, Reason};

use super::gcc::finish;
use super::premises::Collector;
use super::verbose::Verbose;
use super::{Asked, Toolset};
use crate::args::Refusal;
use crate::paths;

/// Files by which Clang tells one distribution from another.
const DISTRIBUTION: &[&str] = &[
    "/etc/debian_version",
    "/etc/lsb-release",
    "/etc/os-release",
    "/etc/redhat-release",
    "/usr/lib/os-release",
];

/// Largest configuration file that is read.
const MAX_CONFIG: u64 = 1024 * 1024;

pub(super) fn toolset(collector: &mut Collector<'_>, asked: Asked<'_>) -> Result<Toolset, Refusal> {
    let mut hasher = Hasher::key("clang toolset");
    let program = collector.follow(&asked.call.tool).ok_or_else(|| asked.failed())?;
    let own = folders_of(&asked.call.tool, &program);
    // An installation that comes or goes changes one of the folders that list them.
    for folder in &own {
        for libraries in ["lib", "lib32", "lib64", "libx32"] {
            collector.folder(&folder.join("..").join(libraries).join("gcc"));
            collector.folder(&folder.join("..").join(libraries).join("gcc-cross"));
        }
    }
    let listing = asked.listing()?;
    let verbose = Verbose::read(&listing.stderr);
    if !listing.succeeded || !verbose.complete {
        return Err(asked.failed());
    }
    for install in &verbose.gcc_installs {
        // The versions beside it, and its multilibs.
        let install = paths::resolve(asked.cwd, install);
        collector.folder(&install);
        if let Some(versions) = install.parent() {
            collector.folder(versions);
        }
    }
    for file in DISTRIBUTION {
        collector.file_or_absent(Path::new(file))?;
    }
    configs(collector, &mut hasher, asked, &verbose, &own)?;
    finish(hasher, verbose)
}

/// The folders in which a driver believes itself to be.
fn folders_of(tool: &Path, program: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in [tool, program].iter().filter_map(|path| path.parent()) {
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    folders
}

fn configs(
    collector: &mut Collector<'_>,
    hasher: &mut Hasher,
    asked: Asked<'_>,
    verbose: &Verbose,
    own: &[PathBuf],
) -> Result<(), Refusal> {
    for file in &verbose.configs {
        let path = paths::resolve(asked.cwd, file);
        let unclear = || Refusal { reason: Reason::CompilerUnknown, detail: paths::text(file) };
        let digest = collector.file(&path)?;
        // What it would take from elsewhere is not followed.
        let small = path.metadata().is_ok_and(|metadata| metadata.len() <= MAX_CONFIG);
        let text = if small { std::fs::read(&path).map_err(|_| unclear())? } else { return Err(unclear()) };
        if text.contains(&b'@') {
            return Err(unclear());
        }
        hasher.field("config", &digest.hash);
    }
    let named = verbose.config_folders.iter().map(|folder| paths::resolve(asked.cwd, folder));
    let variables = ["CLANG_CONFIG_FILE_SYSTEM_DIR", "CLANG_CONFIG_FILE_USER_DIR"];
    let variables = variables.iter().filter_map(|name| asked.call.env.get(name));
    let folders = own.iter().cloned().chain(named).chain(variables.map(|f| paths::resolve(asked.cwd, f)));
    let (_, name) = paths::split(&asked.call.tool_name);
    let names = [
        b"clang".to_vec(),
        name.to_vec(),
        verbose.target.clone(),
        [&verbose.target, &b"-clang"[..]].concat(),
    ];
    for folder in folders {
        for name in &names {
            let file = folder.join(paths::as_path(&[name.as_slice(), b".cfg"].concat()));
            if !collector.absent(&file) {
                collector.file(&file)?;
            }
        }
    }
    Ok(())
}
