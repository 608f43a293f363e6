//! Builds: sessions, and where there is none what one program such as make has called.

use std::collections::HashMap;

use larder_proto::v1::{Build, BuildActions, Builds, Day, Record, SessionReport, Stats};

use crate::reports::SCHEMA_VERSION;

/// How many of the slowest calls are named.
const SLOWEST: usize = 10;

/// Most tools that are named of one build.
const TOOLS: usize = 6;

/// All builds that calls or sessions are known of, latest first.
pub(crate) fn builds(stats: &Stats, sessions: &[SessionReport]) -> Builds {
    let mut by_id: HashMap<String, Vec<&Record>> = HashMap::new();
    for record in stats.records.iter().rev() {
        by_id.entry(id(record, sessions)).or_default().push(record);
    }
    for session in sessions {
        by_id.entry(session.session.clone()).or_default();
    }
    let mut builds: Vec<_> = by_id
        .into_iter()
        .map(|(id, records)| {
            let session = sessions.iter().find(|session| session.session == id);
            build(id, &records, session)
        })
        .collect();
    builds.sort_by(|a, b| (b.latest_unix_ms, &b.id).cmp(&(a.latest_unix_ms, &a.id)));
    Builds { schema_version: SCHEMA_VERSION, builds }
}

/// One of them, with its calls.
pub(crate) fn actions(id: &str, stats: Stats, sessions: &[SessionReport]) -> Option<BuildActions> {
    let session = sessions.iter().find(|session| session.session == id);
    let mut records: Vec<Record> =
        stats.records.into_iter().filter(|record| self::id(record, sessions) == id).collect();
    if records.is_empty() && session.is_none() {
        return None;
    }
    records.reverse();
    let build = build(id.to_owned(), &records.iter().collect::<Vec<_>>(), session);
    let mut slowest: Vec<Record> = match session {
        Some(session) => session.slowest.clone(),
        None => {
            records.iter().filter(|record| record.outcome != "hit" && record.tool_us > 0).cloned().collect()
        }
    };
    slowest.sort_by_key(|record| std::cmp::Reverse(record.tool_us));
    slowest.truncate(SLOWEST);
    Some(BuildActions { schema_version: SCHEMA_VERSION, build: Some(build), records, slowest })
}

/// The build that a call belongs to. One that names a session after its end is none of its: a shell keeps the variable.
fn id(record: &Record, sessions: &[SessionReport]) -> String {
    let session = sessions.iter().find(|session| session.session == record.session);
    let is_late = session.is_some_and(|session| (1..record.at_unix_ms).contains(&session.ended_unix_ms));
    if record.session.is_empty() || is_late {
        format!("pid-{}", record.build)
    } else {
        record.session.clone()
    }
}

/// `records` are all of this build, earliest first.
fn build(id: String, records: &[&Record], session: Option<&SessionReport>) -> Build {
    let start =
        |record: &Record| record.at_unix_ms.saturating_sub((record.overhead_us + record.tool_us) / 1000);
    let first = records.iter().map(|record| start(record)).min().unwrap_or_default();
    let latest = records.iter().map(|record| record.at_unix_ms).max().unwrap_or_default();
    let started = session.map_or(first, |session| session.started_unix_ms);
    Build {
        id,
        root: root(records),
        tools: tools(records),
        started_unix_ms: started,
        latest_unix_ms: session.map_or(latest, |session| session.ended_unix_ms.max(latest).max(started)),
        open: session.is_some_and(|session| session.ended_unix_ms == 0),
        counts: Some(counts(records, session, started)),
        command: session.map(|session| session.command.clone()).unwrap_or_default(),
    }
}

/// A session's counts go on when its first calls are forgotten.
fn counts(records: &[&Record], session: Option<&SessionReport>, started_unix_ms: u64) -> Day {
    let mut day = Day {
        day: u32::try_from(started_unix_ms / (24 * 60 * 60 * 1000)).unwrap_or(u32::MAX),
        ..Day::default()
    };
    if let Some(session) = session {
        for service in &session.services {
            day.hits += service.hits;
            day.misses += service.misses;
            day.uncacheable += service.uncacheable;
            day.errors += service.errors;
            day.bypasses += service.bypasses;
            day.avoided_us += service.avoided_us;
            day.overhead_us += service.overhead_us;
            let ran = service.reasons.iter().filter(|reason| reason.outcome != "hit");
            day.tool_us += ran.map(|reason| reason.tool_us).sum::<u64>();
        }
        return day;
    }
    for record in records {
        let count = match record.outcome.as_str() {
            "hit" => &mut day.hits,
            "miss" => &mut day.misses,
            "uncacheable" => &mut day.uncacheable,
            "error" => &mut day.errors,
            _ => &mut day.bypasses,
        };
        *count += 1;
        day.overhead_us += record.overhead_us;
        *(if record.outcome == "hit" { &mut day.avoided_us } else { &mut day.tool_us }) += record.tool_us;
    }
    day
}

fn tools(records: &[&Record]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for record in records.iter().filter(|record| !record.tool.is_empty()) {
        *counts.entry(&record.tool).or_default() += 1;
    }
    let mut tools: Vec<_> = counts.into_iter().collect();
    tools.sort_by(|a, b| (b.1, a.0).cmp(&(a.1, b.0)));
    tools.into_iter().take(TOOLS).map(|(tool, _)| tool.to_owned()).collect()
}

/// The longest folder that all calls' folders lie in.
fn root(records: &[&Record]) -> String {
    let mut folders = records.iter().map(|record| record.cwd.as_str()).filter(|folder| !folder.is_empty());
    let Some(first) = folders.next() else { return String::new() };
    let mut root: Vec<&str> = first.split('/').collect();
    for folder in folders {
        let same = root.iter().zip(folder.split('/')).take_while(|(a, b)| **a == *b).count();
        root.truncate(same);
    }
    if root == [""] { "/".to_owned() } else { root.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_one_program_and_those_of_a_session_are_builds() {
        let record = |build, session: &str, outcome: &str, cwd: &str, at| Record {
            build,
            session: session.into(),
            outcome: outcome.into(),
            cwd: cwd.into(),
            tool: "gcc".into(),
            tool_us: 5000,
            at_unix_ms: at,
            ..Record::default()
        };
        let records = vec![
            record(3, "s", "miss", "/w/c", 400),
            record(2, "", "hit", "/w/a/sub", 300),
            record(2, "", "miss", "/w/ab", 200),
        ];
        let session = SessionReport { session: "s".into(), started_unix_ms: 390, ..SessionReport::default() };
        let stats = Stats { records, ..Stats::default() };
        let found = builds(&stats, std::slice::from_ref(&session)).builds;
        assert_eq!(found.iter().map(|build| build.id.as_str()).collect::<Vec<_>>(), ["s", "pid-2"]);
        assert_eq!((found[1].root.as_str(), found[1].started_unix_ms), ("/w", 195));
        assert!(found[0].open && !found[1].open);
        let counts = found[1].counts.expect("counted");
        assert_eq!((counts.hits, counts.misses, counts.avoided_us, counts.tool_us), (1, 1, 5000, 5000));
        let one = actions("pid-2", stats.clone(), &[]).expect("known");
        assert_eq!(one.records.iter().map(|record| record.at_unix_ms).collect::<Vec<_>>(), [200, 300]);
        assert_eq!(one.slowest.len(), 1);
        assert_eq!(actions("pid-9", stats, &[]), None);
    }

    #[test]
    fn what_names_a_session_after_its_end_is_a_build_of_its_own() {
        let record = |at_unix_ms| Record { build: 4, session: "s".into(), at_unix_ms, ..Record::default() };
        let stats = Stats { records: vec![record(31), record(30), record(20)], ..Stats::default() };
        let command = vec!["make".to_owned()];
        let open =
            SessionReport { session: "s".into(), command: command.clone(), ..SessionReport::default() };
        let ended = SessionReport { ended_unix_ms: 30, ..open.clone() };
        let calls = |id: &str, session: &SessionReport| {
            let found = actions(id, stats.clone(), std::slice::from_ref(session))?;
            Some(found.records.iter().map(|record| record.at_unix_ms).collect::<Vec<_>>())
        };
        assert_eq!((calls("s", &open), calls("pid-4", &open)), (Some(vec![20, 30, 31]), None));
        assert_eq!((calls("s", &ended), calls("pid-4", &ended)), (Some(vec![20, 30]), Some(vec![31])));
        let found = builds(&stats, &[ended]).builds;
        let told: Vec<_> = found.iter().map(|build| (build.id.as_str(), build.command.clone())).collect();
        assert_eq!(told, [("pid-4", vec![]), ("s", command)]);
    }
}
