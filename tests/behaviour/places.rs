//! Folders that are missing, full, read-only or somebody else's; files there that tell of another time.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use larder_tests::{Sandbox, alive, kill, same_as_alone};
use running_process::broker::backend_sdk::{read_daemon_identity_file, write_daemon_identity_file};

const FOLDERS: [&str; 6] =
    ["HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"];

fn source() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c", "-o", "alone.o"]);
    sandbox.run(&["stop", "--broker"]);
    sandbox
}

/// The compile has happened as the compiler alone does it, with one line of larder's at most.
fn is_right(sandbox: &Sandbox, what: &str, output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.lines().count() <= 1, "{what}: {said}");
    let read = |name: &str| std::fs::read(sandbox.work().join(name)).expect("an object");
    assert!(read("x.o") == read("alone.o"), "{what}");
    std::fs::remove_file(sandbox.work().join("x.o")).expect("just made");
}

fn compile(sandbox: &Sandbox, shape: impl Fn(&mut Command)) -> Output {
    let mut command = sandbox.larder(["gcc", "-c", "x.c", "-o", "x.o"]);
    shape(&mut command);
    command.output().expect("larder starts")
}

#[test]
fn a_folder_that_is_a_file_or_cannot_be_made_costs_one_line() {
    let sandbox = source();
    let file = sandbox.write("file", "");
    for name in FOLDERS {
        for wrong in [file.as_path(), Path::new("/proc/none"), Path::new("/dev/null/x")] {
            for _ in 0..2 {
                let output = compile(&sandbox, |command| {
                    command.env(name, wrong);
                });
                is_right(&sandbox, &format!("{name}={}", wrong.display()), &output);
            }
            sandbox.run(&["stop", "--broker"]);
        }
    }
}

/// Runs `script` in a mount namespace of its own, where `known` compiles.
fn with_mounts(sandbox: &Sandbox, script: &str) -> Output {
    let script = format!("known() {{ \"$LARDER\" gcc -c x.c -o x.o; cmp x.o alone.o; }}\n{script}");
    sandbox.shell_with_mounts(&script).output().expect("unshare is part of every Linux")
}

#[test]
fn a_folder_that_is_read_only_or_full_costs_one_line() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = source();
    for name in FOLDERS {
        for options in ["ro", "size=4k,nr_inodes=2,mode=700"] {
            let script = format!("mount -t tmpfs -o {options} tmpfs \"${name}\"; known; known");
            is_right(&sandbox, &format!("{name}, {options}"), &with_mounts(&sandbox, &script));
            larder_tests::kill_all(&sandbox.runtime());
        }
    }
}

#[test]
fn a_cache_that_becomes_read_only_and_writable_again_is_used_again() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = source();
    let output = with_mounts(
        &sandbox,
        "mount -t tmpfs -o mode=700 tmpfs \"$XDG_CACHE_HOME\"
        known; known
        echo 'int y;' > y.c; gcc -c y.c -o y.alone.o
        \"$LARDER\" stop > said
        mount -o remount,ro \"$XDG_CACHE_HOME\"
        known; \"$LARDER\" gcc -c y.c -o y.o; cmp y.o y.alone.o
        \"$LARDER\" stop > said
        mount -o remount,rw \"$XDG_CACHE_HOME\"
        for n in 1 2 3; do \"$LARDER\" gcc -c y.c -o y.o; cmp y.o y.alone.o; done
        test \"$(\"$LARDER\" stats --json --records 1 | grep -c direct_hit)\" -gt 0",
    );
    is_right(&sandbox, "a cache that comes and goes", &output);
}

#[test]
fn marks_from_the_future_and_from_nowhere_are_no_hindrance() {
    let sandbox = source();
    sandbox.start();
    let folder = sandbox.runtime().join("larder");
    let future = SystemTime::now() + Duration::from_secs(365 * 24 * 60 * 60);
    for (name, content) in [
        ("unreachable", ""),
        ("complained", ""),
        ("stopped", "1 1\n"),
        ("stopped", "no number\n"),
        ("endpoint", "0.1.0\n/nowhere.sock\n"),
        ("endpoint", "\u{0}\n"),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("ours");
        std::fs::File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(future))
            .expect("ours");
        let output = compile(&sandbox, |_| ());
        assert!(output.stderr.is_empty(), "{name}: {output:?}");
        is_right(&sandbox, name, &output);
        assert_eq!(sandbox.last_reason(), "direct_hit", "{name}");
    }
}

/// The file in which the daemon's identity is published.
fn identity(folder: &Path) -> Option<std::path::PathBuf> {
    std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() { identity(&path) } else { read_daemon_identity_file(&path).map(|_| path) }
    })
}

#[test]
fn an_identity_of_a_recycled_process_or_of_another_boot_is_not_believed() {
    let sandbox = source();
    sandbox.start();
    let path = identity(&sandbox.runtime()).expect("it is published");
    let genuine = read_daemon_identity_file(&path).expect("just read");
    let mut boot = genuine.clone();
    boot.boot_id = "00000000-0000-0000-0000-000000000000".into();
    let mut recycled = genuine.clone();
    recycled.pid = std::process::id();
    for forged in [boot, recycled] {
        kill(sandbox.pid("larderd"));
        larder_tests::kill_all(&sandbox.runtime());
        write_daemon_identity_file(&path, &forged).expect("ours");
        let output = compile(&sandbox, |_| ());
        assert!(output.stderr.is_empty(), "{output:?}");
        is_right(&sandbox, "a forged identity", &output);
        assert_ne!(sandbox.pid("larderd"), forged.pid);
        assert!(alive(std::process::id()));
    }
}
