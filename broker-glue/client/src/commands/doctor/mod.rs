//! `larder doctor`: whether what surrounds larder is as it must be, and what to do where it is not.
//!
//! One file for each group of checks. A check looks and changes nothing; it starts no daemon.

mod broker;
mod bundle;
mod crashes;
mod go;

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// It does not matter here, or it works less well than it could.
    Note,
    /// Larder cannot serve.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    /// What it belongs to, for example "go".
    group: &'static str,
    /// What was looked at. Never another for the same thing: scripts read it.
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What to do; empty where there is nothing to be done.
    hint: String,
}

impl Check {
    fn ok(group: &'static str, name: &'static str, found: impl Into<String>) -> Self {
        Self { group, name, state: State::Ok, found: found.into(), hint: String::new() }
    }

    fn note(
        group: &'static str,
        name: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { group, name, state: State::Note, found: found.into(), hint: hint.into() }
    }

    fn problem(
        group: &'static str,
        name: &'static str,
        found: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { group, name, state: State::Problem, found: found.into(), hint: hint.into() }
    }
}

pub(super) fn run(json: bool, bundle: bool) -> anyhow::Result<ExitCode> {
    let checks: Vec<_> = [broker::checks(), crashes::checks(), go::checks()].into_iter().flatten().collect();
    if bundle {
        bundle::write(&render(&checks))?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = if json { serde_json::to_string_pretty(&checks)? + "\n" } else { render(&checks) };
    super::print(&text)?;
    let well = checks.iter().all(|check| check.state != State::Problem);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn render(checks: &[Check]) -> String {
    let mut text = String::new();
    for Check { group, name, state, found, hint } in checks {
        let state = match state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "PROBLEM",
        };
        let _ = writeln!(text, "{group:<8}{name:<14}{state:<9}{found}");
        for line in hint.lines() {
            let _ = writeln!(text, "{:<22}hint: {line}", "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_stands_below_its_check_and_states_have_one_spelling_in_json() {
        let checks =
            [Check::ok("go", "version", "go1.27.3"), Check::problem("go", "variable", "unset", "set it")];
        let text = render(&checks);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().last().is_some_and(|line| line.trim() == "hint: set it"), "{text}");
        let json = serde_json::to_value(&checks[1]).expect("plain data");
        assert_eq!((&json["state"], &json["name"]), (&"problem".into(), &"variable".into()));
    }
}
