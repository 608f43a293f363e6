//! The files that a command is said to read.

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use globset::{GlobBuilder, GlobMatcher};
use larder_tree::{Plain, Reader as _, Stamp};
use sha2::{Digest as _, Sha256};

/// Most files that all globs of a command may match.
const MAX_FILES: usize = 100_000;

/// Longest glob, bytes.
const MAX_GLOB_BYTES: usize = 4096;

/// What `--input` says: a file, a folder with all that is in it, or a glob.
pub(crate) struct Pattern {
    text: PathBuf,
    /// As far as there is nothing to match.
    begin: PathBuf,
    glob: Option<GlobMatcher>,
    /// How many folders below `begin` it can reach.
    depth: usize,
}

impl Pattern {
    pub(crate) fn new(text: &Path) -> anyhow::Result<Self> {
        ensure!(
            !text.as_os_str().is_empty() && text.as_os_str().len() <= MAX_GLOB_BYTES,
            "failed to use an input: a glob has 1 to {MAX_GLOB_BYTES} bytes"
        );
        let special = |part: &std::path::Component<'_>| {
            part.as_os_str().as_bytes().iter().any(|byte| b"*?[{\\".contains(byte))
        };
        let literal = text.symlink_metadata().is_ok();
        let begin: PathBuf = text.components().take_while(|part| literal || !special(part)).collect();
        if literal || begin.components().count() == text.components().count() {
            return Ok(Self { text: text.to_owned(), begin, glob: None, depth: usize::MAX });
        }
        let Some(glob) = text.to_str() else {
            bail!("failed to read the glob {}: it is no text", text.display())
        };
        // As the walk spells what it finds.
        let plain: PathBuf = text.components().collect();
        let plain = plain.to_str().unwrap_or(glob);
        let plain = plain.strip_prefix("./").unwrap_or(plain);
        let built = GlobBuilder::new(plain).literal_separator(true).backslash_escape(true).build();
        let built = built.with_context(|| format!("failed to read the glob {glob:?}"))?;
        let begin = begin.strip_prefix(".").map(Path::to_owned).unwrap_or(begin);
        let below = Path::new(plain).components().count().saturating_sub(begin.components().count());
        // Braces may hold slashes.
        let depth = if plain.contains("**") || plain.contains('{') { usize::MAX } else { below };
        Ok(Self { text: text.to_owned(), begin, glob: Some(built.compile_matcher()), depth })
    }

    /// As it was given.
    pub(crate) fn shown(&self) -> String {
        self.text.display().to_string()
    }

    /// Whether it would match `path`, were it there: spelled from the same folder as the pattern.
    fn covers(&self, path: &Path) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(path),
            None => path.starts_with(self.begin.strip_prefix(".").unwrap_or(&self.begin)),
        }
    }

    fn find(&self, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let before = found.len();
        self.walk(&self.begin, self.depth, found)?;
        ensure!(
            found.len() > before,
            "failed to find an input: {} matches no file\nhint: quote globs, so that larder expands them",
            self.text.display()
        );
        Ok(())
    }

    fn walk(&self, path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
        let shown = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let metadata = match shown.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if larder_tree::absent(&error) => return Ok(()),
            Err(error) => return Err(error).with_context(|| format!("failed to read {}", path.display())),
        };
        // A link to a folder is followed only where it is named: below, it might lead round in circles.
        let is_folder = metadata.is_dir() || path == self.begin && shown.is_dir();
        if is_folder && depth > 0 {
            let entries =
                std::fs::read_dir(shown).with_context(|| format!("failed to read {}", shown.display()))?;
            for entry in entries {
                let name = entry.with_context(|| format!("failed to read {}", shown.display()))?.file_name();
                self.walk(&path.join(name), depth - 1, found)?;
            }
        } else if !is_folder && self.glob.as_ref().is_none_or(|glob| glob.is_match(path)) {
            ensure!(
                found.len() < MAX_FILES,
                "failed to read the inputs: there are more than {MAX_FILES} files"
            );
            found.push(path.to_owned());
        }
        Ok(())
    }
}

/// All files that `patterns` match, once each, in byte order; a folder's own contents for a folder.
pub(crate) fn expand(patterns: &[Pattern]) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for pattern in patterns {
        pattern.find(&mut found)?;
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Refuses an output that is an input, or would be one once it is there. `outputs` are absolute, `folder` is the
/// working one.
pub(crate) fn apart(
    patterns: &[Pattern],
    inputs: &[PathBuf],
    outputs: &[PathBuf],
    folder: &Path,
) -> anyhow::Result<()> {
    for output in outputs {
        let spelled = output.strip_prefix(folder).unwrap_or(output);
        let same = |input: &PathBuf| {
            let (input, output) = (input.metadata(), output.metadata());
            input.ok().zip(output.ok()).is_some_and(|(a, b)| (a.dev(), a.ino()) == (b.dev(), b.ino()))
        };
        let covers = |pattern: &Pattern| pattern.covers(spelled) || pattern.covers(output);
        let clashes = patterns.iter().any(covers) || inputs.iter().any(same);
        ensure!(
            !clashes,
            "failed to use {} as an output: it is an input as well\nhint: a narrower --input, or an output elsewhere",
            spelled.display()
        );
    }
    Ok(())
}

/// One input, as it was read.
pub(crate) struct Input {
    pub(crate) path: PathBuf,
    /// Of content, size, mode, and where a link leads.
    pub(crate) digest: Vec<u8>,
    stamp: Stamp,
    /// The stamp holds for the content.
    lasting: bool,
}

impl Input {
    /// Reads the file at `path`.
    pub(crate) fn read(path: PathBuf) -> io::Result<Self> {
        let reading = Plain::by_system_time().read(&path).map_err(io::Error::other)?;
        let metadata = path.metadata()?;
        let link = path.read_link().map(|to| to.into_os_string().into_encoded_bytes()).unwrap_or_default();
        let mut whole = Sha256::new();
        whole.update(reading.digest.hash);
        whole.update((metadata.mode() & 0o7777).to_le_bytes());
        whole.update(link);
        // The mode is that of what was read.
        let lasting = reading.lasting && Stamp::of(&metadata) == reading.stamp;
        Ok(Self { path, digest: whole.finalize().to_vec(), stamp: reading.stamp, lasting })
    }

    /// Whether it is what was read, and has been all the while.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.lasting && self.path.metadata().is_ok_and(|now| Stamp::of(&now) == self.stamp)
    }
}

/// The first input that may have been another one while the command ran.
pub(crate) fn changed(patterns: &[Pattern], inputs: &[Input]) -> Option<PathBuf> {
    let Ok(now) = expand(patterns) else { return Some(PathBuf::new()) };
    let known: Vec<&PathBuf> = inputs.iter().map(|input| &input.path).collect();
    if now.len() != known.len() || now.iter().zip(&known).any(|(now, known)| now != *known) {
        let differs = now.iter().zip(&known).find(|(now, known)| now != *known).map(|(now, _)| now);
        return differs.or(now.get(known.len())).or(known.last().copied()).cloned();
    }
    inputs.iter().find(|input| !input.is_unchanged()).map(|input| input.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(folder: &Path, glob: &str) -> Vec<String> {
        let pattern = Pattern::new(&folder.join(glob)).expect("a glob");
        let all = expand(&[pattern]).unwrap_or_default();
        all.iter().map(|path| path.strip_prefix(folder).expect("below").display().to_string()).collect()
    }

    #[test]
    fn globs_files_and_folders_name_their_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("d/e")).expect("writable");
        for name in ["a.c", "b.c", "b.h", "[x].c", "d/c.c", "d/e/f.c"] {
            std::fs::write(at(name), name).expect("writable");
        }
        assert_eq!(found(folder.path(), "*.c"), ["[x].c", "a.c", "b.c"]);
        assert_eq!(found(folder.path(), "[x].c"), ["[x].c"], "what is there is meant");
        assert_eq!(found(folder.path(), "**/*.c").len(), 5);
        assert_eq!(found(folder.path(), "d"), ["d/c.c", "d/e/f.c"]);
        assert_eq!(found(folder.path(), "d/*"), ["d/c.c"]);
        assert_eq!(found(folder.path(), "{a,b}.{c,h}"), ["a.c", "b.c", "b.h"]);
        assert!(found(folder.path(), "none*").is_empty());
        assert!(Pattern::new(Path::new("a[")).is_err());
    }

    #[test]
    fn an_output_that_a_glob_would_match_is_an_input() {
        let pattern = |text: &str| [Pattern::new(Path::new(text)).expect("a glob")];
        let clash = |glob: &str, output: &str| {
            apart(&pattern(glob), &[], &[Path::new("/w").join(output)], Path::new("/w")).is_err()
        };
        assert!(clash("*.none", "x.none") && clash("none", "none/x") && clash("none/**", "none/a/b"));
        assert!(!clash("*.none", "d/x.none") && !clash("none", "nonesuch"));
    }
}
