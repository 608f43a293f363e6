//! Whatever goes wrong with larder, the go command gets its answers, and none of them is wrong.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use larder_tests::{GoAdapter, Sandbox, kill, signal, wait_until};
use rustix::process::Signal;

const BODY: &[u8] = b"what the compiler made";

/// Starts an adapter, and waits until it has its connection.
fn connected(sandbox: &Sandbox) -> GoAdapter {
    let mut adapter = GoAdapter::start(sandbox);
    adapter.get_in_vain("nothing");
    adapter
}

fn holds_body(path: &Path) -> bool {
    fs::read(path).is_ok_and(|content| content == BODY)
}

/// Whether `path` leads into the store.
fn in_store(sandbox: &Sandbox, path: &Path) -> bool {
    path.canonicalize().expect("a file").starts_with(sandbox.store().canonicalize().expect("a store"))
}

#[test]
fn a_daemon_killed_between_an_answer_and_its_use_takes_nothing_away() {
    let sandbox = Sandbox::started();
    let mut adapter = connected(&sandbox);
    let path = adapter.put_well("a", BODY);
    adapter.get_well("a", BODY);
    kill(sandbox.pid("larderd"));
    assert!(holds_body(&path));
    // The next daemon serves the same go command. What the old one had not written yet is asked for in vain.
    wait_until("the next daemon to take what is put", || {
        let path = adapter.put_well("b", BODY);
        in_store(&sandbox, &path).then_some(())
    });
    adapter.get_well("b", BODY);
    assert!(holds_body(&path));
    adapter.close();
}

#[test]
fn a_daemon_killed_in_the_middle_of_a_put_costs_the_put_nothing() {
    let sandbox = Sandbox::started();
    let mut adapter = connected(&sandbox);
    adapter.announce_put("a", BODY);
    adapter.write("\"d2hhdCB0aGUg");
    kill(sandbox.pid("larderd"));
    adapter.write("Y29tcGlsZXIgbWFkZQ==\"\n");
    let answer = adapter.answer();
    let path = PathBuf::from(answer["DiskPath"].as_str().unwrap_or_else(|| panic!("{answer}")));
    assert!(holds_body(&path), "{answer}");
    assert!(path.starts_with(sandbox.gocache()));
    adapter.put_well("b", BODY);
    assert!(holds_body(&path));
    adapter.close();
    assert!(holds_body(&path), "other go commands may still read it");
}

#[test]
fn a_restarted_daemon_knows_what_was_put() {
    let sandbox = Sandbox::started();
    let mut adapter = connected(&sandbox);
    let path = adapter.put_well("a", BODY);
    sandbox.run(&["stop"]);
    assert!(holds_body(&path));
    // The same go command goes on with the next daemon; what it asks while the old one leaves may be a miss.
    wait_until("the next daemon to answer", || adapter.get("a")["OutputID"].is_string().then_some(()));
    adapter.close();
    sandbox.run(&["stop"]);
    let mut adapter = connected(&sandbox);
    adapter.get_well("a", BODY);
    adapter.close();
}

#[test]
fn a_stopped_daemon_makes_misses_and_private_files() {
    let sandbox = Sandbox::started();
    let mut adapter = connected(&sandbox);
    adapter.put_well("a", BODY);
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::STOP);
    wait_until("every thread of the daemon to stop", || {
        let threads = fs::read_dir(format!("/proc/{daemon}/task")).ok()?;
        let stopped = |thread: fs::DirEntry| {
            let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
            stat.rsplit(')').next().is_some_and(|state| state.trim_start().starts_with('T'))
        };
        threads.flatten().all(stopped).then_some(())
    });
    let start = Instant::now();
    adapter.get_in_vain("a");
    for name in ["b", "c", "b"] {
        let path = adapter.put_well(name, BODY);
        assert!(!in_store(&sandbox, &path));
        adapter.get_in_vain(name);
    }
    assert!(start.elapsed() < Duration::from_secs(6), "it is waited for once: {:?}", start.elapsed());
    signal(daemon, Signal::CONT);
    let end = adapter.end();
    assert!(end.status.success(), "{end:?}");
}

#[test]
fn switched_off_it_keeps_everything_to_itself() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.larder(["go"]);
    command.env("GOCACHE", sandbox.gocache()).env("RUNNING_PROCESS_DISABLE", "1");
    let mut adapter = GoAdapter::run(command);
    adapter.get_in_vain("a");
    let path = adapter.put_well("a", BODY);
    assert_eq!(adapter.put_well("b", BODY), path, "one file for one content");
    adapter.put_well("c", b"");
    adapter.close();
    assert!(sandbox.pids("larderd").is_empty());
    assert!(holds_body(&path));
}

#[test]
fn without_a_folder_that_can_be_written_a_put_still_has_a_path() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.larder(["go"]);
    // Even root cannot make a folder below a file.
    let file = sandbox.write("file", "");
    command.env("GOCACHE", file.join("gocache")).env("RUNNING_PROCESS_DISABLE", "1");
    let mut adapter = GoAdapter::run(command);
    assert!(adapter.put_well("a", BODY).starts_with(sandbox.runtime()));
    adapter.close();
    let mut command = sandbox.larder(["go"]);
    command.env("GOCACHE", file.join("gocache"));
    let mut adapter = GoAdapter::run(command);
    assert!(in_store(&sandbox, &adapter.put_well("a", BODY)));
    adapter.close();
}

#[test]
fn a_blob_that_is_cut_changed_or_gone_is_a_miss_and_can_be_put_again() {
    let sandbox = Sandbox::started();
    let damages: [fn(&Path); 4] = [
        |path| File::options().write(true).open(path).expect("ours").set_len(5).expect("ours"),
        |path| fs::write(path, BODY.to_ascii_uppercase()).expect("ours"),
        |path| fs::remove_file(path).expect("ours"),
        |path| {
            fs::remove_file(path).expect("ours");
            fs::create_dir(path).expect("ours");
        },
    ];
    for damage in damages {
        let mut adapter = connected(&sandbox);
        let path = adapter.put_well("a", BODY);
        adapter.close();
        // Answers are sent ahead in each of these, and the file is what decides.
        for _ in 0..2 {
            let mut adapter = connected(&sandbox);
            adapter.get_well("a", BODY);
            adapter.close();
        }
        let mut adapter = connected(&sandbox);
        let path = path.canonicalize().expect("still there");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).expect("ours");
        damage(&path);
        adapter.get_in_vain("a");
        adapter.put_well("a", BODY);
        adapter.get_well("a", BODY);
        adapter.close();
    }
}

#[test]
fn what_a_client_said_wrongly_of_a_body_reaches_nobody() {
    use larder_glue::wire::Wire;
    use larder_proto::v1::{GoOpen, GoPut, GoReply, GoRequest, go_reply, go_request};
    use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, lane};
    use prost::Message as _;
    let sandbox = Sandbox::new();
    let endpoint = sandbox.start()["endpoint"].as_str().expect("a path").to_owned();
    let stream = std::os::unix::net::UnixStream::connect(endpoint).expect("the daemon listens");
    let mut wire = Wire::new(stream.into()).expect("our own daemon");
    let mut ask = |request| {
        let client_version = LARDER_VERSION.to_owned();
        let request = GoRequest { protocol: PROTOCOL_VERSION, client_version, request: Some(request) };
        let reply = wire.request(lane::GO, request.encode_to_vec()).expect("a reply");
        GoReply::decode(reply.as_slice()).expect("a message").reply.expect("not empty")
    };
    let go_reply::Reply::Opened(opened) = ask(go_request::Request::Open(GoOpen::default())) else {
        panic!("it is opened")
    };
    let staging = PathBuf::from(String::from_utf8(opened.staging).expect("text"));
    let action = larder_service::Digest::of(b"a").hash.to_vec();
    let output = larder_service::Digest::of(BODY).hash.to_vec();
    let put = GoPut { action, output, size: BODY.len() as u64, staged: b"1".to_vec(), tool_us: 0 };
    fs::write(staging.join("1"), BODY.to_ascii_uppercase()).expect("ours");
    assert!(matches!(ask(go_request::Request::Put(put.clone())), go_reply::Reply::Stored(_)));
    let mut adapter = GoAdapter::start(&sandbox);
    adapter.get_in_vain("a");
    adapter.close();
    // No other place, no other kind of file, no other size.
    let secret = sandbox.write("secret", BODY);
    std::os::unix::fs::symlink(&secret, staging.join("2")).expect("ours");
    fs::hard_link(&secret, staging.join("3")).expect("ours");
    fs::write(staging.join("4"), b"short").expect("ours");
    for staged in ["2", "3", "4", "5", "../1", "/etc/hostname", "x", ""] {
        let put = GoPut { staged: staged.into(), ..put.clone() };
        assert!(matches!(ask(go_request::Request::Put(put)), go_reply::Reply::Failure(_)), "{staged}");
    }
    assert_eq!(fs::read(secret).expect("still there"), BODY);
}

#[test]
fn sixteen_go_commands_at_once_share_one_store() {
    let sandbox = Sandbox::new();
    std::thread::scope(|scope| {
        for adapter in 0..16_u32 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                let mut go = GoAdapter::start(sandbox);
                for round in 0..30_u32 {
                    let own = format!("{adapter} {round}");
                    go.put_well(&own, own.as_bytes());
                    // All put the same under the same name, and each its own under another.
                    let shared = format!("shared {round}");
                    go.put_well(&shared, shared.as_bytes());
                    go.get_well(&shared, shared.as_bytes());
                    go.get_well(&own, own.as_bytes());
                }
                go.close();
            });
        }
    });
    sandbox.pid("larderd");
    assert_eq!(sandbox.service("go")["errors"], 0);
    assert_eq!(sandbox.status().expect("it runs")["store"]["blobs"], 16 * 30 + 30);
}

#[test]
fn what_a_live_go_command_was_handed_is_not_evicted() {
    const ROUND: usize = 100_000;
    let sandbox = Sandbox::new();
    let limited = |args: &[&str]| {
        let mut command = sandbox.larder(args);
        command.env("GOCACHE", sandbox.gocache()).env("LARDER_SIZE_LIMIT", "300K");
        command
    };
    assert!(limited(&["start"]).output().expect("larder starts").status.success());
    let body = |number: u8| vec![number; ROUND];
    let mut early = GoAdapter::run(limited(&["go"]));
    for number in 0..10 {
        early.put_well(&number.to_string(), &body(number));
    }
    early.close();
    let mut live = GoAdapter::run(limited(&["go"]));
    let paths: Vec<_> = (0..10).map(|number| live.get_well(&number.to_string(), &body(number))).collect();
    wait_until("the store to look at its limit", || {
        let _ = sandbox.status()?;
        let log = sandbox.log();
        (log.contains("ready") && paths.iter().all(|path| path.exists())).then_some(())
    });
    for number in 10..20 {
        live.put_well(&number.to_string(), &body(number));
    }
    assert!(paths.iter().all(|path| path.exists()));
    live.close();
    // Nor soon after: what `go list -export` printed is read when it has gone.
    assert!(paths.iter().all(|path| path.exists()));
}

#[test]
fn a_long_body_takes_no_memory() {
    const BYTES: usize = 200 << 20;
    const LIMIT_KIB: u64 = 64 << 10;
    let peak = |pid: u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    let sandbox = Sandbox::started();
    let mut body = vec![0; BYTES];
    for (number, piece) in body.chunks_mut(4096).enumerate() {
        piece[..8].copy_from_slice(&(number as u64).to_le_bytes());
    }
    let mut adapter = connected(&sandbox);
    adapter.put_well("a", &body);
    adapter.get_well("a", &body);
    for (what, pid) in [("adapter", adapter.pid()), ("daemon", sandbox.pid("larderd"))] {
        let peak = peak(pid);
        assert!(peak < LIMIT_KIB, "the {what} took {peak} KiB");
    }
    adapter.close();
}

#[test]
fn a_full_disk_costs_results_and_no_build() {
    if !rustix::process::geteuid().is_root() {
        // Only root may mount; a disk that cannot be written is tested above, for every user.
        return;
    }
    let sandbox = Sandbox::new();
    let mut command = sandbox.command("unshare");
    let mount = "mount -t tmpfs -o size=3m,mode=700 tmpfs \"$XDG_CACHE_HOME\" && exec \"$@\"";
    command
        .args(["-m", "sh", "-ec", mount, "sh"])
        .arg(larder_tests::program("larder"))
        .arg("go")
        .env("GOCACHE", sandbox.gocache());
    let mut adapter = GoAdapter::run(command);
    // What lies in the store is seen only where the disk is.
    let is_kept = |answer: &serde_json::Value| {
        let path = answer["DiskPath"].as_str().expect("a path");
        !path.contains("larder-own")
    };
    assert!(is_kept(&adapter.put("small", BODY)));
    let large: Vec<u8> = (0..6_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    for name in ["a", "b"] {
        let path = adapter.put_well(name, &large);
        assert!(path.starts_with(sandbox.gocache().join("larder-own")), "{}", path.display());
        adapter.get_in_vain(name);
    }
    assert!(is_kept(&adapter.get("small")));
    adapter.close();
}
