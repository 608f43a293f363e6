//! The machine: its disk and its clock.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, SystemTime};

use larder_tests::Sandbox;
use serde_json::Value;

use super::{command, doctor, found};

/// A clock that is an hour ahead for one process; the kernel's, by which files are stamped, is not.
const AHEAD: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += 3600;
    return result;
}
"#;

#[test]
fn a_disk_with_little_room_is_told() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    for (mib, state) in [(4, "problem"), (200, "note")] {
        let script = format!(
            "mount -t tmpfs -o size={mib}m,mode=700 tmpfs \"$XDG_CACHE_HOME\"; \"$LARDER\" doctor --json || true"
        );
        let output = sandbox.shell_with_mounts(&script).output().expect("unshare is part of every Linux");
        let checks: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
        let space = checks.iter().find(|check| check["name"] == "space").expect("it is looked at");
        assert_eq!(space["state"], state, "{space}");
        assert!(space["hint"].as_str().expect("text").contains("larder clear"), "{space}");
    }
}

#[test]
fn a_limit_that_the_disk_cannot_hold_is_told() {
    let sandbox = Sandbox::new();
    let found = found(command(&sandbox, &[]).env("LARDER_SIZE_LIMIT", "1000T"));
    assert_eq!((found.state("disk", "space"), found.code), ("note", Some(0)), "{:#?}", found.checks);
    assert!(found.one("disk", "space")["hint"].as_str().expect("text").contains("size_limit"));
}

#[test]
fn a_clock_before_what_larder_wrote_is_told() {
    let sandbox = Sandbox::started();
    doctor(&sandbox).is_otherwise_well(&[]);
    let log = File::options().append(true).open(sandbox.root().join("s/larder/larderd.log")).expect("a log");
    log.set_modified(SystemTime::now() + Duration::from_secs(86_400)).expect("ours");
    doctor(&sandbox).is_otherwise_well(&[("clock", "records", "note")]);
}

#[test]
fn files_that_are_stamped_by_another_clock_are_a_problem() {
    let sandbox = Sandbox::started();
    let source = sandbox.write("ahead.c", AHEAD);
    let library = sandbox.work().join("ahead.so");
    let made =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(made.expect("a compiler").success());
    let found = found(command(&sandbox, &[]).env("LD_PRELOAD", &library));
    assert_eq!((found.state("clock", "files"), found.code), ("problem", Some(1)), "{:#?}", found.checks);
    assert_eq!(
        fs::read_dir(sandbox.store())
            .expect("ours")
            .flatten()
            .filter(|entry| { entry.file_name().to_string_lossy().starts_with(".clock") })
            .count(),
        0,
        "looking leaves nothing behind"
    );
}
