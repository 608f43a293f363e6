//! Whether files have changed since the work on them last succeeded.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Output;

use larder_tests::{Sandbox, kill, signal, wait_until};
use rustix::process::Signal;
use serde_json::Value;

/// What ways there are to an answer; each must give the same one.
const WAYS: [&str; 2] = ["daemon", "alone"];

struct Files {
    sandbox: Sandbox,
    alone: bool,
}

impl Files {
    fn new(way: &str) -> Self {
        let sandbox = Sandbox::started();
        sandbox.write("tree/a.rs", "a\n");
        sandbox.write("tree/sub/b.rs", "b\n");
        sandbox.write("tree/c.txt", "c\n");
        sandbox.settle();
        Self { sandbox, alone: way == "alone" }
    }

    fn call<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Output {
        let mut call = self.sandbox.larder(["fingerprint"]);
        call.args(args);
        if self.alone {
            call.env("RUNNING_PROCESS_DISABLE", "1");
        }
        call.output().expect("larder starts")
    }

    fn check(&self, more: &[&str]) -> (i32, String) {
        let args = ["check", "--cache", "state", "--root", "tree"];
        said(&self.call(args.iter().chain(more)))
    }

    fn mark(&self, verb: &str) {
        assert_eq!(said(&self.call([verb, "--cache", "state"])), (0, String::new()), "{verb}");
    }

    /// As if a work had been done on what is there.
    fn done(&self, more: &[&str]) {
        assert_eq!(self.check(more).0, 1);
        self.mark("success");
        assert_eq!(self.check(more).0, 0);
    }
}

fn said(output: &Output) -> (i32, String) {
    let text = [&*output.stdout, &*output.stderr].map(String::from_utf8_lossy).concat();
    (output.status.code().expect("an exit code"), text)
}

fn due(text: &str) -> (i32, String) {
    (1, text.to_owned())
}

#[test]
fn what_was_added_removed_and_changed_is_said_until_a_success() {
    for way in WAYS {
        for depth in ["--type=two-layer", "--type=hash"] {
            let files = Files::new(way);
            let all = "due: no success was marked before\nadded: a.rs\nadded: c.txt\nadded: sub/b.rs\n";
            assert_eq!(files.check(&[depth]), due(all), "{way} {depth}");
            files.mark("success");
            assert_eq!(files.check(&[depth]), (0, "unchanged: 3 files\n".to_owned()), "{way} {depth}");
            files.sandbox.write("tree/a.rs", "A\n");
            files.sandbox.write("tree/new.rs", "");
            std::fs::remove_file(files.sandbox.work().join("tree/sub/b.rs")).expect("ours");
            let changes = "added: new.rs\nremoved: sub/b.rs\nchanged: a.rs\n";
            assert_eq!(files.check(&[depth]), due(changes), "{way} {depth}");
            let again = format!("due: the last work was not marked as a success\n{changes}");
            assert_eq!(files.check(&[depth]), due(&again), "{way} {depth}");
            files.mark("success");
            assert_eq!(files.check(&[depth]).0, 0, "{way} {depth}");
        }
    }
}

#[test]
fn a_failure_and_an_invalidation_keep_the_work_due() {
    for way in WAYS {
        let files = Files::new(way);
        files.done(&[]);
        files.mark("failure");
        assert_eq!(files.check(&[]), due("due: the last work failed\n"), "{way}");
        files.mark("failure");
        assert_eq!(files.check(&[]).0, 1, "{way}");
        files.mark("success");
        assert_eq!(files.check(&[]).0, 0, "{way}");
        files.mark("invalidate");
        let (code, text) = files.check(&[]);
        assert!(code == 1 && text.starts_with("due: no success was marked before\n"), "{way}: {text}");
        // The work ends without a mark.
        assert_eq!(files.check(&[]).0, 1, "{way}");
    }
}

#[test]
fn an_edit_while_the_work_runs_is_seen_by_the_next_check() {
    for way in WAYS {
        let files = Files::new(way);
        assert_eq!(files.check(&[]).0, 1);
        files.sandbox.write("tree/a.rs", "x\n");
        files.mark("success");
        assert_eq!(files.check(&[]), due("changed: a.rs\n"), "{way}");
    }
}

#[test]
fn an_edit_of_equal_size_and_time_is_seen() {
    for way in WAYS {
        let files = Files::new(way);
        files.done(&[]);
        let path = files.sandbox.work().join("tree/a.rs");
        let modified = path.metadata().and_then(|metadata| metadata.modified()).expect("ours");
        std::fs::write(&path, "x\n").expect("ours");
        let file = std::fs::File::options().write(true).open(&path).expect("ours");
        file.set_modified(modified).expect("ours");
        assert_eq!(files.check(&[]), due("changed: a.rs\n"), "{way}");
    }
}

#[test]
fn a_touched_file_is_not_changed_and_an_executable_one_is() {
    for way in WAYS {
        let files = Files::new(way);
        files.done(&[]);
        files.sandbox.write("tree/a.rs", "a\n");
        assert_eq!(files.check(&[]).0, 0, "{way}");
        let path = files.sandbox.work().join("tree/a.rs");
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).expect("ours");
        assert_eq!(files.check(&[]), due("changed: a.rs\n"), "{way}");
    }
}

#[test]
fn only_what_is_selected_counts_and_another_selection_is_due() {
    for way in WAYS {
        let files = Files::new(way);
        files.done(&["--ext", "rs", "--ext", "toml", "--exclude", "sub"]);
        files.sandbox.write("tree/c.txt", "x\n");
        files.sandbox.write("tree/sub/b.rs", "x\n");
        assert_eq!(files.check(&["--exclude", "sub", "--ext", "toml", "--ext", "rs"]).0, 0, "{way}");
        let (code, text) = files.check(&["--include", "*.rs"]);
        assert!(code == 1 && text.starts_with("due: the last success was with another selection"), "{text}");
        files.sandbox.write("tree/.gitignore", "*.txt\n");
        let (_, text) = files.check(&["--ignore-rules"]);
        assert!(!text.contains("c.txt") && text.contains("a.rs"), "{way}: {text}");
        let (_, text) = files.check(&[]);
        assert!(text.contains("c.txt"), "rules count where they are asked for: {text}");
    }
}

#[test]
fn what_cannot_be_used_is_an_error_and_nothing_is_written() {
    for way in WAYS {
        let files = Files::new(way);
        files.sandbox.write("mine", "something of mine\n");
        let checks = [
            (&["--ext", "rs", "--include", "*.rs"][..], "exclude each other"),
            (&["--include", "["], "glob"),
            (&["--root", "nowhere"], "nowhere"),
            (&["--root", "tree/a.rs"], "a.rs"),
            (&["--cache", "mine"], "hint: "),
        ];
        for (args, word) in checks {
            let standard = ["--cache", "state", "--root", "tree"];
            let given = |name| args.contains(&name);
            let rest = standard.chunks(2).filter(|pair| !given(pair[0])).flatten();
            let output = files.call(["check"].iter().chain(rest).chain(args));
            let (code, text) = said(&output);
            assert!(code == 2 && text.contains(word), "{way} {args:?}: {code} {text}");
        }
        let (code, text) = said(&files.call(["success", "--cache", "state"]));
        assert!(
            code == 2 && text.contains("nothing was checked") && text.contains("hint: "),
            "{way}: {text}"
        );
        assert!(!files.sandbox.work().join("state").exists());
        assert_eq!(std::fs::read(files.sandbox.work().join("mine")).expect("ours"), b"something of mine\n");
    }
}

#[test]
fn a_damaged_state_is_due_and_says_so() {
    for way in WAYS {
        let files = Files::new(way);
        files.done(&[]);
        let path = files.sandbox.work().join("state");
        let whole = std::fs::read(&path).expect("ours");
        for at in [whole.len() - 1, whole.len() / 2, 20] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&path, damaged).expect("ours");
            let (code, text) = files.check(&[]);
            assert!(code == 1 && text.starts_with("due: what was kept is damaged"), "{way} {at}: {text}");
        }
        files.mark("success");
        assert_eq!(files.check(&[]).0, 0);
    }
}

#[test]
fn odd_names_loops_pipes_and_dead_links_are_looked_at_and_never_followed_for_ever() {
    for way in WAYS {
        let files = Files::new(way);
        let tree = files.sandbox.work().join("tree");
        std::fs::write(tree.join(OsStr::from_bytes(b"odd\xff\n")), "").expect("Linux takes any name");
        symlink(".", tree.join("loop")).expect("ours");
        symlink("gone", tree.join("dead")).expect("ours");
        let mut pipe = files.sandbox.command("mkfifo");
        assert!(pipe.arg(tree.join("pipe")).status().expect("there is mkfifo").success());
        files.sandbox.settle();
        let (code, text) = files.check(&[]);
        assert!(code == 1 && text.contains("added: odd\\xff\\n\n") && text.contains("pipe"), "{way}: {text}");
        files.mark("success");
        assert_eq!(files.check(&[]).0, 0, "{way}");
        std::fs::write(tree.join("gone"), "").expect("ours");
        let (code, text) = files.check(&[]);
        assert!(code == 1 && text.contains("changed: dead\n") && text.contains("added: gone\n"), "{text}");
    }
}

#[test]
fn the_cache_file_is_no_file_of_its_own_root() {
    for way in WAYS {
        let files = Files::new(way);
        let check = |code| {
            let output = files.call(["check", "--cache", "tree/new/state", "--root", "tree", "--json"]);
            assert_eq!(output.status.code(), Some(code), "{way}: {}", said(&output).1);
            let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!((&value["files"], &value["unchanged"]), (&3.into(), &(code == 0).into()));
        };
        check(1);
        assert_eq!(files.call(["success", "--cache", "tree/new/state"]).status.code(), Some(0));
        check(0);
    }
}

#[test]
fn what_the_daemon_says_and_what_is_found_alone_are_kept_alike() {
    let mut files = Files::new("daemon");
    files.done(&[]);
    let by_daemon = std::fs::read(files.sandbox.work().join("state")).expect("ours");
    files.alone = true;
    assert_eq!(files.check(&[]).0, 0);
    std::fs::remove_file(files.sandbox.work().join("state")).expect("ours");
    files.done(&[]);
    assert_eq!(std::fs::read(files.sandbox.work().join("state")).expect("ours"), by_daemon);
}

#[test]
fn without_a_daemon_that_answers_the_check_is_done_all_the_same() {
    let files = Files::new("daemon");
    let daemon = files.sandbox.pid("larderd");
    files.done(&[]);
    signal(daemon, Signal::STOP);
    files.sandbox.write("tree/a.rs", "x\n");
    let output = files.call(["check", "--cache", "state", "--root", "tree"]);
    signal(daemon, Signal::CONT);
    let lines = String::from_utf8_lossy(&output.stderr).lines().count();
    assert_eq!((output.status.code(), lines), (Some(1), 1), "{}", said(&output).1);
    assert_eq!(output.stdout, b"changed: a.rs\n");
    kill(daemon);
    files.mark("success");
    assert_eq!(files.check(&[]).0, 0);
}

#[test]
fn every_call_is_counted_by_its_reason_and_in_its_session() {
    let files = Files::new("daemon");
    let owner = std::process::id().to_string();
    let id = files.sandbox.run(&["session", "start", "--owner", &owner]).stdout;
    let id = String::from_utf8(id).expect("text").trim().to_owned();
    let call = |args: &[&str]| {
        let mut call = files.sandbox.larder(["fingerprint"]);
        call.args(args).env("LARDER_SESSION", &id).output().expect("larder starts")
    };
    let check = ["check", "--cache", "state", "--root", "tree"];
    call(&check);
    call(&["success", "--cache", "state"]);
    call(&check);
    call(&["failure", "--cache", "state"]);
    call(&check);
    let stats = files.sandbox.stats();
    let records = stats["records"].as_array().expect("a list");
    let reasons: Vec<&str> = records.iter().filter_map(|record| record["reason"].as_str()).collect();
    assert_eq!(reasons, ["work_due", "work_marked", "files_unchanged", "work_marked", "files_changed"]);
    let report = files.sandbox.run(&["session", "end", &id, "--json"]).stdout;
    let report: Value = serde_json::from_slice(&report).expect("JSON");
    let services = report["services"].as_array().expect("a list");
    let of_session = services.iter().find(|service| service["service"] == "fingerprint").expect("counted");
    assert_eq!((&of_session["hits"], &of_session["misses"]), (&1.into(), &2.into()), "{report}");
}

#[test]
fn nothing_stays_in_the_daemons_folder() {
    let files = Files::new("daemon");
    files.done(&[]);
    let tmp = files.sandbox.store().join("tmp");
    wait_until("what was handed over to be removed", || {
        let names =
            tmp.read_dir().expect("the daemon's").filter_map(Result::ok).map(|entry| entry.file_name());
        let left: Vec<OsString> = names.filter(|name| name.as_bytes().starts_with(b"fingerprints")).collect();
        left.is_empty().then_some(())
    });
}
