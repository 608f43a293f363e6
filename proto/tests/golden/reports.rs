//! The reports of the page, as the control lane carries them.

use larder_proto::v1::*;

use crate::{stats, status};

/// One of each report of the page.
pub(super) fn all() -> Vec<(&'static str, report::Report)> {
    use report::Report;
    let schema_version = 1;
    let record = stats().records.remove(0);
    let day = Day {
        day: 1,
        hits: 2,
        misses: 3,
        uncacheable: 4,
        errors: 5,
        bypasses: 6,
        avoided_us: 7,
        tool_us: 8,
        overhead_us: 9,
    };
    let cause = Cause {
        service: "compile".into(),
        outcome: "miss".into(),
        reason: "first_seen".into(),
        sentence: "never seen".into(),
        count: 1,
        tool_us: 2,
    };
    let input =
        Input { kind: "file".into(), name: "x.h".into(), then: "a".into(), now: "b".into(), differs: true };
    let build = Build {
        id: "pid-7".into(),
        root: "/w".into(),
        tools: vec!["gcc".into()],
        started_unix_ms: 1,
        latest_unix_ms: 2,
        open: true,
        counts: Some(day),
        command: vec![],
    };
    let of_command = Build { command: vec!["make".into(), "-j2".into()], ..build.clone() };
    let figure = Figure { id: "leases".into(), title: "leases".into(), value: 2, unit: "count".into() };
    let lane = LaneStatus {
        service: "compile".into(),
        lane: 1,
        in_flight: 2,
        requests: 3,
        requests_last_minute: 4,
        p50_us: 5,
        p95_us: 6,
        p99_us: 7,
        errors: 8,
        leases: 9,
        figures: vec![figure],
    };
    let blob = StoredBlob { digest: "00".into(), size: 1, last_use_unix_ms: 2 };
    let store = StoreReport {
        schema_version,
        store: status().store,
        blob_bytes: 1,
        named_bytes: 2,
        ages: vec![Age { up_to_seconds: 1, blobs: 2, bytes: 3 }],
        largest: vec![blob.clone()],
    };
    let output = FoundOutput { name: "object".into(), digest: "00".into(), size: 1 };
    let action =
        FoundAction { key: "00".into(), created_unix_ms: 1, tool_us: 2, exit_code: 3, outputs: vec![output] };
    let check = HealthCheck {
        group: "larder".into(),
        name: "daemon".into(),
        state: "ok".into(),
        found: "ready".into(),
        hint: "none".into(),
    };
    let health = Health {
        schema_version,
        checks: vec![check],
        status: Some(status()),
        cpu_us: 1,
        log: vec!["line".into()],
        log_file: "/l".into(),
    };
    let setting = SettingValue {
        name: "size_limit".into(),
        variable: "LARDER_SIZE_LIMIT".into(),
        unit: "bytes".into(),
        purpose: "size".into(),
        value: "1".into(),
        default_value: "2".into(),
        origin: "file".into(),
    };
    let overview = Overview {
        schema_version,
        verdict: "good".into(),
        today: Some(day),
        days: vec![day],
        costliest: vec![cause.clone()],
        paused: true,
    };
    let comparison = Comparison {
        schema_version,
        record: Some(record.clone()),
        sentence: "changed".into(),
        inputs: vec![input],
        more: 4,
    };
    let misses = Misses { schema_version, causes: vec![cause], records: vec![record.clone()] };
    let (records, slowest) = (vec![record.clone()], vec![record]);
    let actions = BuildActions { schema_version, build: Some(build.clone()), records, slowest };
    let settings = SettingList { schema_version, file: "/c".into(), settings: vec![setting] };
    vec![
        ("overview", Report::Overview(overview)),
        ("misses", Report::Misses(misses)),
        ("comparison", Report::Comparison(comparison)),
        ("builds", Report::Builds(Builds { schema_version, builds: vec![build] })),
        ("builds_command", Report::Builds(Builds { schema_version, builds: vec![of_command] })),
        ("build", Report::Build(actions)),
        ("services", Report::Services(LaneList { schema_version, lanes: vec![lane] })),
        ("store", Report::Store(store)),
        ("found", Report::Found(Found { schema_version, blobs: vec![blob], actions: vec![action] })),
        ("health", Report::Health(health)),
        ("settings", Report::Settings(settings)),
    ]
}
