//! The environment that a client has left, taken over under brokers that do not pass it on.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;
use larder_glue::folders::Folders;
use larder_glue::launch_env::{self, COMPLETE_VAR, PASSED_ON};

type Vars = BTreeMap<String, OsString>;

/// Makes this process's environment the one that the client left, by executing itself anew where they differ.
///
/// Executing keeps the process id, by which the broker knows its child, and the inherited listener. Must be called
/// before the listener is taken over and before any thread is started.
///
/// # Errors
/// When the file that a client left cannot be read, or this program cannot be executed again. The environment is
/// then as the broker made it.
pub(crate) fn complete_environment() -> anyhow::Result<()> {
    if std::env::var_os(COMPLETE_VAR).is_some() {
        return Ok(());
    }
    // Only the runtime folder matters here, and that one needs no home.
    let Ok(folders) = Folders::from_env() else { return Ok(()) };
    let Some(left) = launch_env::left(&folders)? else { return Ok(()) };
    match changes(&launch_env::current(), &left) {
        changes if changes.is_empty() => Ok(()),
        changes => execute_with(&changes).map(|never| match never {}),
    }
}

/// What must be set, and what must be unset, so that `current` becomes `left`.
fn changes(current: &Vars, left: &Vars) -> Vec<(&'static str, Option<OsString>)> {
    PASSED_ON
        .iter()
        .filter(|name| current.get(**name) != left.get(**name))
        .map(|name| (*name, left.get(*name).cloned()))
        .collect()
}

fn execute_with(changes: &[(&'static str, Option<OsString>)]) -> anyhow::Result<Infallible> {
    let program = std::env::current_exe().context("failed to find this program's own path")?;
    let mut command = Command::new(&program);
    command.env(COMPLETE_VAR, "1");
    for (name, value) in changes {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Err(command.exec()).with_context(|| format!("failed to execute {} anew", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect()
    }

    #[test]
    fn the_same_environment_needs_no_second_execution() {
        let same = vars(&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")]);
        assert_eq!(changes(&same, &same), []);
    }

    #[test]
    fn what_differs_is_set_and_what_was_not_left_is_unset() {
        let current = vars(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")]);
        let left = vars(&[("HOME", "/other")]);
        assert_eq!(
            changes(&current, &left),
            [("HOME", Some(OsString::from("/other"))), ("XDG_STATE_HOME", None)]
        );
    }
}
