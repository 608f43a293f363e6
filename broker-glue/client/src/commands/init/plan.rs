//! One change to a file: shown first, then carried out.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use larder_glue::definition;

/// Largest file that is edited, bytes.
const FILE_LIMIT: u64 = 4 << 20;

/// What one step does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Act {
    /// Writes a text in the place of another; `None` where there was no file.
    Write {
        before: Option<String>,
        after: String,
    },
    Remove,
    /// Registers the daemon at a path.
    Register(PathBuf),
    Nothing,
}

/// A change, or the note that none is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    file: PathBuf,
    act: Act,
    /// What is to be done, or what is left alone and why, line by line.
    lines: Vec<String>,
}

impl Step {
    /// `after` in the place of `before`; an empty text is no file.
    pub(super) fn edit(file: &Path, before: Option<String>, after: String, lines: Vec<String>) -> Self {
        let act = match &before {
            None if after.is_empty() => Act::Nothing,
            Some(before) if *before == after => Act::Nothing,
            Some(_) if after.trim().is_empty() => Act::Remove,
            _ => Act::Write { before, after },
        };
        Self { file: file.to_owned(), act, lines }
    }

    pub(super) fn register(file: &Path, daemon: &Path) -> Self {
        let lines = vec![format!("describe {} to brokers", daemon.display())];
        Self { file: file.to_owned(), act: Act::Register(daemon.to_owned()), lines }
    }

    pub(super) fn remove(file: &Path, line: &str) -> Self {
        Self { file: file.to_owned(), act: Act::Remove, lines: vec![line.to_owned()] }
    }

    pub(super) fn nothing(file: &Path) -> Self {
        Self { file: file.to_owned(), act: Act::Nothing, lines: Vec::new() }
    }

    /// Something to be said that belongs to no file.
    pub(super) fn note(line: &str) -> Self {
        Self { file: PathBuf::new(), act: Act::Nothing, lines: vec![line.to_owned()] }
    }

    pub(super) fn changes(&self) -> bool {
        self.act != Act::Nothing
    }

    /// For people; empty where there is nothing to say.
    pub(super) fn shown(&self) -> String {
        let mut text = String::new();
        let verb = match &self.act {
            Act::Write { before: None, .. } => "make",
            Act::Write { .. } => "edit",
            Act::Remove => "remove",
            Act::Register(_) => "write",
            Act::Nothing => "leave",
        };
        if self.file.as_os_str().is_empty() {
            text.extend(self.lines.iter().map(|line| format!("{line}\n")));
        } else if self.changes() || !self.lines.is_empty() {
            let _ = writeln!(text, "{verb} {}", self.file.display());
            text.extend(self.lines.iter().map(|line| format!("    {line}\n")));
        }
        text
    }

    /// Does it, unless the file has changed since it was looked at.
    pub(super) fn carry_out(&self) -> anyhow::Result<()> {
        match &self.act {
            Act::Nothing => Ok(()),
            Act::Register(daemon) => Ok(definition::register(daemon)?),
            Act::Remove => std::fs::remove_file(&self.file)
                .with_context(|| format!("failed to remove {}", self.file.display())),
            Act::Write { before, after } => {
                if read(&self.file)? != *before {
                    anyhow::bail!(
                        "failed to edit {}: it has just changed\nhint: try again",
                        self.file.display()
                    );
                }
                write(&self.file, after).with_context(|| format!("failed to write {}", self.file.display()))
            }
        }
    }
}

/// The text of `file`; `None` where there is none.
pub(in crate::commands) fn read(file: &Path) -> anyhow::Result<Option<String>> {
    let failed = || format!("failed to read {}", file.display());
    let Ok(meta) = file.metadata() else { return Ok(None) };
    if !meta.is_file() || meta.len() > FILE_LIMIT {
        anyhow::bail!("failed to edit {}: it is no file, or larger than {FILE_LIMIT} bytes", file.display());
    }
    std::fs::read_to_string(file).map(Some).with_context(failed)
}

/// Writes beside and renames, with the file's own mode; a link stays one, and leads to the new text.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let folder = real.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(folder)?;
    let mode = real.metadata().map(|meta| meta.permissions()).ok();
    let beside = folder.join(format!(".larder-init.{}", std::process::id()));
    let done = || {
        let mut new = std::fs::File::options().write(true).create_new(true).open(&beside)?;
        new.write_all(text.as_bytes())?;
        if let Some(mode) = mode {
            new.set_permissions(mode)?;
        }
        new.sync_all()?;
        std::fs::rename(&beside, &real)
    };
    done().inspect_err(|_| drop(std::fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_step_edits_makes_and_removes_and_keeps_links_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("rc"), folder.path().join("link"));
        std::os::unix::fs::symlink("rc", &link).unwrap();
        std::fs::write(&file, "a\n").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        let step = Step::edit(&link, Some("a\n".into()), "b\n".into(), vec!["b".into()]);
        assert!(step.changes() && step.shown().starts_with("edit "));
        step.carry_out().unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "b\n");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        // It is no longer what was looked at.
        assert!(step.carry_out().is_err());
        let new = folder.path().join("deep/er");
        Step::edit(&new, None, "c".into(), vec![]).carry_out().unwrap();
        Step::edit(&new, Some("c".into()), "\n".into(), vec![]).carry_out().unwrap();
        assert!(!new.exists());
        assert!(!Step::edit(&new, None, String::new(), vec![]).changes());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "nothing is left beside");
    }
}
