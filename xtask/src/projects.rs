//! Real projects that are built through larder: where their sources come from, and what of them is built.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::{run, workspace};

/// Name, and description; the tests read the same.
const DESCRIPTIONS: [(&str, &str); 3] = [
    ("libgit2", include_str!("../../tests/projects/libgit2.toml")),
    ("zstd", include_str!("../../tests/projects/zstd.toml")),
    ("harfbuzz", include_str!("../../tests/projects/harfbuzz.toml")),
];

/// A project whose sources a crate carries.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Project {
    #[serde(rename = "crate")]
    package: String,
    /// Fixed, so that always the same files are built.
    version: String,
    features: Vec<String>,
    /// The sources, below the crate's folder.
    folder: String,
    /// Folders whose files with one of `suffixes` are built, below the sources.
    folders: Vec<String>,
    suffixes: Vec<String>,
    /// More files.
    files: Vec<String>,
    /// In one of the folders, and not to be built.
    left_out: Vec<String>,
    pub(crate) includes: Vec<String>,
    pub(crate) flags: Vec<String>,
    /// Headers that the project's own build would write.
    pub(crate) headers: BTreeMap<String, String>,
}

impl Project {
    pub(crate) fn called(name: &str) -> anyhow::Result<Self> {
        let (_, text) = DESCRIPTIONS.iter().find(|(known, _)| *known == name).context("no such project")?;
        toml::from_str(text).with_context(|| format!("failed to read tests/projects/{name}.toml"))
    }

    /// The files to build, relative to the `sources`.
    pub(crate) fn list(&self, sources: &Path) -> anyhow::Result<Vec<String>> {
        let mut files = self.files.clone();
        for folder in &self.folders {
            let path = sources.join(folder);
            for entry in fs::read_dir(&path).with_context(|| format!("failed to list {}", path.display()))? {
                let file = format!("{folder}/{}", entry?.file_name().to_string_lossy());
                let suffix = file.rsplit_once('.').map_or("", |(_, suffix)| suffix);
                if self.suffixes.iter().any(|known| known == suffix) && !self.left_out.contains(&file) {
                    files.push(file);
                }
            }
        }
        files.sort();
        Ok(files)
    }
}

/// The folder of the sources of each of `projects`, fetched by cargo where cargo does not have them yet.
pub(crate) fn fetch(projects: &[&Project]) -> anyhow::Result<Vec<PathBuf>> {
    let folder = workspace::root().join("target/sources");
    fs::create_dir_all(folder.join("src")).with_context(|| format!("failed to make {}", folder.display()))?;
    // A workspace of its own, so that larder's lock file stays as it is.
    let mut manifest =
        String::from("[package]\nname = \"sources\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n");
    for Project { package, version, features, .. } in projects {
        manifest.push_str(&format!(
            "{package} = {{ version = \"{version}\", default-features = false, features = {features:?} }}\n"
        ));
    }
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    let mut command = run::cargo(&["metadata", "--format-version", "1"]);
    let output = run::output(command.arg("--manifest-path").arg(folder.join("Cargo.toml")))
        .context("failed to fetch the sources\nhint: crates.io must be reachable the first time")?;
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let folder_of = |project: &&Project| {
        let mut packages = metadata["packages"].as_array().into_iter().flatten();
        let package = packages.find(|package| package["name"] == project.package.as_str());
        let manifest = package.and_then(|package| package["manifest_path"].as_str());
        let manifest = manifest
            .with_context(|| format!("failed to find {} in what cargo metadata says", project.package))?;
        Ok(Path::new(manifest).with_file_name(&project.folder))
    };
    projects.iter().map(folder_of).collect()
}

/// Fetches the sources of all projects to where the tests look for them.
pub(crate) fn fetch_for_tests() -> anyhow::Result<()> {
    let projects =
        DESCRIPTIONS.iter().map(|(name, _)| Project::called(name)).collect::<Result<Vec<_>, _>>()?;
    let place = workspace::tools().join("sources");
    fs::create_dir_all(&place)?;
    let sources = fetch(&projects.iter().collect::<Vec<_>>())?;
    for ((name, _), folder) in DESCRIPTIONS.iter().zip(sources) {
        let link = place.join(name);
        if fs::read_link(&link).is_ok_and(|known| known == folder) {
            continue;
        }
        let _ = fs::remove_file(&link);
        symlink(&folder, &link).with_context(|| format!("failed to make {}", link.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_can_be_read() {
        for (name, _) in DESCRIPTIONS {
            assert!(Project::called(name).is_ok(), "{name}");
        }
    }
}
