//! What is to be run, and what was said about it.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, ensure};

use super::inputs::{self, Pattern};

/// Most outputs that are kept of one command.
const MAX_OUTPUTS: usize = 256;

/// What the command line says.
pub(crate) struct Options {
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) env: Vec<OsString>,
    pub(crate) outputs: Vec<PathBuf>,
    pub(crate) portable: bool,
}

/// One output.
pub(crate) struct Output {
    /// Absolute; no folder on the way to it is a link.
    pub(crate) place: PathBuf,
    /// Below the working folder, where it is there.
    pub(crate) shown: PathBuf,
}

/// What holds for the run as a whole.
pub(crate) struct Plan {
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) env: Vec<OsString>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) portable: bool,
    /// The working folder.
    pub(crate) folder: PathBuf,
    /// The nearest folder above it with a `.git`, or itself.
    pub(crate) root: PathBuf,
    /// Standard output and standard error are one and the same.
    pub(crate) one_output: bool,
}

impl Plan {
    /// # Errors
    /// When what was said contradicts itself, or leads out of the project.
    pub(crate) fn new(options: Options) -> anyhow::Result<Self> {
        let folder = std::env::current_dir().context("failed to find the working folder")?;
        let root = folder.ancestors().find(|above| above.join(".git").exists()).unwrap_or(&folder).to_owned();
        let patterns = options.inputs.iter().map(|text| Pattern::new(text)).collect::<Result<Vec<_>, _>>()?;
        for name in &options.env {
            let fits = !name.is_empty() && !name.as_encoded_bytes().contains(&b'=');
            ensure!(
                fits,
                "failed to use {:?} as a variable's name\nhint: --env NAME, without its value",
                shown_name(name)
            );
        }
        let placed = |path: &PathBuf| output(&folder, &root, path);
        let mut outputs = options.outputs.iter().map(placed).collect::<Result<Vec<_>, _>>()?;
        outputs.sort_by(|a, b| a.place.cmp(&b.place));
        outputs.dedup_by(|a, b| a.place == b.place);
        ensure!(
            outputs.len() <= MAX_OUTPUTS,
            "failed to keep {} outputs: at most {MAX_OUTPUTS} are kept",
            outputs.len()
        );
        let mut env = options.env;
        env.sort();
        env.dedup();
        let (portable, one_output) = (options.portable, is_one_output());
        let this = Self { patterns, env, outputs, portable, folder, root, one_output };
        this.apart(&inputs::expand(&this.patterns)?)?;
        Ok(this)
    }

    fn apart(&self, found: &[PathBuf]) -> anyhow::Result<()> {
        let places: Vec<PathBuf> = self.outputs.iter().map(|output| output.place.clone()).collect();
        inputs::apart(&self.patterns, found, &places, &self.folder)
    }
}

/// What may stand before `=` only.
fn shown_name(name: &OsString) -> String {
    name.to_string_lossy().split('=').next().unwrap_or_default().to_owned()
}

fn is_one_output() -> bool {
    let (out, err) = (rustix::fs::fstat(std::io::stdout()), rustix::fs::fstat(std::io::stderr()));
    out.ok().zip(err.ok()).is_some_and(|(a, b)| (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// Where `path` is, once the links on the way are followed.
fn output(folder: &Path, root: &Path, path: &Path) -> anyhow::Result<Output> {
    let whole = folder.join(path);
    let refused = || {
        format!(
            "failed to use {} as an output: it is not below {}\nhint: --output takes files of the project",
            path.display(),
            root.display()
        )
    };
    ensure!(matches!(whole.components().next_back(), Some(Component::Normal(_))), refused());
    let name = whole.file_name().unwrap_or_default();
    let mut missing = PathBuf::from(name);
    let mut above = whole.parent();
    let place = loop {
        let Some(there) = above else { anyhow::bail!(refused()) };
        if let Ok(there) = there.canonicalize() {
            break there.join(&missing);
        }
        ensure!(matches!(there.components().next_back(), Some(Component::Normal(_))), refused());
        missing = Path::new(there.file_name().unwrap_or_default()).join(&missing);
        above = there.parent();
    };
    let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    ensure!(place.starts_with(&root), refused());
    let shown = place.strip_prefix(folder).unwrap_or(&place).to_owned();
    Ok(Output { place, shown })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_lie_in_the_project_whatever_leads_to_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("there").join("p");
        std::fs::create_dir_all(root.join("d")).expect("writable");
        std::os::unix::fs::symlink("/tmp", root.join("out")).expect("a link");
        let at = |path: &str| output(&root.join("d"), &root, Path::new(path));
        assert_eq!(at("../a").ok().map(|output| output.place), Some(root.join("a")));
        assert_eq!(at("new/b").ok().map(|output| output.shown), Some(PathBuf::from("new/b")));
        for path in ["../../a", "/etc/a", "../out/a", "..", "new/../../../a"] {
            assert!(at(path).is_err(), "{path}");
        }
    }
}
