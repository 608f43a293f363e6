//! Archivers: which tool it is, by its own word, and what it loads by itself.

use std::path::{Path, PathBuf};

use larder_service::{Hasher, Key, Reason};

use super::Asked;
use super::loader::{Bound, add_bound};
use super::premises::Collector;
use super::probe::Answer;
use crate::args::Refusal;
use crate::paths;

/// What an archiver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// `ar`.
    Archive,
    /// `ranlib`.
    Index,
}

/// An archiver that was identified.
#[derive(Debug)]
pub(crate) struct Archiver {
    pub(crate) key: Key,
    pub(crate) role: Role,
    /// It leaves out times and owners unless told otherwise.
    pub(crate) deterministic: bool,
    /// It writes into the archive that is there, so that mode and owner stay; otherwise it puts a new file there.
    pub(crate) keeps_file: bool,
}

/// What GCC's drivers of `ar` and `ranlib` hold, and those themselves do not: they run another program.
const DRIVER_MARK: &[u8] = b"liblto_plugin";

/// Where GNU's tools have plugins that they load unasked.
const PLUGINS: &str = "bfd-plugins";

/// The archiver that `asked` is about, by its `version`; `None` when it is something else. `hasher` has the program itself.
pub(super) fn identify(
    collector: &mut Collector<'_>,
    mut hasher: Hasher,
    asked: Asked<'_>,
    version: &Answer,
    program: &Path,
    bound: &Bound,
) -> Result<Option<Archiver>, Refusal> {
    let Some(gnu) = is_gnu(&version.stdout).filter(|_| version.succeeded) else { return Ok(None) };
    let help = asked.ask(&["--help"])?;
    let Some(role) = role(gnu, &version.stdout, &help.stdout) else { return Ok(None) };
    if gnu {
        let content = std::fs::read(program).map_err(|_| asked.failed())?;
        if content.windows(DRIVER_MARK.len()).any(|window| window == DRIVER_MARK) {
            return Err(Refusal {
                reason: Reason::CompilerUnknown,
                detail: paths::path_text(&asked.call.tool),
            });
        }
        add_plugins(collector, &mut hasher, asked, program, bound)?;
    }
    hasher.field("role", &[role as u8]);
    let deterministic = is_deterministic(&help.stdout);
    Ok(Some(Archiver { key: hasher.finish_key(), role, deterministic, keeps_file: gnu }))
}

/// Whether it is one of GNU's tools or of LLVM's; `None`: neither.
fn is_gnu(version: &[u8]) -> Option<bool> {
    let first = version.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if first.starts_with(b"GNU ") {
        return Some(true);
    }
    let mut words = first.split(|byte| *byte == b' ');
    words.any(|word| word == b"LLVM").then_some(false)
}

fn role(gnu: bool, version: &[u8], help: &[u8]) -> Option<Role> {
    let (text, archive, index) = if gnu {
        (version, &b"GNU ar "[..], &b"GNU ranlib "[..])
    } else {
        // All of LLVM's tools tell the same version.
        (help, &b"OVERVIEW: LLVM Archiver"[..], &b"OVERVIEW: LLVM Ranlib"[..])
    };
    if text.starts_with(archive) {
        Some(Role::Archive)
    } else {
        text.starts_with(index).then_some(Role::Index)
    }
}

/// The help calls `D` the default.
fn is_deterministic(help: &[u8]) -> bool {
    help.split(|byte| *byte == b'\n').any(|line| {
        let line = line.trim_ascii();
        (line.starts_with(b"[D] ") || line.starts_with(b"-D ")) && line.ends_with(b"(default)")
    })
}

/// Plugins read objects of link-time optimisation and so decide which symbols the index has.
fn add_plugins(
    collector: &mut Collector<'_>,
    hasher: &mut Hasher,
    asked: Asked<'_>,
    program: &Path,
    bound: &Bound,
) -> Result<(), Refusal> {
    // They are looked for from where the program lies and from where it was built for.
    let mut folders = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/local/lib")];
    folders.extend(bound.folders.iter().cloned());
    for prefix in [program, &asked.call.tool].into_iter().filter_map(|path| path.parent()?.parent()) {
        folders.extend([prefix.join("lib"), prefix.join("lib64")]);
        let names = bound.folders.iter().filter_map(|folder| folder.file_name());
        folders.extend(names.map(|name| prefix.join("lib").join(name)));
    }
    folders.sort();
    folders.dedup();
    for folder in folders.iter().map(|folder| folder.join(PLUGINS)) {
        collector.folder(&folder);
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut plugins = Vec::new();
        for entry in entries {
            plugins.push(entry.map_err(|_| asked.failed())?.path());
        }
        plugins.sort();
        for plugin in plugins {
            hasher.field("plugin", &paths::into_bytes(plugin.clone()));
            let Some(real) = collector.follow(&plugin).filter(|real| real.is_file()) else { continue };
            hasher.field("content", &collector.file(&real)?.hash);
            if let Some(loader) = &bound.loader {
                add_bound(collector, hasher, loader, &real, &asked.call.env, asked.clock)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_what_it_says_it_is() {
        let gnu = b"GNU ar (GNU Binutils for Debian) 2.40\nCopyright\n";
        assert_eq!(is_gnu(gnu), Some(true));
        assert_eq!(role(true, gnu, b""), Some(Role::Archive));
        assert_eq!(role(true, b"GNU ranlib (GNU Binutils) 2.42\n", b""), Some(Role::Index));
        assert_eq!(role(true, b"GNU strip (GNU Binutils) 2.42\n", b""), None);
        assert_eq!(is_gnu(b"Debian LLVM version 14.0.6\n"), Some(false));
        assert_eq!(is_gnu(b"LLVM (some address):\n  LLVM version 13\n"), Some(false));
        assert_eq!(role(false, b"", b"OVERVIEW: LLVM Ranlib (llvm-ranlib)\n"), Some(Role::Index));
        assert_eq!(role(false, b"", b"OVERVIEW: LLVM symbol table dumper\n"), None);
        assert_eq!(is_gnu(b"gcc (Debian) 12.2.0\n"), None);
        assert_eq!(is_gnu(b""), None);
    }

    #[test]
    fn only_a_default_makes_it_deterministic() {
        assert!(is_deterministic(b"  [D]          - use zero for timestamps and uids/gids (default)\n"));
        assert!(is_deterministic(
            b"  -D                           Use zero for symbol map timestamp (default)\n"
        ));
        assert!(!is_deterministic(
            b"  [D]  - use zero for timestamps and uids/gids\n  [U] - actual (default)\n"
        ));
    }
}
