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
    let Some(record) = about(&stats.records, &wanted) else {
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
    let session = crate::session::current().unwrap_or_else(|| latest.session.clone());
    let is_of_it = |record: &&Record| match session.as_str() {
        "" => record.build == latest.build,
        session => record.session == session,
    };
    let of_it: Vec<&Record> = stats.records.iter().filter(is_of_it).rev().collect();
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

/// The latest of `records` that made the file `wanted`, else the latest that compiled it.
fn about<'a>(records: &'a [Record], wanted: &Path) -> Option<&'a Record> {
    let is =
        |record: &Record, name: &str| !name.is_empty() && plain(&Path::new(&record.cwd).join(name)) == wanted;
    let made = records.iter().find(|record| is(record, &record.output));
    made.or_else(|| records.iter().find(|record| is(record, &record.source)))
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
        let records = [record];
        for wanted in ["/w/build/x.o", "/w/src/x.c"] {
            assert!(about(&records, Path::new(wanted)).is_some(), "{wanted}");
        }
        for other in ["/w/x.o", "/w/build", "/w/build/x.c"] {
            assert!(about(&records, Path::new(other)).is_none(), "{other}");
        }
    }

    #[test]
    fn who_asks_for_an_object_is_told_how_it_was_made_and_not_what_was_linked_of_it() {
        let call = |source: &str, output: &str| Record {
            cwd: "/w".into(),
            source: source.into(),
            output: output.into(),
            ..Record::default()
        };
        let records = [call("x.o", "x"), call("x.c", "x.o")];
        assert_eq!(about(&records, Path::new("/w/x.o")), Some(&records[1]));
        assert_eq!(about(&records[..1], Path::new("/w/x.o")), Some(&records[0]));
    }
}
