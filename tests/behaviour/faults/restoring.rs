//! A result that is known, and cannot be put into its place.

use larder_tests::{Sandbox, processes_of, signal, wait_until};
use rustix::process::Signal;

/// A sandbox in which `out` is a disk of its own, in a mount namespace that daemon and clients share, and a result
/// of 600 KiB is known. `None` where nothing may be mounted.
fn with_disk(script: &str) -> Option<(Sandbox, String)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "char large[600 << 10] = { 1 };\n");
    std::fs::create_dir(sandbox.work().join("out")).expect("ours");
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=700 tmpfs out
        known() {{ \"$LARDER\" gcc -c x.c -o out/x.o; }}
        known
        {script}
        \"$LARDER\" stats --json --records 3"
    );
    let output = sandbox.shell_with_mounts(&script).output().expect("unshare is part of every Linux");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}\n{}", sandbox.log());
    Some((sandbox, String::from_utf8_lossy(&output.stdout).into_owned()))
}

fn counts(stats: &str) -> (u64, u64, String) {
    let stats: serde_json::Value = serde_json::from_str(stats).expect("JSON");
    let compile = &stats["services"].as_array().expect("a list")[0];
    let reason = stats["records"][0]["reason"].as_str().expect("a request").to_owned();
    (compile["hits"].as_u64().expect("a count"), compile["errors"].as_u64().expect("a count"), reason)
}

#[test]
fn a_hit_for_which_the_disk_has_no_room_is_counted_as_a_failure_and_the_tool_speaks() {
    // The old object is whole until the new one is: there is room for one of them.
    let Some((_sandbox, stats)) = with_disk(
        "head -c 300k /dev/zero > out/rest
        known && cmp -s out/x.o out/x.o",
    ) else {
        return;
    };
    assert_eq!(counts(&stats), (0, 1, "restore_failed".to_owned()), "{stats}");
}

#[test]
fn an_output_that_is_left_to_the_tool_is_no_hit() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "int x;\n");
    let compile = || {
        let output = sandbox.larder(["gcc", "-c", "x.c", "-o", "x.o"]).output().expect("larder starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    };
    compile();
    std::fs::rename(sandbox.work().join("x.o"), sandbox.work().join("y.o")).expect("ours");
    std::os::unix::fs::symlink("y.o", sandbox.work().join("x.o")).expect("ours");
    compile();
    assert_eq!(sandbox.last_reason(), "output_not_a_file");
    assert_eq!(sandbox.counts().hits, 0);
}

#[test]
fn a_blob_that_is_gone_is_found_and_made_again() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "char large[600 << 10] = { 1 };\n");
    let argv = ["gcc", "-c", "x.c", "-o", "x.o"];
    let compile = || {
        let output = sandbox.larder(argv).output().expect("larder starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        std::fs::read(sandbox.work().join("x.o")).expect("an object")
    };
    let first = compile();
    let blobs = sandbox.store().join("blobs");
    for shelf in std::fs::read_dir(&blobs).expect("ours").flatten() {
        for blob in std::fs::read_dir(shelf.path()).into_iter().flatten().flatten() {
            std::fs::remove_file(blob.path()).expect("ours");
        }
    }
    assert!(compile() == first);
    assert_eq!(sandbox.last_reason(), "result_gone");
    assert!(compile() == first);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    let status = sandbox.status().expect("it runs");
    assert_eq!(status["store"]["damaged_blobs"], 1, "{status}");
}

#[test]
fn a_tool_that_outlives_its_client_does_not_spoil_what_the_next_one_stores() {
    let sandbox = Sandbox::started();
    let fifo = sandbox.work().join("held.h");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, 0).expect("our own folder");
    sandbox.write_settled("x.c", "#include \"held.h\"\nint x = HELD;\n");
    let argv = ["gcc", "-c", "x.c", "-o", "x.o"];
    let mut first = sandbox.larder(argv).spawn().expect("larder starts");
    let writer = std::fs::OpenOptions::new().write(true).open(&fifo).expect("the compiler reads");
    signal(first.id(), Signal::KILL);
    first.wait().expect("our child");
    wait_until("the daemon to notice", || (sandbox.last_reason() == "lease_lost").then_some(()));
    std::fs::remove_file(&fifo).expect("ours");
    sandbox.write_settled("held.h", "#define HELD 2\n");
    let output = sandbox.larder(argv).output().expect("larder starts");
    assert!(output.status.success(), "{output:?}");
    // The compiler that was left behind could write its own object at any time.
    assert_eq!(sandbox.last_reason(), "inputs_changed_meanwhile");
    std::io::Write::write_all(&mut &writer, b"#define HELD 1\n").expect("it reads");
    drop(writer);
    wait_until("the old compiler to end", || {
        processes_of(&sandbox.runtime()).iter().all(|(_, name)| name != "cc1" && name != "as").then_some(())
    });
    for reason in ["input_appeared", "direct_hit"] {
        let output = sandbox.larder(argv).output().expect("larder starts");
        assert!(output.status.success(), "{output:?}");
        if reason == "direct_hit" {
            assert_eq!(sandbox.last_reason(), reason);
        }
    }
}
