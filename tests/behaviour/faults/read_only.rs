//! A disk of the cache's that a failure makes read-only under its users, as kernels do.

use larder_tests::Sandbox;

/// Sources, of which four compile at a time.
const FILES: usize = 24;

#[test]
fn a_disk_that_becomes_read_only_under_compiles_costs_them_nothing_and_is_used_again_when_it_is_mended() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    for n in 0..FILES {
        sandbox.write(&format!("f{n}.c"), format!("char f{n}[50000] = {{ 1, {n} }};\n"));
        let mut gcc = sandbox.command("gcc");
        gcc.args(["-c", &format!("f{n}.c"), "-o", &format!("f{n}.alone.o")]);
        assert!(gcc.status().expect("gcc starts").success());
    }
    sandbox.settle();
    // Its journal aborted, an ext4 takes nothing more from those who have files of it open.
    let script = format!(
        "truncate -s 64m disk; mkfs.ext4 -q disk
        mount -o loop disk \"$XDG_CACHE_HOME\"; chmod 700 \"$XDG_CACHE_HOME\"
        compile() {{ rm -f f$1.o; \"$LARDER\" gcc -c f$1.c -o f$1.o; cmp f$1.o f$1.alone.o; }}
        turn() {{ for n in $(seq $1 4 {last}); do compile $n; done; }}
        all() {{
            pids=; for first in 0 1 2 3; do turn $first & pids=\"$pids $!\"; done
            $1; for pid in $pids; do wait $pid; done
        }}
        fail() {{ while ! test -f f8.o; do :; done; mount -o remount,abort \"$XDG_CACHE_HOME\"; }}
        \"$LARDER\" start >/dev/null
        compile 0
        all fail
        ! touch \"$XDG_CACHE_HOME/file\" 2>/dev/null
        all true
        \"$LARDER\" stop >/dev/null
        umount \"$XDG_CACHE_HOME\"; e2fsck -fy disk >/dev/null 2>&1 || test $? -eq 1
        mount -o loop disk \"$XDG_CACHE_HOME\"
        all true; all true
        \"$LARDER\" stats --json --records {FILES}",
        last = FILES - 1
    );
    let output = sandbox.shell_with_mounts(&script).output().expect("unshare is part of every Linux");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", sandbox.log());
    // A compiler that was just about to write its list complains, and is run again.
    let told = said.lines().filter(|line| line.starts_with("larder: ")).count();
    let stopped = said.matches("Read-only file system").count();
    assert!(told <= 1 && (stopped > 0 || said.lines().count() <= 1), "{said}");
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let reasons = stats["records"].as_array().expect("records").iter().map(|record| &record["reason"]);
    assert!(
        reasons.clone().all(|reason| reason == "direct_hit"),
        "{:?}\n{}",
        reasons.collect::<Vec<_>>(),
        sandbox.log()
    );
}
