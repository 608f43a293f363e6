//! A disk with no room left costs results, never a build.

use larder_tests::Sandbox;

/// Runs `script` where the cache folder is a disk of its own with so many KiB. It is gone with the last process.
fn on_a_disk_of(sandbox: &Sandbox, kib: u32, script: &str) -> String {
    let mount =
        format!("mount -t tmpfs -o size={kib}k,mode=700 tmpfs \"$XDG_CACHE_HOME\" && {{ {script}; }}");
    let output = sandbox.shell_with_mounts(&mount).output().expect("unshare is part of every Linux");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}\n{}", sandbox.log());
    assert_eq!(stderr, "", "{}", sandbox.log());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Only root may mount; the errors themselves are tested in the store, for every user.
fn may_mount() -> bool {
    rustix::process::geteuid().is_root()
}

fn reason(stats: &str) -> String {
    let stats: serde_json::Value = serde_json::from_str(stats).expect("JSON");
    stats["records"][0]["reason"].as_str().expect("a request").to_owned()
}

const COMPILE_TWICE: &str = "gcc -c x.c -o alone.o
    for round in 1 2; do rm -f x.o; \"$LARDER\" gcc -c x.c -o x.o; cmp x.o alone.o; done
    \"$LARDER\" stats --json --records 1";

#[test]
fn an_object_that_does_not_fit_is_not_stored_and_the_build_goes_on() {
    if !may_mount() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "char large[6 << 20] = { 1 };\n");
    let stats = on_a_disk_of(&sandbox, 4096, COMPILE_TWICE);
    assert_eq!(reason(&stats), "store_failed", "{stats}");
}

#[test]
fn a_disk_without_room_for_an_index_leaves_the_compiler_to_run() {
    if !may_mount() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    let stats = on_a_disk_of(&sandbox, 8, COMPILE_TWICE);
    assert_eq!(reason(&stats), "store_failed", "{stats}");
}

#[test]
fn an_output_of_any_command_that_does_not_fit_is_not_kept() {
    if !may_mount() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("in", "");
    let script = "\"$LARDER\" start >/dev/null
        for round in 1 2; do
            rm -f made; \"$LARDER\" run --input in --output made -- sh -c 'head -c 6000000 /dev/zero >made'
            test \"$(wc -c <made)\" = 6000000
        done
        \"$LARDER\" stats --json --records 1";
    let stats = on_a_disk_of(&sandbox, 4096, script);
    assert_eq!(reason(&stats), "store_failed", "{stats}");
}

#[test]
fn calls_while_there_is_no_store_belong_to_their_session() {
    if !may_mount() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    let script = "LARDER_SESSION=$(\"$LARDER\" session start --owner $$); export LARDER_SESSION
        \"$LARDER\" gcc -c x.c -o x.o
        \"$LARDER\" session end \"$LARDER_SESSION\" --json";
    let report: serde_json::Value = serde_json::from_str(&on_a_disk_of(&sandbox, 8, script)).expect("JSON");
    let service = &report["services"][0];
    assert_eq!((&service["service"], &service["errors"]), (&"compile".into(), &1.into()), "{report}");
}

#[test]
fn a_journal_that_does_not_fit_has_whole_lines_and_the_rest_is_counted() {
    if !may_mount() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    // A disk gives whole pages: the journal goes on within its own for a while.
    let script = "\"$LARDER\" start >/dev/null
        LARDER_SESSION=$(\"$LARDER\" session start --owner $$ --journal \"$XDG_CACHE_HOME/j.jsonl\")
        export LARDER_SESSION
        \"$LARDER\" gcc -v -c x.c 2>/dev/null
        head -c 64m /dev/zero > \"$XDG_CACHE_HOME/fill\" 2>/dev/null || true
        for call in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do \"$LARDER\" gcc -v -c x.c 2>/dev/null; done
        \"$LARDER\" session end \"$LARDER_SESSION\" --json > report.json
        cat \"$XDG_CACHE_HOME/j.jsonl\"";
    let journal = on_a_disk_of(&sandbox, 4096, script);
    let report = std::fs::read(sandbox.work().join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("JSON");
    let lost = report["lines_lost"].as_u64().expect("a count");
    assert!(journal.ends_with('\n') && lost > 0, "{report}\n{journal}");
    let whole = journal.lines().filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    assert_eq!(whole.count() as u64 + lost, 17, "{journal}");
    assert_eq!(journal.lines().count() as u64 + lost, 17, "{journal}");
}
