//! Which of a folder's files are meant.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use larder_service::Hasher;

/// Most patterns of one selection.
const MAX_PATTERNS: usize = 1000;

/// Longest pattern, bytes.
const MAX_PATTERN_BYTES: usize = 4096;

/// Why a selection cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// Extensions and globs that include are two ways to say the same.
    #[error(
        "failed to select files: extensions and include globs exclude each other\nhint: --include '*.rs' says what --ext rs says"
    )]
    TwoWays,
    /// A pattern that is none.
    #[error("failed to read the glob {glob:?}: {why}")]
    Glob {
        /// As it was given.
        glob: String,
        /// What is wrong with it.
        why: String,
    },
    /// An extension with a slash.
    #[error("failed to read {0:?} as an extension\nhint: --ext rs, without a dot and without a slash")]
    Extension(String),
    /// Too many patterns.
    #[error("failed to select files: there are more than {MAX_PATTERNS} patterns")]
    TooMany,
}

/// What is chosen of a folder's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Extensions without their dot; none of them: all files.
    pub extensions: Vec<Vec<u8>>,
    /// Globs of which one must match.
    pub include: Vec<String>,
    /// Globs of which none may match, neither the file nor a folder above it.
    pub exclude: Vec<String>,
    /// Leave out what `.gitignore`, `.ignore` and `.git/info/exclude` name, and `.git` itself.
    pub ignore_rules: bool,
}

/// Files below a folder.
///
/// Globs are matched against the path from the root; `*` does not cross a slash, `**` does. One without a slash is
/// matched against the name alone, in whatever folder.
#[derive(Clone, Debug)]
pub struct Selection {
    pub(crate) root: PathBuf,
    choice: Choice,
    include: Globs,
    exclude: Globs,
}

#[derive(Clone, Debug, Default)]
struct Globs {
    names: GlobSet,
    paths: GlobSet,
    any: bool,
}

impl Globs {
    fn new(globs: &[String]) -> Result<Self, SelectionError> {
        let (mut names, mut paths) = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for glob in globs {
            let error = |why: String| SelectionError::Glob { glob: glob.chars().take(200).collect(), why };
            if glob.len() > MAX_PATTERN_BYTES {
                return Err(error(format!("it is longer than {MAX_PATTERN_BYTES} bytes")));
            }
            let path = glob.strip_prefix("./").unwrap_or(glob).trim_end_matches('/');
            if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
                return Err(error("it must be relative to the root, and lead nowhere else".to_owned()));
            }
            let built = GlobBuilder::new(path).literal_separator(true).backslash_escape(true).build();
            let built = built.map_err(|source| error(source.kind().to_string()))?;
            // A leading "./" says that the root's own file is meant.
            if path.contains('/') || path.len() < glob.trim_end_matches('/').len() {
                paths.add(built);
            } else {
                names.add(built);
            }
        }
        let build = |builder: GlobSetBuilder| {
            let error = |source: globset::Error| SelectionError::Glob {
                glob: source.glob().unwrap_or_default().to_owned(),
                why: source.kind().to_string(),
            };
            builder.build().map_err(error)
        };
        Ok(Self { names: build(names)?, paths: build(paths)?, any: !globs.is_empty() })
    }

    fn matches(&self, path: &Path, name: &OsStr) -> bool {
        self.any && (self.names.is_match(Path::new(name)) || self.paths.is_match(path))
    }
}

impl Selection {
    /// What `choice` says of the files below the folder `root`.
    ///
    /// # Errors
    /// When a pattern is none, or the choice contradicts itself.
    pub fn new(root: PathBuf, choice: Choice) -> Result<Self, SelectionError> {
        if !choice.extensions.is_empty() && !choice.include.is_empty() {
            return Err(SelectionError::TwoWays);
        }
        if choice.extensions.len() + choice.include.len() + choice.exclude.len() > MAX_PATTERNS {
            return Err(SelectionError::TooMany);
        }
        for extension in &choice.extensions {
            if extension.is_empty() || extension.contains(&b'/') || extension.len() > MAX_PATTERN_BYTES {
                return Err(SelectionError::Extension(crate::shown(extension)));
            }
        }
        let (include, exclude) = (Globs::new(&choice.include)?, Globs::new(&choice.exclude)?);
        Ok(Self { root, choice, include, exclude })
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What was chosen.
    #[must_use]
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// Whether what stands in the tree decides what is left out.
    pub(crate) fn heeds_ignore_rules(&self) -> bool {
        self.choice.ignore_rules
    }

    /// Whether the file at `path`, from the root, is one of them, as far as its own name tells.
    pub(crate) fn includes(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        if !self.choice.extensions.is_empty() {
            let bytes = name.as_bytes();
            return self.choice.extensions.iter().any(|extension| {
                let extension = extension.strip_prefix(b".").unwrap_or(extension);
                bytes.strip_suffix(extension).is_some_and(|stem| stem.len() > 1 && stem.ends_with(b"."))
            });
        }
        !self.include.any || self.include.matches(path, name)
    }

    /// Whether anything may be left out.
    pub(crate) fn leaves_out(&self) -> bool {
        self.choice.ignore_rules || !self.choice.exclude.is_empty()
    }

    /// Whether the file or folder at `path`, from the root, is left out with all that is in it.
    pub(crate) fn excludes(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default();
        self.choice.ignore_rules && name == ".git" || self.exclude.matches(path, name)
    }

    /// Names everything that the answer depends on besides the files.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        let mut hasher = Hasher::key("selection");
        hasher.field("root", self.root.as_os_str().as_bytes());
        let mut list = |name: &str, values: Vec<&[u8]>| {
            let mut values = values;
            values.sort_unstable();
            values.dedup();
            hasher.field(name, &(values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| hasher.field(name, value));
        };
        list("extension", self.choice.extensions.iter().map(Vec::as_slice).collect());
        list("include", self.choice.include.iter().map(String::as_bytes).collect());
        list("exclude", self.choice.exclude.iter().map(String::as_bytes).collect());
        hasher.field("ignore rules", &[u8::from(self.choice.ignore_rules)]);
        hasher.finish_key().0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(extensions: &[&str], include: &[&str], exclude: &[&str]) -> Selection {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let choice = Choice {
            extensions: extensions.iter().map(|text| text.as_bytes().to_vec()).collect(),
            include: texts(include),
            exclude: texts(exclude),
            ignore_rules: false,
        };
        Selection::new(PathBuf::from("/r"), choice).expect("a selection")
    }

    #[test]
    fn no_extensions_mean_all_files() {
        let all = selection(&[], &[], &[]);
        assert!(all.includes(Path::new("a/b.rs")) && all.includes(Path::new(".hidden")));
    }

    #[test]
    fn an_extension_is_what_follows_a_dot_with_a_name_before_it() {
        let rust = selection(&["rs", ".tar.gz"], &[], &[]);
        for path in ["a.rs", "x/b.c.rs", "x.tar.gz"] {
            assert!(rust.includes(Path::new(path)), "{path}");
        }
        for path in ["a.rsx", "rs", ".rs", "ars", "a.rs/b", "a.gz"] {
            assert!(!rust.includes(Path::new(path)), "{path}");
        }
        assert!(rust.includes(Path::new(OsStr::from_bytes(b"\xff.rs"))));
    }

    #[test]
    fn a_glob_with_a_slash_is_about_the_path_and_one_without_about_the_name() {
        let some = selection(&[], &["*.rs", "src/*.c", "./top.h"], &["target", "a/**/gen"]);
        for path in ["x.rs", "a/b/x.rs", "src/x.c", "top.h"] {
            assert!(some.includes(Path::new(path)), "{path}");
        }
        for path in ["x.c", "src/a/x.c", "a/src/x.c", "a/top.h"] {
            assert!(!some.includes(Path::new(path)), "{path}");
        }
        for path in ["target", "a/target", "a/b/gen", "a/gen"] {
            assert!(some.excludes(Path::new(path)), "{path}");
        }
        assert!(!some.excludes(Path::new("gen")) && !some.excludes(Path::new("targets")));
    }

    #[test]
    fn what_contradicts_itself_or_leads_elsewhere_is_refused() {
        let new = |choice| Selection::new(PathBuf::from("/r"), choice);
        let both =
            Choice { extensions: vec![b"rs".to_vec()], include: vec!["*".into()], ..Choice::default() };
        assert!(matches!(new(both), Err(SelectionError::TwoWays)));
        for glob in ["/etc/*", "../x", "a/../../b", "[", "", "/"] {
            let choice = Choice { include: vec![glob.into()], ..Choice::default() };
            assert!(matches!(new(choice), Err(SelectionError::Glob { .. })), "{glob:?}");
        }
        let choice = Choice { extensions: vec![b"a/b".to_vec()], ..Choice::default() };
        assert!(matches!(new(choice), Err(SelectionError::Extension(_))));
    }

    #[test]
    fn another_choice_has_another_id_and_another_order_has_not() {
        let id = |extensions: &[&str], include: &[&str], exclude: &[&str]| {
            selection(extensions, include, exclude).id()
        };
        assert_eq!(id(&["a", "b"], &[], &["x"]), id(&["b", "a", "a"], &[], &["x"]));
        let all = [id(&[], &[], &[]), id(&["a"], &[], &[]), id(&[], &["a"], &[]), id(&[], &[], &["a"])];
        assert!(all.iter().enumerate().all(|(at, one)| !all[..at].contains(one)));
    }
}
