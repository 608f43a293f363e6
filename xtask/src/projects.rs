//! Real projects that are built through larder: where their sources come from, and what of them is built.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use crate::{run, workspace};

/// A Rust program that the tests build as a whole, by name and version: some sixty crates, among them a macro, build
/// scripts and C.
const PROGRAM: (&str, &str) = ("fd-find", "10.3.0");

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
    let mut dependencies = String::new();
    for Project { package, version, features, .. } in projects {
        dependencies.push_str(&format!(
            "{package} = {{ version = \"{version}\", default-features = false, features = {features:?} }}\n"
        ));
    }
    let metadata = resolved("sources", &dependencies)?;
    projects
        .iter()
        .map(|project| Ok(manifest_of(&metadata, &project.package)?.with_file_name(&project.folder)))
        .collect()
}

/// Where cargo keeps the sources of `package`, a name with its version.
fn in_registry(package: &str) -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home =
        home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))).context("there is no home folder")?;
    let registries =
        fs::read_dir(home.join("registry/src")).context("failed to list what cargo has fetched")?;
    let mut places = registries.flatten().map(|registry| registry.path().join(package));
    places
        .find(|place| place.is_dir())
        .with_context(|| format!("failed to find {package} in what cargo has fetched"))
}

/// What cargo knows of a package with these `dependencies`, once it has fetched them.
fn resolved(name: &str, dependencies: &str) -> anyhow::Result<Value> {
    let manifest = package(name, dependencies)?;
    let mut command = run::cargo(&["metadata", "--format-version", "1"]);
    let output = run::output(command.arg("--manifest-path").arg(manifest))
        .context("failed to fetch the sources\nhint: crates.io must be reachable the first time")?;
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Makes a package called `name` with these `dependencies`, and returns its manifest.
fn package(name: &str, dependencies: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace::root().join("target").join(name);
    fs::create_dir_all(folder.join("src")).with_context(|| format!("failed to make {}", folder.display()))?;
    // A workspace of its own, so that larder's lock file stays as it is.
    let manifest = format!(
        "[package]\nname = \"{name}\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependencies}"
    );
    let path = folder.join("Cargo.toml");
    fs::write(&path, manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    Ok(path)
}

/// The manifest of `package`, where cargo keeps it.
fn manifest_of<'a>(metadata: &'a Value, package: &str) -> anyhow::Result<&'a Path> {
    let mut packages = metadata["packages"].as_array().into_iter().flatten();
    let found = packages.find(|known| known["name"] == package);
    found
        .and_then(|package| package["manifest_path"].as_str())
        .map(Path::new)
        .with_context(|| format!("failed to find {package} in what cargo metadata says"))
}

/// Fetches the Rust program that the tests build, with all its dependencies as its lock file has them.
fn fetch_program(place: &Path) -> anyhow::Result<()> {
    let (name, version) = PROGRAM;
    let folder = place.join(name);
    let stamp = place.join(format!("{name}.stamp"));
    if fs::read_to_string(&stamp).is_ok_and(|known| known == version) {
        return Ok(());
    }
    // A program is no dependency that cargo tells of, and yet it is fetched.
    let dependency = package("program", &format!("{name} = \"={version}\"\n"))?;
    run::to_end(run::cargo(&["fetch", "--quiet"]).arg("--manifest-path").arg(dependency))
        .context("failed to fetch the sources\nhint: crates.io must be reachable the first time")?;
    let source = in_registry(&format!("{name}-{version}"))?;
    let _ = fs::remove_dir_all(&folder);
    run::to_end(std::process::Command::new("cp").arg("-R").arg(source).arg(&folder))?;
    let manifest = folder.join("Cargo.toml");
    // Or it would be taken for a part of larder.
    fs::write(&manifest, fs::read_to_string(&manifest)? + "\n[workspace]\n")?;
    run::to_end(run::cargo(&["fetch", "--locked", "--quiet"]).arg("--manifest-path").arg(manifest)).context(
        "failed to fetch the crates of a program\nhint: crates.io must be reachable the first time",
    )?;
    Ok(fs::write(stamp, version)?)
}

/// The sources of the Rust program, fetched where they are missing.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    let place = workspace::tools().join("sources");
    fs::create_dir_all(&place)?;
    fetch_program(&place)?;
    Ok(place.join(PROGRAM.0))
}

/// Fetches the sources of all projects to where the tests look for them.
pub(crate) fn fetch_for_tests() -> anyhow::Result<()> {
    let projects =
        DESCRIPTIONS.iter().map(|(name, _)| Project::called(name)).collect::<Result<Vec<_>, _>>()?;
    let place = workspace::tools().join("sources");
    fs::create_dir_all(&place)?;
    fetch_program(&place)?;
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
