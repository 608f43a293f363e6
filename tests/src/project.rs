//! Real projects, as `cargo xtask setup` fetches them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Sandbox, sandbox};

/// A project's sources, and what of them is built.
#[derive(Debug, Deserialize)]
pub struct Project {
    folders: Vec<String>,
    suffixes: Vec<String>,
    files: Vec<String>,
    left_out: Vec<String>,
    includes: Vec<String>,
    flags: Vec<String>,
    headers: BTreeMap<String, String>,
    #[serde(skip)]
    sources: PathBuf,
}

impl Project {
    /// The project called `name`, its own headers written into `include` below the work folder.
    ///
    /// # Panics
    /// When its sources are not there.
    #[must_use]
    pub fn new(sandbox: &Sandbox, name: &str) -> Self {
        let description =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("projects").join(name).with_extension("toml");
        let text = std::fs::read_to_string(description).expect("a project that is known");
        let mut project: Self = toml::from_str(&text).expect("a description that can be read");
        project.sources = sandbox::fetched(name);
        std::fs::create_dir_all(sandbox.work().join("include")).expect("our own folder");
        for (name, text) in &project.headers {
            sandbox.write_settled(&format!("include/{name}"), text);
        }
        project
    }

    /// Each file to build, and the name of its object.
    ///
    /// # Panics
    /// When a folder is not there.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, String)> {
        let mut files = self.files.clone();
        for folder in &self.folders {
            for entry in std::fs::read_dir(self.sources.join(folder)).expect("the sources are whole") {
                let name = entry.expect("readable").file_name().into_string().expect("a plain name");
                let wanted = self.suffixes.iter().any(|suffix| name.ends_with(&format!(".{suffix}")));
                let file = format!("{folder}/{name}");
                if wanted && !self.left_out.contains(&file) {
                    files.push(file);
                }
            }
        }
        files.sort();
        files
            .into_iter()
            .map(|file| (self.sources.join(&file), file.replace(['/', '.'], "_") + ".o"))
            .collect()
    }

    /// Options of each compile.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let includes =
            self.includes.iter().map(|folder| format!("-I{}", self.sources.join(folder).display()));
        std::iter::once("-Iinclude".to_owned()).chain(includes).chain(self.flags.iter().cloned()).collect()
    }
}
