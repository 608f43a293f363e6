//! `larder doctor`: whether what surrounds larder is as it must be, and what to do where it is not.
//!
//! What the daemon can see as well is looked at by `larder_glue::checks`, for the page as for here; the rest is the
//! caller's side, one file for each matter. A check looks and changes nothing, and starts no daemon. With `--fix` larder
//! then mends what is its own, and looks again.

mod bundle;
mod cargo;
mod daemon;
mod find;
mod fix;
mod go;
mod leftovers;
mod programs;
mod tools;
mod wrappers;

use std::fmt::Write as _;
use std::process::ExitCode;

use larder_glue::checks::{self, Around, Check, State};
use larder_glue::folders::Folders;
use larder_glue::{names, settings};
use serde_json::json;

use fix::Done;

/// How `larder doctor` was called.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Options {
    /// Mend what is larder's own, say what was done, and look again
    #[arg(long)]
    fix: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Write what a maintainer needs into one file here, without sources or values of variables
    #[arg(long, conflicts_with_all = ["json", "fix"])]
    bundle: bool,
}

pub(super) fn run(options: Options) -> anyhow::Result<ExitCode> {
    let mut checks = look();
    if options.bundle {
        bundle::write(&render(&checks, &[]))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut done = Vec::new();
    if options.fix {
        done = fix::mend(&checks);
        checks = look();
        fix::keep_told(&mut checks, &done);
    }
    super::print(&if options.json { as_json(&checks, &done)? } else { render(&checks, &done) })?;
    let well = checks.iter().all(|check| check.state != State::Problem);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look() -> Vec<Check> {
    let mut found = Vec::new();
    match Folders::from_env() {
        Ok(folders) => {
            let daemon = daemon::find();
            let status = daemon.as_ref().ok().and_then(Option::as_deref);
            let limit_bytes = match status.and_then(|status| status.store.as_ref()) {
                Some(store) => store.limit_bytes,
                None => super::config::bytes(&folders, &settings::SIZE_LIMIT).unwrap_or(0),
            };
            let broker = names::broker_program();
            found.extend(checks::all(&Around { folders: &folders, broker: &broker, limit_bytes, status }));
            found.extend(daemon::checks(&folders, &daemon));
            found.push(leftovers::check(&folders));
        }
        Err(error) => found.push(Check::error(checks::LARDER, "cache", &error.to_string())),
    }
    found.push(programs::check());
    found.extend(tools::checks());
    found.extend(wrappers::checks());
    found.extend(go::checks());
    found
}

fn as_json(checks: &[Check], done: &[Done]) -> anyhow::Result<String> {
    let shown = |check: &Check| {
        json!({
            "group": check.group,
            "name": check.name,
            "state": check.state.id(),
            "found": check.found,
            "hint": check.hint,
            "fixable": !check.fixes.is_empty(),
            "done": Done::of(done, check).map(|done| &*done.told).collect::<Vec<_>>(),
        })
    };
    Ok(serde_json::to_string_pretty(&checks.iter().map(shown).collect::<Vec<_>>())? + "\n")
}

fn render(checks: &[Check], done: &[Done]) -> String {
    let mut text = String::new();
    let mut fixable = 0;
    for check in checks {
        let Check { group, name, state, found, hint, fixes } = check;
        fixable += usize::from(*state != State::Ok && !fixes.is_empty());
        let state = match state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "PROBLEM",
        };
        let _ = writeln!(text, "{group:<8}{name:<14}{state:<9}{found}");
        for line in hint.lines() {
            let _ = writeln!(text, "{:<22}hint: {line}", "");
        }
        for Done { told, .. } in Done::of(done, check) {
            let _ = writeln!(text, "{:<22}done: {told}", "");
        }
    }
    if fixable > 0 && done.is_empty() {
        let _ = writeln!(text, "larder doctor --fix mends {fixable} of these");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_glue::checks::Fix;

    #[test]
    fn a_hint_stands_below_its_check_and_states_have_one_spelling_in_json() {
        let checks =
            [Check::ok("go", "version", "go1.27.3"), Check::problem("go", "variable", "unset", "set it")];
        let text = render(&checks, &[]);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().last().is_some_and(|line| line.trim() == "hint: set it"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&as_json(&checks, &[]).unwrap()).unwrap();
        assert_eq!((&json[1]["state"], &json[1]["name"]), (&"problem".into(), &"variable".into()));
    }

    #[test]
    fn what_was_done_stands_below_its_check_and_what_can_be_done_is_offered() {
        let mended = Check::note("larder", "state", "it is not there", "").mended_by(Fix::Restart);
        assert!(render(std::slice::from_ref(&mended), &[]).contains("--fix mends 1 of"));
        let done = Done { group: "larder", name: "state", told: "made it".to_owned() };
        let text = render(&[mended], &[done]);
        assert!(text.lines().last().is_some_and(|line| line.trim() == "done: made it"), "{text}");
    }
}
