//! The project that is built: libgit2, whose sources a crate carries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::projects;

/// The sources, and where their objects go.
pub(crate) struct Project {
    known: projects::Project,
    source: PathBuf,
    /// Where every compiler runs.
    work: PathBuf,
    /// C files, relative to the sources.
    pub(crate) files: Vec<String>,
}

impl Project {
    /// Fetches the sources, and makes folders for the objects below `work`.
    pub(crate) fn lay_out(work: &Path) -> anyhow::Result<Self> {
        let known = projects::Project::called("libgit2")?;
        let source = projects::fetch(&[&known])?.remove(0);
        let files = known.list(&source)?;
        fs::create_dir_all(work.join("include"))?;
        for (name, text) in &known.headers {
            fs::write(work.join("include").join(name), text)?;
        }
        let project = Self { known, source, work: work.to_owned(), files };
        project.make_folders()?;
        Ok(project)
    }

    /// The compile of `file`, by `command`, which is gcc with or without larder.
    pub(crate) fn compile<'a>(&self, command: &'a mut Command, file: &str) -> &'a mut Command {
        command.current_dir(&self.work).env("PWD", &self.work);
        command.args(["-O2", "-g", "-Iinclude"]);
        for include in &self.known.includes {
            command.arg(format!("-I{}", self.source.join(include).display()));
        }
        command.args(&self.known.flags).arg("-MD").arg("-MF").arg(output(file, "d"));
        command.arg("-c").arg(self.source.join(file)).arg("-o").arg(output(file, "o"))
    }

    /// Puts the outputs aside as those that all others must equal.
    pub(crate) fn keep_reference(&self) -> anyhow::Result<()> {
        fs::rename(self.work.join("build"), self.work.join("reference"))?;
        self.make_folders()
    }

    pub(crate) fn compare_with_reference(&self) -> anyhow::Result<()> {
        for file in &self.files {
            for extension in ["o", "d"] {
                let output = output(file, extension);
                let below = output.strip_prefix("build").unwrap_or(&output);
                let reference = self.work.join("reference").join(below);
                let output = self.work.join(&output);
                let read = |path: &Path| {
                    fs::read(path).with_context(|| format!("failed to read {}", path.display()))
                };
                if read(&output)? != read(&reference)? {
                    bail!(
                        "{} is not what gcc makes of {file} without larder, which is in {}",
                        output.display(),
                        reference.display()
                    );
                }
            }
        }
        Ok(())
    }

    pub(crate) fn remove_outputs(&self) -> anyhow::Result<()> {
        fs::remove_dir_all(self.work.join("build"))?;
        self.make_folders()
    }

    fn make_folders(&self) -> anyhow::Result<()> {
        for file in &self.files {
            let output = self.work.join(output(file, "o"));
            if let Some(folder) = output.parent() {
                fs::create_dir_all(folder)?;
            }
        }
        Ok(())
    }
}

/// Output of `file`, relative to the work folder.
fn output(file: &str, extension: &str) -> PathBuf {
    Path::new("build").join(file).with_extension(extension)
}
