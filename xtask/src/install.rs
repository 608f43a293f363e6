//! `cargo xtask install`

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::{man, release, say, workspace};

pub(crate) fn run(root: Option<PathBuf>) -> anyhow::Result<()> {
    let root = match root {
        Some(root) => std::path::absolute(root)?,
        None => cargo_home()?,
    };
    let built = release::build()?;
    let bin = root.join("bin");
    fs::create_dir_all(&bin).with_context(|| format!("failed to make {}", bin.display()))?;
    for name in workspace::PROGRAMS {
        replace(&built.join(name), &bin, name)?;
        say::line(&format!("installed {}", bin.join(name).display()));
    }
    let manual = root.join("share/man/man1");
    man::write(&manual)?;
    say::line(&format!("installed the manual in {}", manual.display()));
    say::line("");
    let on_path = std::env::var_os("PATH").is_some_and(|path| std::env::split_paths(&path).any(|p| p == bin));
    if !on_path {
        say::line(&format!("next: put {} on your PATH, then", bin.display()));
    } else {
        say::line("next:");
    }
    say::line("  larder stop --broker     # if an older one runs");
    say::line("  larder init     # makes Cargo, CMake and go call it; or: make CC=\"larder gcc\"");
    say::line("  larder status");
    Ok(())
}

/// Writes beside and renames: a program that runs keeps the file it was started from.
fn replace(from: &Path, folder: &Path, name: &str) -> anyhow::Result<()> {
    let beside = folder.join(format!(".{name}.{}", std::process::id()));
    let done = fs::copy(from, &beside).and_then(|_| fs::rename(&beside, folder.join(name)));
    if done.is_err() {
        let _ = fs::remove_file(&beside);
    }
    done.with_context(|| format!("failed to install {} in {}", from.display(), folder.display()))
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME").map(PathBuf::from).filter(|home| home.is_absolute()) {
        return Ok(home);
    }
    let home = std::env::home_dir().context("failed to find a home folder\nhint: --root DIR")?;
    Ok(home.join(".cargo"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn a_program_in_use_keeps_its_file_and_the_name_gets_the_new_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let new = folder.path().join("built");
        fs::write(&new, "new").expect("our folder");
        let target = folder.path().join("larderd");
        fs::write(&target, "old").expect("our folder");
        let open = fs::File::open(&target).expect("it is there");
        replace(&new, folder.path(), "larderd").expect("it can be replaced");
        assert_eq!(fs::read(&target).expect("it is there"), b"new");
        assert_ne!(open.metadata().expect("open").ino(), target.metadata().expect("there").ino());
        assert_eq!(fs::read_dir(folder.path()).expect("our folder").count(), 2, "nothing is left beside");
    }
}
