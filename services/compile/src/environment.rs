//! The caller's variables: which forbid caching, which are part of the key.

use larder_proto::v1::EnvVar;
use larder_service::{Hasher, Reason};

use crate::args::Refusal;

/// Variables that make the tool write files, trace itself or load foreign code.
const FORBIDDEN: &[&str] = &[
    "AS_SECURE_LOG_FILE",
    "CCC_ADD_ARGS",
    "CCC_OVERRIDE_OPTIONS",
    "DEPENDENCIES_OUTPUT",
    "EXPERIMENTAL_SARIF_SOCKET",
    "FORCE_CLANG_DIAGNOSTICS_CRASH",
    "GCC_COMPARE_DEBUG",
    "GCC_DIAGNOSTICS_LOG",
    "GCC_SPECS",
    "LD_AUDIT",
    "LD_PRELOAD",
    "LD_PROFILE",
    "LD_SHOW_AUXV",
    "LD_TRACE_LOADED_OBJECTS",
    "LD_VERBOSE",
    "LLD_REPRODUCE",
    "MOLD_REPRO",
    "RC_DEBUG_OPTIONS",
    "SUNPRO_DEPENDENCIES",
];

const FORBIDDEN_PREFIXES: &[&str] = &["CC_LOG_", "CC_PRINT_", "LD_DEBUG"];

/// Variables that choose which programs run and what they read at start: the identity holds what they lead to.
const IDENTITY_ONLY: &[&str] = &["HOME", "PATH"];

/// Where temporary files lie; their names are random and reach no output.
const TEMPORARY: &[&str] = &["TEMP", "TMP", "TMPDIR"];

/// What only a terminal on standard error brings into play.
pub(crate) const TERMINAL: &[&str] = &["COLORTERM", "COLUMNS", "TERM", "TERMINFO", "TERMINFO_DIRS"];

/// What of the caller's situation an action can show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    /// The working folder, and so the `PWD` that the tool prefers as its spelling.
    pub(crate) cwd: bool,
    /// Standard error is a terminal.
    pub(crate) terminal: bool,
}

/// The carried variables, in byte order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment(Vec<(Vec<u8>, Vec<u8>)>);

impl Environment {
    /// Of variables standing twice the first counts, as it does for `getenv`.
    pub(crate) fn new(vars: Vec<EnvVar>) -> Self {
        let mut vars: Vec<_> = vars.into_iter().map(|var| (var.name, var.value)).collect();
        vars.sort_by(|a, b| a.0.cmp(&b.0));
        vars.dedup_by(|later, first| later.0 == first.0);
        Self(vars)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        Some(&self.0[self.place(name.as_bytes())?].1)
    }

    /// Removes the variable `name`, and returns what it was.
    pub(crate) fn take(&mut self, name: &str) -> Option<Vec<u8>> {
        Some(self.0.remove(self.place(name.as_bytes())?).1)
    }

    /// Keeps the variables whose names `keep` wants.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.0.retain(|(name, _)| keep(name));
    }

    /// The same with the variable `name` holding `value`.
    pub(crate) fn with(mut self, name: &str, value: &[u8]) -> Self {
        match self.0.binary_search_by(|(known, _)| known.as_slice().cmp(name.as_bytes())) {
            Ok(place) => self.0[place].1 = value.to_vec(),
            Err(place) => self.0.insert(place, (name.as_bytes().to_vec(), value.to_vec())),
        }
        self
    }

    fn place(&self, name: &[u8]) -> Option<usize> {
        self.0.binary_search_by(|(known, _)| known.as_slice().cmp(name)).ok()
    }

    /// All of them, for a probe that must see what the caller's tool sees.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// Refuses what cannot be kept; names the variable, never its value.
    pub(crate) fn refuse(&self) -> Result<(), Refusal> {
        let forbidden = |name: &[u8]| {
            FORBIDDEN.iter().any(|known| known.as_bytes() == name)
                || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
        };
        match self.iter().find(|(name, _)| forbidden(name)) {
            None => Ok(()),
            Some((name, _)) => Err(Refusal {
                reason: Reason::EnvironmentUncacheable,
                detail: String::from_utf8_lossy(name).into_owned(),
            }),
        }
    }

    /// Adds what can reach an output or a stream. In doubt a variable is in the key.
    pub(crate) fn add_to_key(&self, hasher: &mut Hasher, shown: Shown) {
        for (name, value) in self.iter() {
            let is = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
            let left_out = is(IDENTITY_ONLY)
                || is(TEMPORARY)
                || (is(TERMINAL) && !shown.terminal)
                || (name == b"PWD" && !shown.cwd);
            if !left_out {
                hasher.field("variable", name);
                hasher.field("value", value);
            }
        }
    }

    /// Those that can be part of a key.
    pub(crate) fn in_key(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let never = |name: &[u8]| {
            IDENTITY_ONLY.iter().chain(TEMPORARY).chain(TERMINAL).any(|known| known.as_bytes() == name)
                || name == b"PWD"
        };
        self.iter().filter(move |(name, _)| !never(name))
    }

    /// Adds what can change a compiler's answers about itself.
    pub(crate) fn add_to_probe_key(&self, hasher: &mut Hasher) {
        for (name, value) in self.iter() {
            let is = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
            if !is(TEMPORARY) && !is(TERMINAL) && name != b"PWD" {
                hasher.field("variable", name);
                hasher.field("value", value);
            }
        }
    }

    /// Some folder list in it depends on the working folder.
    pub(crate) fn has_relative_folders(&self) -> bool {
        const LISTS: &[&str] = &[
            "BINUTILS_ROOT",
            "COMPILER_PATH",
            "CPATH",
            "CPLUS_INCLUDE_PATH",
            "C_INCLUDE_PATH",
            "G++_ROOT",
            "GCC_EXEC_PREFIX",
            "GCC_ROOT",
            "HOME",
            "LD_LIBRARY_PATH",
            "LIBRARY_PATH",
            "LPATH",
            "PATH",
            "SDKROOT",
        ];
        let lists_here = |name: &&str| {
            self.get(name).is_some_and(|list| {
                list.split(|byte| matches!(byte, b':' | b';')).any(|folder| !folder.starts_with(b"/"))
            })
        };
        LISTS.iter().any(lists_here)
            || self.iter().any(|(name, value)| name.starts_with(b"CLANG_CONFIG") && !value.starts_with(b"/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(vars: &[(&str, &str)]) -> Environment {
        let var = |(name, value): &(&str, &str)| EnvVar { name: (*name).into(), value: (*value).into() };
        Environment::new(vars.iter().map(var).collect())
    }

    #[test]
    fn a_forbidden_variable_is_named_and_its_value_is_not() {
        for name in
            FORBIDDEN.iter().copied().chain(["CC_LOG_DIAGNOSTICS", "CC_PRINT_OPTIONS", "LD_DEBUG_OUTPUT"])
        {
            let refusal = environment(&[("PATH", "/bin"), (name, "secret")]).refuse().unwrap_err();
            assert_eq!(refusal.reason, Reason::EnvironmentUncacheable);
            assert_eq!(refusal.detail, name);
        }
        assert_eq!(environment(&[("PATH", "/bin"), ("LD_LIBRARY_PATH", "/x")]).refuse(), Ok(()));
    }

    #[test]
    fn the_first_of_two_equal_names_counts() {
        assert_eq!(environment(&[("LANG", "C"), ("LANG", "de_DE")]).get("LANG"), Some(&b"C"[..]));
    }

    #[test]
    fn an_empty_path_element_is_the_working_folder() {
        assert!(environment(&[("PATH", "/bin:")]).has_relative_folders());
        assert!(environment(&[("CPATH", "include")]).has_relative_folders());
        assert!(!environment(&[("PATH", "/bin:/usr/bin"), ("HOME", "/root")]).has_relative_folders());
    }
}
