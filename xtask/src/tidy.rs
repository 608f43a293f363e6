//! `cargo xtask tidy`: the rules of the repository that no other tool holds.

mod crates;
mod imports;
mod texts;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};

use crate::{run, say, workspace};

/// One place where a rule does not hold.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Path from the repository's root.
    file: String,
    /// From 1; 0 where the file as a whole is meant.
    line: usize,
    what: String,
    /// What to do about it.
    mend: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {}\n    mend: {}", self.what, self.mend)
    }
}

pub(crate) fn run() -> anyhow::Result<()> {
    let root = workspace::root();
    let files = files(root)?;
    let metadata = workspace::metadata()?;
    let mut findings = imports::check(&metadata, root);
    findings.extend(crates::check(&metadata, root, &files));
    for file in &files {
        // What is not text, or a link to nowhere, has no lines to check.
        if let Ok(text) = fs::read_to_string(root.join(file)) {
            findings.extend(texts::check(file, &text));
        }
    }
    findings.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    for finding in &findings {
        say::line(&finding.to_string());
    }
    match findings.len() {
        0 => {
            say::line(&format!("tidy: {} files, nothing to mend", files.len()));
            Ok(())
        }
        1 => bail!("tidy: 1 place to mend"),
        many => bail!("tidy: {many} places to mend"),
    }
}

/// Every file of the repository: what git tracks or would track, or all there is where git cannot tell.
fn files(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut git = std::process::Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let mut files: Vec<String> = match run::output(&mut git) {
        Ok(output) => String::from_utf8(output.stdout)
            .context("failed to read the names that git lists: not UTF-8")?
            .split_terminator('\0')
            .map(str::to_owned)
            .collect(),
        Err(_) => {
            let mut files = Vec::new();
            walk(root, "", &mut files)?;
            files
        }
    };
    files.retain(|file| root.join(file).is_file());
    files.sort();
    files.dedup();
    Ok(files)
}

fn walk(root: &Path, below: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join(below)).with_context(|| format!("failed to list {below:?}"))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        if name == ".git" || name == "target" {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() { walk(root, &path, files)? } else { files.push(path) }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_how_to_mend_it() {
        let mut finding =
            Finding { file: "a/b.rs".into(), line: 7, what: "too long".into(), mend: "split it".into() };
        assert_eq!(finding.to_string(), "a/b.rs:7: too long\n    mend: split it");
        finding.line = 0;
        assert!(finding.to_string().starts_with("a/b.rs: too"));
    }

    #[test]
    fn without_git_the_tree_is_walked_and_what_is_built_left_out() {
        let root = tempfile::tempdir().expect("a temporary folder");
        for folder in ["src", "target", ".git"] {
            fs::create_dir(root.path().join(folder)).expect("our folder");
            fs::write(root.path().join(folder).join("x"), "").expect("our folder");
        }
        let mut files = Vec::new();
        walk(root.path(), "", &mut files).expect("our folder");
        assert_eq!(files, ["src/x"]);
    }
}
