//! Disks that are full at any point, and a quota of files.

use larder_tests::Sandbox;

/// Sizes of the cache's disk, KiB, and most files on it. Between them each write of a start, a miss and a hit fails once.
const DISKS: [(u32, u32); 12] = [
    (4, 100),
    (64, 100),
    (256, 100),
    (1024, 100),
    (1600, 100),
    (1700, 100),
    (1900, 100),
    (2300, 100),
    (4096, 3),
    (4096, 8),
    (4096, 13),
    (4096, 20),
];

#[test]
fn wherever_a_disk_or_a_quota_ends_the_object_is_right() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for (kib, files) in DISKS {
        let sandbox = Sandbox::new();
        sandbox.write("x.c", "char small[100] = { 1 };\n");
        sandbox.write_settled("y.c", "char large[150000] = { 1 };\n");
        let script = format!(
            "mount -t tmpfs -o size={kib}k,nr_inodes={files},mode=700 tmpfs \"$XDG_CACHE_HOME\"
            for name in x y; do gcc -c $name.c -o $name.alone.o; done
            for round in 1 2 3; do for name in x y; do
                rm -f $name.o; \"$LARDER\" gcc -c $name.c -o $name.o; cmp $name.o $name.alone.o
            done; done
            rm -f \"$XDG_CACHE_HOME\"/rest; mount -o remount,size=16m,nr_inodes=0 \"$XDG_CACHE_HOME\" || true
            \"$LARDER\" restart > said
            for round in 1 2; do for name in x y; do
                \"$LARDER\" gcc -c $name.c -o $name.o; cmp $name.o $name.alone.o
            done; done
            \"$LARDER\" stats --json --records 1"
        );
        let output = sandbox.shell_with_mounts(&script).output().expect("unshare is part of every Linux");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.lines().count() <= 1, "{kib} KiB, {files} files: {said}");
        let stats: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        if files == 100 {
            // With room again, everything is as ever.
            assert_eq!(stats["records"][0]["reason"], "direct_hit", "{kib} KiB\n{}", sandbox.log());
        }
    }
}

#[test]
fn a_compile_under_which_the_caches_disk_fills_is_run_again_as_the_caller_wants_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "#include \"held.h\"\n");
    let script = "mount -t tmpfs -o size=8m,mode=700 tmpfs \"$XDG_CACHE_HOME\"
        \"$LARDER\" start > said
        mkfifo held.h
        \"$LARDER\" gcc -c x.c & compile=$!
        exec 3> held.h # The compiler reads.
        dd if=/dev/zero of=\"$XDG_CACHE_HOME/rest\" bs=4k 2> said || true
        rm held.h; echo 'int held;' > held.h
        cat held.h >&3; exec 3>&-
        wait $compile
        gcc -c x.c -o alone.o; cmp x.o alone.o";
    let output = sandbox.shell_with_mounts(script).output().expect("unshare is part of every Linux");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{}", sandbox.log());
    assert_eq!(said.lines().filter(|line| line.starts_with("larder: ")).count(), 1, "{said}");
    assert!(said.contains("running gcc again"), "{said}");
}

#[test]
fn a_tool_is_not_made_to_write_to_a_disk_that_is_nearly_full() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    let script = "mount -t tmpfs -o size=8m,mode=700 tmpfs \"$XDG_CACHE_HOME\"
        \"$LARDER\" start >/dev/null
        free=$(df --output=avail -k \"$XDG_CACHE_HOME\" | tail -1)
        head -c $((free - 600))k /dev/zero >\"$XDG_CACHE_HOME/fill\"
        \"$LARDER\" gcc -c x.c -o x.o
        \"$LARDER\" stats --json --records 1";
    let output = sandbox.shell_with_mounts(script).output().expect("unshare is part of every Linux");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stats: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(stats["records"][0]["reason"], "store_failed", "{stats}");
    assert!(sandbox.work().join("x.o").is_file());
}
