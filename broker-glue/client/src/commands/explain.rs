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
    let named = crate::session::current().filter(|id| ended(id) == Some(0));
    let session = named.unwrap_or_else(|| latest.session.clone());
    let of_it = of_build(&stats.records, &session, ended(&session));
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

/// When the session `id` ended, Unix time in milliseconds; 0 while it is open, `None` where it is not known.
fn ended(id: &str) -> Option<u64> {
    let mut daemon = Running::find().ok()??;
    super::session::stats(daemon.wire(), id).ok().map(|report| report.ended_unix_ms)
}

/// The calls of the last build, earliest first, where that belongs to `session`, which `ended` then. Calls that name a
/// session after its end are none of its, and each program that made some is a build.
fn of_build<'a>(records: &'a [Record], session: &str, ended: Option<u64>) -> Vec<&'a Record> {
    let is_late = |record: &Record| match ended {
        Some(0) => false,
        Some(end) => record.at_unix_ms > end,
        None => true,
    };
    let of_session = || records.iter().filter(|record| record.session == session);
    let Some(latest) = of_session().next() else { return Vec::new() };
    let one_program = session.is_empty() || is_late(latest);
    let is_of_it = |record: &&Record| match one_program {
        true => record.build == latest.build && (session.is_empty() || is_late(record)),
        false => !is_late(record),
    };
    of_session().filter(is_of_it).rev().collect()
}

/// Questions to a tool are no misses.
fn is_missed(record: &Record) -> bool {
    record.outcome != "hit" && !["not_a_compile", "answered"].contains(&record.reason.as_str())
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
    fn calls_after_the_end_of_their_session_are_builds_by_themselves() {
        let call = |id, session: &str, build, at_unix_ms| Record {
            id,
            session: session.into(),
            build,
            at_unix_ms,
            ..Record::default()
        };
        // Latest first.
        let records = [
            call(5, "s", 8, 50),
            call(4, "s", 7, 40),
            call(3, "", 7, 30),
            call(2, "s", 8, 20),
            call(1, "s", 6, 10),
        ];
        let of = |session: &str, ended| -> Vec<u64> {
            of_build(&records, session, ended).iter().map(|record| record.id).collect()
        };
        assert_eq!(of("s", Some(0)), [1, 2, 4, 5], "it is open");
        assert_eq!(of("s", Some(50)), [1, 2, 4, 5], "nothing came after it");
        assert_eq!(of("s", Some(20)), [5], "the first with process id 8 came before its end");
        assert_eq!(of("s", None), [2, 5], "it is not known");
        assert_eq!(of("", None), [3]);
        assert_eq!(of("t", Some(0)), Vec::<u64>::new());
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
