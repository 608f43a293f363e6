//! The bytes of every message, as they were when its field numbers were given out.
//!
//! A change that fails here breaks clients and daemons of other versions: give new fields new numbers instead.
//! New messages: run with `LARDER_WRITE_GOLDEN=1` once and commit the file.

mod reports;

use std::path::Path;

use larder_proto::v1::*;
use prost::Message;

fn golden<M: Message + Default + PartialEq>(name: &str, message: &M) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let bytes = message.encode_to_vec();
    if std::env::var_os("LARDER_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, &bytes).expect("the source tree is writable");
    }
    let kept = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(bytes, kept, "the bytes of {name} have changed");
    assert!(M::decode(kept.as_slice()).expect("it decodes") == *message, "{name} reads back differently");
}

fn control(request: control_request::Request) -> ControlRequest {
    ControlRequest { protocol: 1, client_version: "0.1.0".into(), request: Some(request) }
}

fn control_reply(reply: control_reply::Reply) -> ControlReply {
    ControlReply { protocol: 1, daemon_version: "0.1.0".into(), reply: Some(reply) }
}

fn compile(request: compile_request::Request) -> CompileRequest {
    CompileRequest { protocol: 1, client_version: "0.1.0".into(), request: Some(request) }
}

fn compile_reply(reply: compile_reply::Reply) -> CompileReply {
    CompileReply { protocol: 1, daemon_version: "0.1.0".into(), reply: Some(reply) }
}

#[test]
fn control_requests_keep_their_bytes() {
    use control_request::Request;
    golden("control_ping.bin", &control(Request::Ping(Ping {})));
    golden("control_status.bin", &control(Request::Status(StatusRequest {})));
    golden("control_stats.bin", &control(Request::Stats(StatsRequest { records: 100 })));
    golden("control_shutdown.bin", &control(Request::Shutdown(ShutdownRequest { drain_seconds: 5 })));
    let clear = ClearRequest { service: "compile".into(), dry_run: true };
    golden("control_clear.bin", &control(Request::Clear(clear)));
    golden("control_zero_stats.bin", &control(Request::ZeroStats(ZeroStatsRequest { records: 3 })));
    let report = ReportRequest { kind: ReportKind::Build.into(), name: "pid-7".into(), records: 5 };
    golden("control_report.bin", &control(Request::Report(report)));
}

#[test]
fn control_replies_keep_their_bytes() {
    use control_reply::Reply;
    golden("control_pong.bin", &control_reply(Reply::Pong(Pong {})));
    golden("control_reply_status.bin", &control_reply(Reply::Status(Box::new(status()))));
    golden("control_reply_stats.bin", &control_reply(Reply::Stats(stats())));
    let mut phased = stats();
    let record = &mut phased.records[0];
    (record.lookup_us, record.wait_us, record.publish_us, record.validate_us) = (1, 2, 3, 4);
    golden("control_reply_stats_phases.bin", &control_reply(Reply::Stats(phased)));
    golden("control_reply_shutdown.bin", &control_reply(Reply::Shutdown(ShutdownAccepted { pid: 42 })));
    let cleared = Cleared { records: 1, blobs: 2, bytes: 3, blobs_in_use: 4, records_unowned: 0 };
    golden("control_reply_cleared.bin", &control_reply(Reply::Cleared(cleared)));
    let of_one = Cleared { records_unowned: 5, ..cleared };
    golden("control_reply_cleared_of_one.bin", &control_reply(Reply::Cleared(of_one)));
    let mut before = stats();
    let service = &mut before.services[0];
    (service.lookup_us, service.validate_us, service.wait_us, service.publish_us) = (8, 9, 10, 11);
    golden("control_reply_zeroed.bin", &control_reply(Reply::Zeroed(StatsZeroed { before: Some(before) })));
    for (name, report) in reports::all() {
        let reply = Reply::Report(Box::new(Report { report: Some(report) }));
        golden(&format!("control_reply_report_{name}.bin"), &control_reply(reply));
    }
    let no = NotSupported { sentence: "no such request".into(), daemon_speaks: 1 };
    golden("control_reply_not_supported.bin", &control_reply(Reply::NotSupported(no)));
    let failure = Failure { id: "request_malformed".into(), sentence: "it cannot be decoded".into() };
    golden("control_reply_failure.bin", &control_reply(Reply::Failure(failure)));
}

#[test]
fn compile_requests_keep_their_bytes() {
    use compile_request::Request;
    let lookup = Lookup {
        cwd: b"/src".to_vec(),
        tool: b"/usr/bin/gcc".to_vec(),
        tool_name: b"gcc".to_vec(),
        args: vec![b"-c".to_vec(), b"x.c".to_vec()],
        env: vec![EnvVar { name: b"LANG".to_vec(), value: b"C".to_vec() }],
        stderr_terminal: true,
        terminal_columns: 80,
        mount_namespace: 7,
        root_device: 8,
        root_inode: 9,
        parent_pid: 0,
        session: String::new(),
        portable: Vec::new(),
        stdin_null: false,
    };
    golden("compile_lookup.bin", &compile(Request::Lookup(lookup.clone())));
    let reads_nothing = Lookup { stdin_null: true, ..lookup.clone() };
    golden("compile_lookup_reads_nothing.bin", &compile(Request::Lookup(reads_nothing)));
    let lookup = Lookup { portable: b"/src".to_vec(), ..lookup };
    golden("compile_lookup_portable.bin", &compile(Request::Lookup(lookup)));
    let publish = Publish {
        lease: 3,
        exit_code: 139,
        stdout: b"out".to_vec(),
        stderr: b"err".to_vec(),
        started_unix_ns: 1_700_000_000_000_000_000,
        tool_us: 1234,
    };
    golden("compile_publish.bin", &compile(Request::Publish(publish)));
    golden("compile_abandon.bin", &compile(Request::Abandon(Abandon { lease: 3 })));
    let not_restored = NotRestored { record: 9, cause: NotRestoredCause::Blob.into() };
    golden("compile_not_restored.bin", &compile(Request::NotRestored(not_restored)));
    golden("compile_list_rust_artifacts.bin", &compile(Request::ListRustArtifacts(ListRustArtifacts {})));
}

#[test]
fn compile_replies_keep_their_bytes() {
    use compile_reply::Reply;
    let output = OutputFile {
        path: b"x.o".to_vec(),
        blob: b"/cache/blob".to_vec(),
        inline: b"inline".to_vec(),
        size: 6,
        mode: 0o666,
        style: WriteStyle::Rewrite.into(),
        blob_mtime_ns: 1,
        blob_ctime_ns: 2,
        blob_inode: 3,
    };
    let hit = Hit {
        outputs: vec![output],
        stdout: b"out".to_vec(),
        stderr: b"err".to_vec(),
        exit_code: 0,
        record: 5,
    };
    golden("compile_hit.bin", &compile_reply(Reply::Hit(hit)));
    let run = Run {
        lease: 3,
        args: vec![b"-c".to_vec()],
        discovery_args: vec![b"-M".to_vec()],
        outcome: "miss".into(),
        reason: "first_seen".into(),
        sentence: "never seen".into(),
        list_folder: b"/cache/tmp".to_vec(),
    };
    golden("compile_run.bin", &compile_reply(Reply::Run(run)));
    let published = Published { stored: true, reason: "first_seen".into() };
    golden("compile_published.bin", &compile_reply(Reply::Published(published)));
    let no = NotSupported { sentence: "no such request".into(), daemon_speaks: 1 };
    golden("compile_not_supported.bin", &compile_reply(Reply::NotSupported(no)));
    let failure = CompileFailure { id: "request_malformed".into(), sentence: "it cannot be decoded".into() };
    let artifact = RustArtifact {
        name: "serde".into(),
        version: "1.0.0".into(),
        kind: "library".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        outputs: vec!["libserde-1.rlib".into()],
        bytes: 1,
        created_unix_ms: 2,
        tool_us: 3,
        key: "00".into(),
    };
    let artifacts = RustArtifacts { artifacts: vec![artifact] };
    golden("compile_rust_artifacts.bin", &compile_reply(Reply::RustArtifacts(artifacts)));
    golden("compile_failure.bin", &compile_reply(Reply::Failure(failure)));
}

#[test]
fn session_messages_keep_their_bytes() {
    use session_reply::Reply;
    use session_request::Request;
    let request =
        |request| SessionRequest { protocol: 1, client_version: "0.1.0".into(), request: Some(request) };
    let reply = |reply| SessionReply { protocol: 1, daemon_version: "0.1.0".into(), reply: Some(reply) };
    let start = SessionStart { owner_pid: 1, owner_start: 2, ..SessionStart::default() };
    golden("session_start.bin", &request(Request::Start(start)));
    let start = SessionStart {
        owner_pid: 1,
        owner_start: 2,
        journal: true,
        log: true,
        no_stats: true,
        command: vec![],
    };
    golden("session_start_journal.bin", &request(Request::Start(start.clone())));
    let start = SessionStart { command: vec!["make".into(), "-j2".into()], ..start };
    golden("session_start_command.bin", &request(Request::Start(start)));
    golden("session_stats.bin", &request(Request::Stats(SessionStats { session: "s".into() })));
    golden("session_end.bin", &request(Request::End(SessionEnd { session: "s".into() })));
    golden("session_started.bin", &reply(Reply::Started(SessionStarted { session: "s".into() })));
    let mut stats = stats();
    stats.records[0].session = "s".into();
    let report = SessionReport {
        session: "s".into(),
        started_unix_ms: 1,
        ended_unix_ms: 2,
        ended_by: "owner".into(),
        services: stats.services,
        slowest: stats.records,
        latest: "x.c".into(),
        lines_lost: 0,
        command: vec![],
    };
    let of_command = SessionReport { command: vec!["make".into(), "-j2".into()], ..report.clone() };
    golden("session_report_command.bin", &reply(Reply::Report(of_command)));
    let lossy = SessionReport { lines_lost: 3, ..report.clone() };
    golden("session_report_lossy.bin", &reply(Reply::Report(lossy)));
    golden("session_report.bin", &reply(Reply::Report(report)));
    let no = NotSupported { sentence: "no such request".into(), daemon_speaks: 1 };
    golden("session_not_supported.bin", &reply(Reply::NotSupported(no)));
    let failure = Failure { id: "request_malformed".into(), sentence: "it cannot be decoded".into() };
    golden("session_failure.bin", &reply(Reply::Failure(failure)));
}

fn go(request: go_request::Request) -> GoRequest {
    GoRequest { protocol: 1, client_version: "0.1.0".into(), request: Some(request) }
}

fn go_reply(reply: go_reply::Reply) -> GoReply {
    GoReply { protocol: 1, daemon_version: "0.1.0".into(), reply: Some(reply) }
}

#[test]
fn go_requests_keep_their_bytes() {
    use go_request::Request;
    let held = vec![GoOutput { output: vec![1; 32], size: 2 }];
    let open = GoOpen { cwd: b"/src".to_vec(), go_version: "go1.27.3".into(), held, session: String::new() };
    golden("go_open.bin", &go(Request::Open(open.clone())));
    let open = GoOpen { session: "s".into(), ..open };
    golden("go_open_session.bin", &go(Request::Open(open)));
    let used = vec![GoUse { action: vec![2; 32], miss: true }];
    let get = GoGet { action: vec![3; 32], ahead: 64, used: used.clone() };
    golden("go_get.bin", &go(Request::Get(get)));
    let put = GoPut { action: vec![4; 32], output: vec![5; 32], size: 6, staged: b"7".to_vec(), tool_us: 8 };
    golden("go_put.bin", &go(Request::Put(put)));
    golden("go_close.bin", &go(Request::Close(GoClose { used, kept_back: 9 })));
}

#[test]
fn go_replies_keep_their_bytes() {
    use go_reply::Reply;
    let opened = GoOpened { blobs: b"/cache/blobs".to_vec(), staging: b"/cache/tmp/go-1".to_vec() };
    golden("go_opened.bin", &go_reply(Reply::Opened(opened)));
    let known = GoKnown {
        action: vec![1; 32],
        output: vec![2; 32],
        size: 3,
        path: b"02/0202".to_vec(),
        put_unix_ms: 4,
        stamp: Some(GoStamp { mtime_ns: -5, ctime_ns: 6, inode: 7 }),
    };
    let miss = GoKnown { action: vec![8; 32], ..GoKnown::default() };
    let found = GoFound { known: Some(known), ahead: vec![miss] };
    golden("go_found.bin", &go_reply(Reply::Found(found)));
    golden("go_stored.bin", &go_reply(Reply::Stored(GoStored { path: b"02/0202".to_vec() })));
    golden("go_closed.bin", &go_reply(Reply::Closed(GoClosed {})));
    let aside = GoAside { reason: "starting_up".into(), sentence: "still loading".into() };
    golden("go_aside.bin", &go_reply(Reply::Aside(aside)));
    let failure = GoFailure { id: "store_failed".into(), sentence: "the disk is full".into() };
    golden("go_failure.bin", &go_reply(Reply::Failure(failure)));
}

fn status() -> Status {
    Status {
        pid: 42,
        version: "0.1.0".into(),
        endpoint: "/run/larder.sock".into(),
        page: "http://127.0.0.1:4000/".into(),
        broker_page: "http://127.0.0.1:4001/".into(),
        started_unix_ms: 1,
        uptime_ms: 2,
        memory_bytes: 3,
        state: "ready".into(),
        store: Some(StoreStatus {
            folder: "/cache".into(),
            bytes: 4,
            limit_bytes: 5,
            blobs: 6,
            actions: 7,
            evicted_blobs: 8,
            damaged_blobs: 9,
        }),
        connections: 10,
        warnings: vec!["a warning".into()],
        broker: "larder".into(),
    }
}

fn stats() -> Stats {
    let reason = ReasonCount {
        id: "direct_hit".into(),
        outcome: "hit".into(),
        sentence: "unchanged".into(),
        count: 1,
        ..ReasonCount::default()
    };
    let figure = Figure { id: "leases".into(), title: "leases".into(), value: 2, unit: "count".into() };
    let service = ServiceStats {
        service: "compile".into(),
        hits: 1,
        misses: 2,
        uncacheable: 3,
        errors: 4,
        bypasses: 5,
        reasons: vec![reason],
        avoided_us: 6,
        overhead_us: 7,
        figures: vec![figure],
        ..ServiceStats::default()
    };
    let record = Record {
        id: 1,
        at_unix_ms: 2,
        service: "compile".into(),
        tool: "gcc".into(),
        source: "x.c".into(),
        output: "x.o".into(),
        outcome: "miss".into(),
        reason: "input_changed".into(),
        detail: "x.h".into(),
        overhead_us: 3,
        tool_us: 4,
        bytes: 5,
        key: "00".into(),
        cwd: String::new(),
        unit: String::new(),
        build: 0,
        session: String::new(),
        lookup_us: 0,
        wait_us: 0,
        publish_us: 0,
        validate_us: 0,
    };
    Stats { schema_version: 1, since_unix_ms: 9, services: vec![service], records: vec![record] }
}

fn artifact_name() -> ArtifactName {
    ArtifactName {
        space: "default".into(),
        key: "k".into(),
        tool: "sort".into(),
        source: "*.txt".into(),
        output: "sorted".into(),
        cwd: "/src".into(),
        parent_pid: 1,
        mount_namespace: 2,
        root_device: 3,
        root_inode: 4,
        session: "s".into(),
    }
}

fn artifact_parts() -> ArtifactParts {
    let kind = ArtifactPartKind::Variable.into();
    let part = ArtifactPart { kind, name: "LANG".into(), digest: vec![6; 32] };
    ArtifactParts { slot: vec![5; 32], parts: vec![part] }
}

fn artifact_output() -> ArtifactOutput {
    ArtifactOutput {
        name: "0".into(),
        file: b"1".to_vec(),
        size: 2,
        mode: 0o644,
        hash: vec![3; 32],
        ..ArtifactOutput::default()
    }
}

#[test]
fn artifact_requests_keep_their_bytes() {
    use artifact_request::Request;
    let request =
        |request| ArtifactRequest { protocol: 1, client_version: "0.1.0".into(), request: Some(request) };
    let (name, parts) = (Some(artifact_name()), Some(artifact_parts()));
    let lookup = ArtifactLookup { name: name.clone(), parts: parts.clone(), only_presence: true };
    golden("artifact_lookup.bin", &request(Request::Lookup(lookup)));
    let store = ArtifactStore {
        name: name.clone(),
        outputs: vec![artifact_output()],
        stdout: b"out".to_vec(),
        stderr: b"err".to_vec(),
        exit_code: 7,
        tool_us: 8,
        parts,
    };
    golden("artifact_store.bin", &request(Request::Store(store)));
    let skip = ArtifactSkip {
        name,
        reason: "tool_failed".into(),
        detail: "x".into(),
        tool_us: 9,
        ..ArtifactSkip::default()
    };
    golden("artifact_skip.bin", &request(Request::Skip(skip.clone())));
    golden("artifact_skip_of_hit.bin", &request(Request::Skip(ArtifactSkip { record: 10, ..skip })));
    golden("artifact_open.bin", &request(Request::Open(ArtifactOpen {})));
}

#[test]
fn artifact_replies_keep_their_bytes() {
    use artifact_reply::Reply;
    let reply = |reply| ArtifactReply { protocol: 1, daemon_version: "0.1.0".into(), reply: Some(reply) };
    let found = ArtifactFound {
        outputs: vec![artifact_output()],
        stdout: b"out".to_vec(),
        stderr: b"err".to_vec(),
        exit_code: 7,
        tool_us: 8,
        created_unix_ms: 9,
        ..ArtifactFound::default()
    };
    golden("artifact_found.bin", &reply(Reply::Found(found.clone())));
    let stamped = ArtifactOutput { blob_mtime_ns: 4, blob_ctime_ns: 5, blob_inode: 6, ..artifact_output() };
    let found = ArtifactFound { outputs: vec![stamped], record: 10, ..found };
    golden("artifact_found_stamped.bin", &reply(Reply::Found(found)));
    let (reason, sentence) = ("input_changed".into(), "it has changed".into());
    let absent = ArtifactAbsent { reason, sentence, detail: "x".into() };
    golden("artifact_absent.bin", &reply(Reply::Absent(absent)));
    golden("artifact_stored.bin", &reply(Reply::Stored(ArtifactStored { bytes: 1 })));
    golden("artifact_exists.bin", &reply(Reply::AlreadyExists(ArtifactAlreadyExists { same: true })));
    golden("artifact_skipped.bin", &reply(Reply::Skipped(ArtifactSkipped {})));
    let failure = ArtifactFailure { id: "request_malformed".into(), sentence: "it cannot be decoded".into() };
    golden("artifact_failure.bin", &reply(Reply::Failure(failure)));
    let no = NotSupported { sentence: "no such request".into(), daemon_speaks: 1 };
    golden("artifact_not_supported.bin", &reply(Reply::NotSupported(no)));
    let opened = ArtifactOpened { staging: b"/cache/tmp/artifact-1".to_vec() };
    golden("artifact_opened.bin", &reply(Reply::Opened(opened)));
}

#[test]
fn every_message_has_golden_bytes() {
    // The names in the definitions, read as text, so that a new request or reply cannot be forgotten here.
    let known = concat!(include_str!("main.rs"), include_str!("reports.rs"));
    for file in ["control", "compile", "gocache", "fingerprint", "artifact", "session", "page", "report"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("larder/v1/{file}.proto"));
        let text = std::fs::read_to_string(path).expect("the definitions");
        let messages = text.lines().filter_map(|line| line.strip_prefix("message ")?.split(' ').next());
        for message in messages {
            assert!(known.contains(&format!("{message} {{")), "{message} has no golden bytes");
        }
    }
}

#[test]
fn the_json_form_of_the_reports_keeps_its_names() {
    // What scripts and the page read. A name is never removed or given another meaning.
    let json = serde_json::to_value(stats()).expect("plain data");
    assert_eq!(json["services"][0]["reasons"][0]["id"], "direct_hit");
    assert_eq!(json["records"][0]["at_unix_ms"], 2);
    let json = serde_json::to_value(status()).expect("plain data");
    assert_eq!(json["store"]["limit_bytes"], 5);
}

fn fingerprint(request: fingerprint_request::Request) -> FingerprintRequest {
    FingerprintRequest { protocol: 1, client_version: "0.1.0".into(), request: Some(request) }
}

fn fingerprint_reply(reply: fingerprint_reply::Reply) -> FingerprintReply {
    FingerprintReply { protocol: 1, daemon_version: "0.1.0".into(), reply: Some(reply) }
}

#[test]
fn fingerprint_requests_keep_their_bytes() {
    use fingerprint_request::Request;
    let place = Some(FingerprintPlace {
        cache: b"/src/state".to_vec(),
        mount_namespace: 1,
        root_device: 2,
        root_inode: 3,
        session: "4".into(),
    });
    let selection = Some(FingerprintSelection {
        root: b"/src".to_vec(),
        extensions: vec![b"rs".to_vec()],
        include: vec!["*.c".into()],
        exclude: vec!["target".into()],
        ignore_rules: true,
    });
    let check = FingerprintCheck { selection, depth: 1, place: place.clone() };
    golden("fingerprint_check.bin", &fingerprint(Request::Check(check)));
    let success = FingerprintMarkSuccess { place: place.clone() };
    golden("fingerprint_success.bin", &fingerprint(Request::Success(success)));
    let failure = FingerprintMarkFailure { place: place.clone() };
    golden("fingerprint_failure.bin", &fingerprint(Request::Failure(failure)));
    golden("fingerprint_invalidate.bin", &fingerprint(Request::Invalidate(FingerprintInvalidate { place })));
}

#[test]
fn fingerprint_replies_keep_their_bytes() {
    use fingerprint_reply::Reply;
    let checked = FingerprintChecked {
        unchanged: true,
        added: vec![b"a".to_vec()],
        removed: vec![b"b".to_vec()],
        changed: vec![b"c".to_vec()],
        unreadable: vec![b"d".to_vec()],
        more: 5,
        because: "e".into(),
        files: 6,
        state: b"/cache/tmp/fingerprints-1".to_vec(),
    };
    golden("fingerprint_checked.bin", &fingerprint_reply(Reply::Checked(checked)));
    let marked = FingerprintMarked { state: b"/cache/tmp/fingerprints-1".to_vec() };
    golden("fingerprint_marked.bin", &fingerprint_reply(Reply::Marked(marked)));
    let failure = FingerprintFailure { id: "request_malformed".into(), sentence: "it cannot be read".into() };
    golden("fingerprint_reply_failure.bin", &fingerprint_reply(Reply::Failure(failure)));
}
