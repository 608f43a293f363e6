//! `larder explain [FILE]`

use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use larder_proto::v1::{Record, Stats, StatsRequest, control_reply, control_request};

use crate::running::Running;

/// Most records that a daemon keeps, and one reply carries.
const RECORDS: u32 = 1000;

pub(super) fn run(file: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let stats = stats()?;
    let wanted = plain(&std::path::absolute(file)?);
    let Some(record) = stats.records.iter().find(|record| is_about(record, &wanted)) else {
        anyhow::bail!(
            "no call for {} is among the latest {} since the daemon started\nhint: name an object or a source as the compiler was told, or build it again",
            wanted.display(),
            stats.records.len()
        );
    };
    let text = if json {
        serde_json::to_string_pretty(record)? + "\n"
    } else {
        super::render::record(record, sentence(&stats, record))
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// What was no hit of all that one program, such as cargo, called: the one that made the latest call.
pub(super) fn last_build(json: bool) -> anyhow::Result<ExitCode> {
    let stats = stats()?;
    let Some(latest) = stats.records.first() else {
        anyhow::bail!(
            "nothing was built since the daemon started\nhint: larder --help says how to build through it"
        );
    };
    let of_it: Vec<&Record> =
        stats.records.iter().filter(|record| record.build == latest.build).rev().collect();
    let missed: Vec<&Record> = of_it.iter().copied().filter(|record| is_missed(record)).collect();
    let text = if json {
        serde_json::to_string_pretty(&missed)? + "\n"
    } else {
        let hits = of_it.iter().filter(|record| record.outcome == "hit").count();
        super::render::missed(&missed, hits, |record| sentence(&stats, record))
    };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Questions to a tool are no misses.
fn is_missed(record: &Record) -> bool {
    record.outcome != "hit" && record.reason != "not_a_compile"
}

/// All that the daemon knows of calls.
fn stats() -> anyhow::Result<Stats> {
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running, and what it knew of calls is gone with it\nhint: larder start");
    };
    match daemon.control(control_request::Request::Stats(StatsRequest { records: RECORDS }))? {
        control_reply::Reply::Stats(stats) => Ok(stats),
        _ => anyhow::bail!("the daemon's answer makes no sense"),
    }
}

/// Whether `record` made the file `wanted`, or compiled it.
fn is_about(record: &Record, wanted: &Path) -> bool {
    let names = |name: &str| !name.is_empty() && plain(&Path::new(&record.cwd).join(name)) == wanted;
    names(&record.output) || names(&record.source)
}

/// `path` without the steps that lead nowhere. Links are not followed: both spellings come from the same folder.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

fn sentence<'a>(stats: &'a Stats, record: &Record) -> &'a str {
    let reasons = stats.services.iter().flat_map(|service| &service.reasons);
    reasons.into_iter().find(|reason| reason.id == record.reason).map_or("", |reason| &reason.sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_found_by_its_object_and_by_its_source_however_they_are_spelled() {
        let record = Record {
            cwd: "/w/build".into(),
            source: "../src/x.c".into(),
            output: "./x.o".into(),
            ..Record::default()
        };
        for wanted in ["/w/build/x.o", "/w/src/x.c"] {
            assert!(is_about(&record, Path::new(wanted)), "{wanted}");
        }
        for other in ["/w/x.o", "/w/build", "/w/build/x.c"] {
            assert!(!is_about(&record, Path::new(other)), "{other}");
        }
    }
}
