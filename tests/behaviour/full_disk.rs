//! A disk with no room left costs results, never a build.

use larder_tests::Sandbox;

/// Runs `script` where the cache folder is a disk of its own with so many KiB. It is gone with the last process.
fn on_a_disk_of(sandbox: &Sandbox, kib: u32, script: &str) -> String {
    let mount =
        format!("mount -t tmpfs -o size={kib}k,mode=700 tmpfs \"$XDG_CACHE_HOME\" && {{ {script}; }}");
    let larder = larder_tests::program("larder");
    let mut command = sandbox.command("unshare");
    command.args(["-m", "sh", "-ec", &mount]).env("LARDER", larder);
    let output = command.output().expect("unshare is part of every Linux");
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
