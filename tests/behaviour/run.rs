//! `larder run`: any command, held against the command run alone.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Output, Stdio};

use larder_tests::{Sandbox, Tree, in_shell, signal, wait_until};
use rustix::process::Signal;

/// Makes `out/made` of `in.txt`, speaks on both streams, and counts its runs in a file that nobody was told of.
const MAKE: &str =
    "mkdir -p out; echo said; echo told >&2; umask 027; tr a-z A-Z <in.txt >out/made; echo $WORD >>out/made
    chmod 640 out/made; echo ran >>runs";

const OPTIONS: [&str; 6] = ["--input", "*.txt", "--env", "WORD", "--output", "out/made"];

fn bench() -> Sandbox {
    let sandbox = Sandbox::started();
    sandbox.write_settled("in.txt", "one\n");
    sandbox
}

fn through(sandbox: &Sandbox, options: &[&str], command: &[&str]) -> Command {
    let args = ["run"].iter().chain(options).chain(&["--"]).chain(command);
    let mut call = sandbox.larder(args);
    call.env("WORD", "word");
    call
}

fn run(sandbox: &Sandbox, options: &[&str], script: &str) -> Output {
    through(sandbox, options, &["sh", "-c", script]).output().expect("larder starts")
}

/// The reason of the latest lookup, or of why nothing was kept.
fn reason(sandbox: &Sandbox) -> String {
    let stats = sandbox.stats();
    let records = stats["records"].as_array().expect("records");
    let told = |id: &str| !["artifact_stored", "artifact_opened"].contains(&id);
    let ids = records.iter().filter_map(|record| record["reason"].as_str());
    ids.filter(|id| told(id)).map(str::to_owned).next().expect("there was a request")
}

fn runs(sandbox: &Sandbox) -> usize {
    fs::read_to_string(sandbox.work().join("runs")).unwrap_or_default().lines().count()
}

fn forget(sandbox: &Sandbox) {
    let _ = fs::remove_dir_all(sandbox.work().join("out"));
    let _ = fs::remove_file(sandbox.work().join("runs"));
}

#[test]
fn a_miss_and_a_hit_do_what_the_command_does_alone() {
    let sandbox = bench();
    let alone = sandbox.command("sh").args(["-c", MAKE]).env("WORD", "word").output().expect("sh starts");
    let tree = Tree::read(&sandbox.work());
    forget(&sandbox);
    let miss = run(&sandbox, &OPTIONS, MAKE);
    assert_eq!(miss, alone, "{}", sandbox.log());
    assert!(Tree::read(&sandbox.work()) == tree, "a miss makes the same files");
    assert_eq!(reason(&sandbox), "artifact_absent");
    fs::remove_dir_all(sandbox.work().join("out")).expect("just made");
    assert_eq!(run(&sandbox, &OPTIONS, MAKE), alone);
    assert!(
        Tree::read(&sandbox.work()) == tree,
        "a hit makes the same output, and nothing that it was not told of"
    );
    assert_eq!((reason(&sandbox).as_str(), runs(&sandbox)), ("artifact_found", 1));
}

#[test]
fn a_stale_output_is_replaced_by_a_hit() {
    let sandbox = bench();
    sandbox.write("out/made", "old");
    fs::set_permissions(sandbox.work().join("out/made"), Permissions::from_mode(0o640)).expect("ours");
    run(&sandbox, &OPTIONS, MAKE);
    let made = fs::read(sandbox.work().join("out/made")).expect("made");
    sandbox.write("out/made", "stale");
    run(&sandbox, &OPTIONS, MAKE);
    assert_eq!(fs::read(sandbox.work().join("out/made")).expect("restored"), made);
    assert_eq!((reason(&sandbox).as_str(), runs(&sandbox)), ("artifact_found", 1));
}

#[test]
fn what_a_tool_would_write_into_is_left_to_the_tool() {
    let sandbox = bench();
    sandbox.write("out/made", "old");
    run(&sandbox, &OPTIONS, MAKE);
    let made = sandbox.work().join("out/made");
    fs::hard_link(&made, sandbox.work().join("twin")).expect("a name");
    run(&sandbox, &OPTIONS, MAKE);
    assert_eq!((reason(&sandbox).as_str(), runs(&sandbox)), ("output_not_a_file", 2));
    assert_eq!(fs::read(&made).expect("made"), fs::read(sandbox.work().join("twin")).expect("made"));
    fs::remove_file(&made).expect("ours");
    symlink("../twin", &made).expect("a link");
    run(&sandbox, &OPTIONS, MAKE);
    assert_eq!((reason(&sandbox).as_str(), runs(&sandbox)), ("output_not_a_file", 3));
    assert!(made.symlink_metadata().expect("there").is_symlink());
}

#[test]
fn a_hit_that_cannot_be_put_in_place_is_counted_as_what_it_was() {
    let sandbox = bench();
    fs::create_dir(sandbox.work().join("out")).expect("ours");
    run(&sandbox, &OPTIONS, MAKE);
    let made = sandbox.work().join("out/made");
    // Larder would give it another mode than the tool does.
    fs::set_permissions(&made, Permissions::from_mode(0o600)).expect("ours");
    let output = run(&sandbox, &OPTIONS, MAKE);
    assert!(output.status.success() && output.stderr == b"told\n", "{output:?}");
    assert_eq!((reason(&sandbox).as_str(), runs(&sandbox)), ("output_not_a_file", 2));
    assert_eq!(sandbox.service("artifact")["hits"], 0, "{}", sandbox.stats());
}

#[test]
fn a_tool_that_is_replaced_while_it_runs_is_not_kept() {
    let sandbox = bench();
    let tool = sandbox.write("tool", "#!/bin/sh\ncat in.txt >made\ncp other tool.new; mv tool.new tool\n");
    sandbox.write("other", "#!/bin/sh\necho other >made\n");
    for name in ["tool", "other"] {
        fs::set_permissions(sandbox.work().join(name), Permissions::from_mode(0o755)).expect("ours");
    }
    sandbox.settle();
    let options = ["--input", "*.txt", "--output", "made"];
    let call = || {
        let output = through(&sandbox, &options, &["./tool"]).output().expect("larder starts");
        assert!(output.status.success(), "{output:?}");
        sandbox.settle();
    };
    call();
    assert_eq!(reason(&sandbox), "inputs_changed_meanwhile");
    call();
    assert_eq!(fs::read_to_string(sandbox.work().join("made")).expect("made"), "other\n");
    assert!(tool.exists());
}

#[test]
fn each_change_of_what_counts_is_a_miss_with_its_reason() {
    let sandbox = bench();
    sandbox.write("tool", "#!/bin/sh\ncat in.txt >made\n");
    let tool = sandbox.work().join("tool");
    fs::set_permissions(&tool, Permissions::from_mode(0o755)).expect("ours");
    sandbox.settle();
    let options = ["--input", "*.txt", "--env", "WORD", "--output", "made"];
    let call = |args: &[&str], word: &str, before: &str| {
        let words: Vec<&str> = ["./tool"].iter().chain(args).copied().collect();
        let mut call = through(&sandbox, &options, &words);
        call.env("WORD", word);
        let output = in_shell(before, &call).output().expect("larder starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let detail = sandbox.stats()["records"].as_array().expect("records").iter().find_map(|record| {
            (record["outcome"] != "bypass").then(|| record["detail"].as_str().unwrap_or_default().to_owned())
        });
        (reason(&sandbox), detail.unwrap_or_default())
    };
    let said = |reason: &str, detail: &str| (reason.to_owned(), detail.to_owned());
    assert_eq!(call(&[], "a", ""), said("artifact_absent", ""));
    assert_eq!(call(&[], "a", ""), said("artifact_found", ""));
    assert_eq!(call(&[], "b", ""), said("variable_changed", "WORD"));
    assert_eq!(call(&[], "b", "unset WORD"), said("variable_changed", "WORD"));
    assert_eq!(call(&[], "a", ""), said("artifact_found", ""));
    assert_eq!(call(&["-x"], "b", "unset WORD"), said("command_changed", ""));
    assert_eq!(call(&["-x"], "b", "unset WORD; umask 077"), said("surroundings_changed", "umask"));
    let base = || call(&["-x"], "b", "unset WORD; umask 077");
    sandbox.write_settled("in.txt", "two\n");
    assert_eq!(base(), said("input_changed", "in.txt"));
    assert_eq!(fs::read(sandbox.work().join("made")).expect("made"), b"two\n");
    sandbox.write_settled("more.txt", "");
    assert_eq!(base(), said("input_appeared", "more.txt"));
    fs::remove_file(sandbox.work().join("more.txt")).expect("ours");
    assert_eq!(base(), said("artifact_found", ""), "as it was before");
    fs::set_permissions(sandbox.work().join("in.txt"), Permissions::from_mode(0o600)).expect("ours");
    sandbox.settle();
    assert_eq!(base(), said("input_changed", "in.txt"), "its mode shows");
    sandbox.write_settled("tool", "#!/bin/sh\ncat in.txt >made\n# another\n");
    assert_eq!(base(), said("tool_changed", "./tool"));
    assert_eq!(base(), said("artifact_found", ""));
}

#[test]
fn what_is_not_kept_has_its_reason() {
    let sandbox = bench();
    sandbox.write("kept.out", "as before");
    sandbox.write("mine.txt", "");
    sandbox.settle();
    for (script, why, code) in [
        ("echo no >&2; exit 3", "tool_failed", 3),
        ("true", "output_missing", 0),
        ("echo more >>mine.txt; echo >made", "inputs_changed_meanwhile", 0),
        ("echo >new.txt; echo >made", "inputs_changed_meanwhile", 0),
        ("rm new.txt made; ln -s runs made", "inputs_changed_meanwhile", 0),
        ("rm -f made; ln -s runs made", "output_not_a_file", 0),
        ("rm -f made; head -c 2000000 /dev/zero; echo >made", "output_not_a_file", 0),
        ("rm -f made; head -c 2000000 /dev/zero; echo >made; :", "streams_too_large", 0),
        // Beyond half a second nobody waits for what is left behind.
        ("sleep 3 & echo >made", "streams_left_open", 0),
    ] {
        sandbox.settle();
        let output = run(&sandbox, &["--input", "*.txt", "--output", "made"], script);
        assert_eq!((reason(&sandbox).as_str(), output.status.code()), (why, Some(code)), "{script}");
    }
    run(&sandbox, &["--output", "kept.out"], "true");
    assert_eq!(reason(&sandbox), "output_not_written");
    assert_eq!(sandbox.service("artifact")["hits"], 0);
}

#[test]
fn what_makes_no_sense_is_refused_and_does_not_run() {
    let sandbox = bench();
    symlink("/tmp", sandbox.work().join("away")).expect("a link");
    for (options, named) in [
        (&["--input", "*.none"][..], "*.none"),
        (&["--input", "*.txt", "--output", "new.txt"], "new.txt"),
        (&["--input", ".", "--output", "deep/new"], "deep/new"),
        (&["--output", "../x"], "../x"),
        (&["--output", "/etc/x"], "/etc/x"),
        (&["--output", "away/x"], "away/x"),
        (&["--input", "a["], "a["),
        (&["--env", "SECRET=hidden"], "SECRET"),
    ] {
        let output = run(&sandbox, options, "echo ran >>runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        assert!(said.contains(named) && !said.contains("hidden"), "{options:?}: {said}");
    }
    assert_eq!(runs(&sandbox), 0);
    let none = sandbox.larder(["run", "--", "no-such-tool"]).output().expect("larder starts");
    assert_eq!(none.status.code(), Some(127));
}

#[test]
fn streams_that_are_one_keep_their_order() {
    let sandbox = bench();
    let script = "for n in 1 2 3 4 5 6 7 8; do echo out $n; echo err $n >&2; done";
    let joined = |call: Command| in_shell("exec 2>&1", &call).output().expect("a shell").stdout;
    let mut alone = sandbox.command("sh");
    alone.args(["-c", script]);
    let alone = joined(alone);
    for wanted in ["artifact_absent", "artifact_found"] {
        assert_eq!(joined(through(&sandbox, &[], &["sh", "-c", script])), alone);
        assert_eq!(reason(&sandbox), wanted);
    }
}

#[test]
fn standard_input_is_empty_and_streams_come_as_they_are_written() {
    let sandbox = bench();
    let mut call =
        through(&sandbox, &[], &["sh", "-c", "cat; echo first; until [ -e go ]; do :; done; echo last"]);
    let mut child = call.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("larder starts");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("a pipe")));
    assert_eq!(lines.next().expect("a line").expect("text"), "first");
    sandbox.write("go", "");
    assert_eq!(lines.next().expect("a line").expect("text"), "last");
    assert!(child.wait().expect("ours").success());
}

#[test]
fn a_signal_reaches_the_command_and_ends_larder_as_it_ended_the_command() {
    use std::os::unix::process::ExitStatusExt as _;
    let sandbox = bench();
    let mut call = through(&sandbox, &[], &["sh", "-c", "echo >begun; while :; do sleep 1; done"]);
    let mut child = call.spawn().expect("larder starts");
    wait_until("the command to begin", || sandbox.work().join("begun").exists().then_some(()));
    signal(child.id(), Signal::TERM);
    assert_eq!(child.wait().expect("ours").signal(), Some(15));
    assert_eq!(reason(&sandbox), "tool_failed");
}

#[test]
fn identical_runs_at_once_run_once() {
    let sandbox = bench();
    let script = "echo ran >>runs; head -c 300000 in.txt >made; cat in.txt >>made";
    let start = || {
        let mut call = through(&sandbox, &["--input", "in.txt", "--output", "made"], &["sh", "-c", script]);
        call.spawn().expect("larder starts")
    };
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    for mut child in children {
        assert!(child.wait().expect("ours").success());
    }
    assert_eq!(runs(&sandbox), 1);
    assert_eq!(fs::read(sandbox.work().join("made")).expect("made"), b"one\none\n");
    let left = fs::read_dir(sandbox.runtime().join("larder/runs")).expect("there were locks").count();
    assert_eq!(left, 0, "no lock is left behind");
}

#[test]
fn a_run_within_a_run_of_the_same_output_does_not_wait_for_itself() {
    let sandbox = bench();
    let larder = larder_tests::program("larder");
    let script = format!("{} run --output made -- sh -c 'echo inner >made'", larder.display());
    assert!(run(&sandbox, &["--output", "made"], &script).status.success());
    assert_eq!(fs::read(sandbox.work().join("made")).expect("made"), b"inner\n");
}

#[test]
fn working_trees_share_results_only_where_they_may() {
    let sandbox = Sandbox::started();
    for tree in ["one", "two"] {
        sandbox.write(&format!("{tree}/.git"), "");
        sandbox.write(&format!("{tree}/d/in.txt"), "same\n");
    }
    sandbox.settle();
    let run_in = |tree: &str, options: &[&str]| {
        let options = [&["--input", "in.txt", "--output", "../made"][..], options].concat();
        let mut call = through(&sandbox, &options, &["sh", "-c", "pwd >../made"]);
        let folder = sandbox.work().join(tree).join("d");
        assert!(call.current_dir(folder).status().expect("larder starts").success());
        (reason(&sandbox), fs::read_to_string(sandbox.work().join(tree).join("made")).expect("made"))
    };
    run_in("one", &[]);
    let (why, made) = run_in("two", &[]);
    assert!(why == "artifact_absent" && made.ends_with("/two/d\n"), "{why}: {made}");
    run_in("one", &["--portable"]);
    let (why, made) = run_in("two", &["--portable"]);
    assert!(
        why == "artifact_found" && made.ends_with("/one/d\n"),
        "it was told that nothing shows: {why}: {made}"
    );
}

#[test]
fn without_a_daemon_the_command_runs_with_one_line_at_most() {
    let sandbox = bench();
    run(&sandbox, &OPTIONS, MAKE);
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::STOP);
    let stopped = run(&sandbox, &OPTIONS, MAKE);
    signal(daemon, Signal::CONT);
    let said = String::from_utf8_lossy(&stopped.stderr).into_owned();
    assert!(stopped.status.success() && said.lines().count() == 2 && said.contains("larder: "), "{said}");
    assert_eq!((stopped.stdout.as_slice(), runs(&sandbox)), (&b"said\n"[..], 2));
    wait_until("the daemon to answer again", || sandbox.status());
    larder_tests::kill(sandbox.pid("larderd"));
    larder_tests::kill(sandbox.pid("larder-broker"));
    let again = run(&sandbox, &OPTIONS, MAKE);
    assert!(again.status.success() && again.stderr == b"told\n", "{again:?}");
    let off = through(&sandbox, &OPTIONS, &["sh", "-c", MAKE]).env("RUNNING_PROCESS_DISABLE", "1").output();
    let off = off.expect("larder starts");
    assert!(off.status.success() && off.stderr == b"told\n", "{off:?}");
}

#[test]
fn a_run_counts_in_its_session() {
    let sandbox = bench();
    let id = sandbox.run(&["session", "start", "--owner", &std::process::id().to_string()]).stdout;
    let id = String::from_utf8(id).expect("text").trim().to_owned();
    for session in [Some(&id), Some(&id), None] {
        let mut call = through(&sandbox, &[], &["true"]);
        call.envs(session.map(|id| ("LARDER_SESSION", id)));
        assert!(call.status().expect("larder starts").success());
    }
    let report: serde_json::Value =
        serde_json::from_slice(&sandbox.run(&["session", "end", &id, "--json"]).stdout).expect("JSON");
    let service = &report["services"][0];
    assert_eq!((&service["hits"], &service["misses"]), (&1.into(), &1.into()), "{report}");
}
