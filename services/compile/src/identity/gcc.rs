//! What GCC's drivers run and read: compiler proper, assembler, specification files, search folders.

use std::path::{Path, PathBuf};

use larder_service::{Hasher, Reason};

use super::loader::add_program;
use super::premises::Collector;
use super::probe::meanwhile;
use super::verbose::Verbose;
use super::{Asked, Toolset};
use crate::args::{Language, Refusal};
use crate::paths;

pub(super) fn toolset(collector: &mut Collector<'_>, asked: Asked<'_>) -> Result<Toolset, Refusal> {
    let mut hasher = Hasher::key("gcc toolset");
    let compiler = match asked.language {
        Language::C | Language::Assembler | Language::AssemblerWithCpp => "cc1",
        Language::Cxx => "cc1plus",
    };
    // The driver moves split debug information itself.
    let splits = asked.options.iter().any(|option| option.starts_with(b"-gsplit-dwarf"));
    let names: Vec<&str> = [compiler, "as"].into_iter().chain(splits.then_some("objcopy")).collect();
    let name_all = || names.iter().map(|name| named(asked, name)).collect::<Result<Vec<_>, _>>();
    let (spelled, dirs) = meanwhile(name_all, || asked.ask(&["-print-search-dirs"]));
    let (spelled, dirs) = (spelled?, dirs?);
    let (programs, libraries) =
        search_dirs(&dirs.stdout).filter(|_| dirs.succeeded).ok_or_else(|| asked.failed())?;
    let mut found_specs = Vec::new();
    for folder in libraries.iter().chain(&programs) {
        let folder = asked.cwd.join(folder);
        found_specs.extend(collector.file_or_absent(&folder.join("specs"))?);
        // Once there, it is one more folder to search.
        collector.absent(&folder.join("include"));
    }
    let (listing, added) = meanwhile(
        || asked.listing(),
        || {
            for (name, spelled) in names.iter().zip(&spelled) {
                let spelled = program(collector, asked, &programs, name, spelled)?;
                let program = collector.follow(&spelled).ok_or_else(|| asked.failed())?;
                add_program(collector, &mut hasher, &program, &asked.call.env, asked.clock)?;
            }
            Ok(())
        },
    );
    added?;
    for digest in found_specs {
        hasher.field("specs", &digest.hash);
    }
    let listing = listing?;
    let verbose = Verbose::read(&listing.stderr);
    if !listing.succeeded || !verbose.complete {
        return Err(asked.failed());
    }
    for file in &verbose.specs {
        specs(collector, &mut hasher, &paths::resolve(asked.cwd, file))?;
    }
    finish(hasher, verbose)
}

/// Ends a toolset with what the driver said under `-v`.
pub(super) fn finish(mut hasher: Hasher, verbose: Verbose) -> Result<Toolset, Refusal> {
    if let Some(folder) = verbose.odd_folder {
        return Err(Refusal { reason: Reason::IncludeComputed, detail: paths::text(&folder) });
    }
    hasher.field("command", &verbose.command);
    let mut folders = verbose.folders;
    // Which of them exist changes the order of the listing, and is no part of what the compiler is.
    folders.sort();
    for folder in &folders {
        hasher.field("folder", folder);
    }
    Ok(Toolset { key: hasher.finish_key(), folders })
}

pub(super) fn specs(collector: &mut Collector<'_>, hasher: &mut Hasher, file: &Path) -> Result<(), Refusal> {
    if let Some(digest) = collector.file_or_absent(file)? {
        hasher.field("specs", &digest.hash);
    }
    Ok(())
}

/// How the driver spells the program that it runs as `name`.
pub(super) fn named(asked: Asked<'_>, name: &str) -> Result<Vec<u8>, Refusal> {
    let answer = asked.ask(&[&format!("-print-prog-name={name}")])?;
    let spelled = answer.stdout.trim_ascii_end();
    if !answer.succeeded || spelled.is_empty() {
        return Err(asked.failed());
    }
    Ok(spelled.to_vec())
}

/// The program that the driver runs as `name` and spells so, links not followed; that no other stands before it in the search
/// is a premise.
pub(super) fn program(
    collector: &mut Collector<'_>,
    asked: Asked<'_>,
    programs: &[PathBuf],
    name: &str,
    spelled: &[u8],
) -> Result<PathBuf, Refusal> {
    for folder in programs {
        collector.absent(&asked.cwd.join(folder).join(name));
    }
    if spelled.contains(&b'/') {
        return Ok(paths::resolve(asked.cwd, spelled));
    }
    // Found in none of the driver's own folders, it is looked for along PATH.
    let path = asked.call.env.get("PATH").ok_or_else(|| asked.failed())?;
    let mut places =
        path.split(|byte| *byte == b':').map(|folder| paths::resolve(asked.cwd, folder).join(name));
    places.find(|place| !collector.absent(place) && is_executable(place)).ok_or_else(|| asked.failed())
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The folders after `programs:` and `libraries:` in the answer to `-print-search-dirs`.
pub(super) fn search_dirs(answer: &[u8]) -> Option<(Vec<PathBuf>, Vec<PathBuf>)> {
    let folders = |title: &str| {
        let line =
            answer.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(title.as_bytes()))?;
        let mut folders: Vec<PathBuf> = Vec::new();
        for folder in line.strip_prefix(b"=").unwrap_or(line).split(|byte| *byte == b':') {
            let folder = paths::as_path(folder).to_owned();
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        }
        Some(folders)
    };
    Some((folders("programs: ")?, folders("libraries: ")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn search_folders_are_read_once_each() {
        let (programs, libraries) =
            search_dirs(b"install: /i/\nprograms: =/a/:/b/:/a/\nlibraries: =/c/\n").unwrap();
        assert_eq!(programs, [PathBuf::from("/a/"), PathBuf::from("/b/")]);
        assert_eq!(libraries, [PathBuf::from("/c/")]);
        assert_eq!(search_dirs(b"install: /i/\n"), None);
    }

    #[test]
    fn what_native_stands_for_on_this_machine_is_in_the_key() {
        let key = |command: &str| {
            let verbose = Verbose::read(format!(" {command} -E -\n").as_bytes());
            finish(Hasher::key("test"), verbose).unwrap().key
        };
        assert_eq!(key("cc1 -march=znver3"), key("cc1 -march=znver3"));
        assert_ne!(key("cc1 -march=znver3"), key("cc1 -march=znver4"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = search_dirs(&bytes);
        }
    }
}
