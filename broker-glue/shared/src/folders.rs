//! Where larder keeps what it keeps.

use std::ffi::OsString;
use std::path::PathBuf;

/// Version of the cache folder's layout; a daemon of another layout uses another folder.
const STORE_LAYOUT: &str = "v1";

/// The folders of one user's larder. A sandbox is a set of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// `$XDG_RUNTIME_DIR/larder`, else `/tmp/larder-<uid>`: what need not outlive the machine's run.
    pub runtime: PathBuf,
    /// `$XDG_CACHE_HOME/larder`, else `~/.cache/larder`: blobs, index.
    pub cache: PathBuf,
    /// `$XDG_CONFIG_HOME/larder`, else `~/.config/larder`: settings.
    pub config: PathBuf,
    /// `$XDG_STATE_HOME/larder`, else `~/.local/state/larder`: logs and statistics.
    pub state: PathBuf,
}

/// The folders cannot be told.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to find a home folder\nhint: set HOME, or XDG_CACHE_HOME, XDG_CONFIG_HOME and XDG_STATE_HOME"
)]
pub struct NoHome;

impl Folders {
    /// The folders that this process's environment names.
    ///
    /// # Errors
    /// When a needed variable is unset and there is no home folder either.
    pub fn from_env() -> Result<Self, NoHome> {
        Self::from_vars(
            |name| std::env::var_os(name),
            std::env::home_dir(),
            rustix::process::geteuid().as_raw(),
        )
    }

    fn from_vars(
        var: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
        uid: u32,
    ) -> Result<Self, NoHome> {
        // The XDG base directory specification: a relative path in these variables is to be ignored.
        let absolute = |name: &str| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let home = home.filter(|path| path.is_absolute());
        let base = |name: &str, below_home: &str| {
            absolute(name).or_else(|| home.as_ref().map(|home| home.join(below_home))).ok_or(NoHome)
        };
        Ok(Self {
            runtime: absolute("XDG_RUNTIME_DIR")
                .map_or_else(|| PathBuf::from(format!("/tmp/larder-{uid}")), |path| path.join("larder")),
            cache: base("XDG_CACHE_HOME", ".cache")?.join("larder"),
            config: base("XDG_CONFIG_HOME", ".config")?.join("larder"),
            state: base("XDG_STATE_HOME", ".local/state")?.join("larder"),
        })
    }

    /// Folder of the store.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.cache.join(STORE_LAYOUT)
    }

    /// File in which a client remembers the endpoint that its broker handed out last. It is only ever tried.
    #[must_use]
    pub fn endpoint_file(&self) -> PathBuf {
        self.runtime.join("endpoint")
    }

    /// The settings file, TOML.
    #[must_use]
    pub fn settings_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_follows_its_variable() {
        let folders = Folders::from_vars(|name| Some(format!("/s/{name}").into()), None, 7).expect("all set");
        assert_eq!(folders.cache, PathBuf::from("/s/XDG_CACHE_HOME/larder"));
        assert_eq!(folders.runtime, PathBuf::from("/s/XDG_RUNTIME_DIR/larder"));
    }

    #[test]
    fn relative_variables_are_ignored_and_home_is_used() {
        let folders =
            Folders::from_vars(|_| Some("here".into()), Some("/home/u".into()), 7).expect("home is set");
        assert_eq!(folders.config, PathBuf::from("/home/u/.config/larder"));
        assert_eq!(folders.runtime, PathBuf::from("/tmp/larder-7"));
    }

    #[test]
    fn without_home_and_variables_there_is_an_error() {
        assert!(Folders::from_vars(|_| None, None, 7).is_err());
    }
}
