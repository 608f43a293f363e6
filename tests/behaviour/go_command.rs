//! The go command itself, with larder for its cache.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use larder_tests::{Sandbox, kill, wait_until};

fn run(mut command: Command, sandbox: &Sandbox) -> Output {
    let output = command.output().expect("go starts");
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
        sandbox.log()
    );
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `go build -x` and demands that it makes nothing but links.
fn builds_nothing(sandbox: &Sandbox, args: &[&str]) {
    let said = text(&run(sandbox.go(&[&["build", "-x"], args].concat()), sandbox).stderr);
    let tools = ["compile", "asm", "cgo", "pack"].map(|tool| format!("/{tool} "));
    let made: Vec<_> = said.lines().filter(|line| tools.iter().any(|tool| line.contains(tool))).collect();
    assert!(made.is_empty(), "{made:#?}");
}

/// A new `$GOCACHE`: whatever the go command finds from here on, it has from larder.
fn forget(sandbox: &Sandbox) {
    fs::remove_dir_all(sandbox.gocache()).expect("our own folder");
}

fn module(sandbox: &Sandbox) {
    sandbox.write("go.mod", "module example.com/m\n\ngo 1.27\n");
    sandbox.write(
        "main.go",
        "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"sum\", sum(2, 3)) }\n",
    );
    sandbox.write("sum.go", "package main\n\nfunc sum(a, b int) int { return a + b }\n");
    sandbox.write(
        "sum_test.go",
        "package main\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif sum(2, 3) != 5 {\n\t\tt.Fatal(sum(2, 3))\n\t}\n}\n",
    );
}

/// A module with all that a go command may be asked to build. It prints what each part of it says.
fn module_with_everything(sandbox: &Sandbox) {
    sandbox.write("go.mod", "module example.com/m\n\ngo 1.27\n");
    sandbox.write(
        "main.go",
        r#"package main

// int twice(int x) { return 2 * x; }
import "C"

import (
	_ "embed"
	"fmt"

	"example.com/m/fast"
)

//go:generate sh -c "printf 'package main\n\nconst generated = \"made\"\n' > generated.go"

//go:embed text.txt
var embedded string

func main() {
	fmt.Println(C.twice(21), embedded, generated, fast.Add(40, 2))
}
"#,
    );
    sandbox.write("text.txt", "kept");
    sandbox.write("fast/fast.go", "package fast\n\nfunc Add(a, b int64) int64\n");
    sandbox.write(
        "fast/fast_amd64.s",
        "#include \"textflag.h\"\n\nTEXT ·Add(SB), NOSPLIT, $0-24\n\tMOVQ a+0(FP), AX\n\tADDQ b+8(FP), AX\n\tMOVQ AX, ret+16(FP)\n\tRET\n",
    );
    sandbox.write(
        "fast/fast_arm64.s",
        "#include \"textflag.h\"\n\nTEXT ·Add(SB), NOSPLIT, $0-24\n\tMOVD a+0(FP), R0\n\tMOVD b+8(FP), R1\n\tADD R1, R0, R0\n\tMOVD R0, ret+16(FP)\n\tRET\n",
    );
}

/// What the program `name` prints.
fn says(sandbox: &Sandbox, name: &str) -> String {
    text(&run(sandbox.command(sandbox.work().join(name)), sandbox).stdout)
}

#[test]
fn the_standard_library_is_built_vetted_and_tested_once() {
    const TESTED: [&str; 12] = [
        "errors",
        "path",
        "unicode/utf8",
        "container/list",
        "container/heap",
        "container/ring",
        "text/tabwriter",
        "html",
        "encoding/csv",
        "encoding/hex",
        "encoding/pem",
        "encoding/ascii85",
    ];
    let sandbox = Sandbox::started();
    let out = |name: &str| sandbox.work().join(name).display().to_string() + "/";
    run(sandbox.go(&["build", "-o", &out("cold"), "std", "cmd/go"]), &sandbox);
    forget(&sandbox);
    builds_nothing(&sandbox, &["-o", &out("warm"), "std", "cmd/go"]);
    let read = |name: &str| fs::read(sandbox.work().join(name).join("go")).expect("a program");
    assert!(read("cold") == read("warm"));
    let go = sandbox.service("go");
    assert_eq!((&go["errors"], &go["uncacheable"]), (&0.into(), &0.into()), "{go:#}");

    // Told what it runs, the go command names the settings of each package that is vetted.
    let vetted = || text(&run(sandbox.go(&["vet", "-x", "std"]), &sandbox).stderr).matches("vet.cfg").count();
    assert_ne!(vetted(), 0);
    assert_eq!(vetted(), 0, "what was vetted is vetted again");

    let test = [&["test"], &TESTED[..]].concat();
    let cached = || {
        let said = text(&run(sandbox.go(&test), &sandbox).stdout);
        assert_eq!(said.lines().filter(|line| line.starts_with("ok")).count(), TESTED.len(), "{said}");
        said.lines().filter(|line| line.ends_with("(cached)")).count()
    };
    assert_eq!(cached(), 0);
    assert_eq!(cached(), TESTED.len());
    run(sandbox.go(&["clean", "-testcache"]), &sandbox);
    assert_eq!(cached(), 0, "results are older than the wish to forget them");
    assert_eq!(cached(), TESTED.len(), "and are renewed");
}

#[test]
fn a_module_with_cgo_embedding_assembly_and_generated_code_is_as_built_without_larder() {
    let sandbox = Sandbox::started();
    module_with_everything(&sandbox);
    run(sandbox.go(&["generate"]), &sandbox);
    run(sandbox.go(&["build", "-o", "cold", "."]), &sandbox);
    assert_eq!(says(&sandbox, "cold"), "42 kept made 42\n");
    forget(&sandbox);
    builds_nothing(&sandbox, &["-o", "warm", "."]);
    let read = |name: &str| fs::read(sandbox.work().join(name)).expect("a program");
    assert!(read("cold") == read("warm"));
    // Whatever changes shows.
    for (file, content, said) in [
        ("text.txt", "changed", "42 changed made 42\n"),
        ("generated.go", "package main\n\nconst generated = \"again\"\n", "42 changed again 42\n"),
    ] {
        sandbox.write(file, content);
        run(sandbox.go(&["build", "-o", "warm", "."]), &sandbox);
        assert_eq!(says(&sandbox, "warm"), said);
    }
    let main = fs::read_to_string(sandbox.work().join("main.go")).expect("ours");
    sandbox.write("main.go", main.replace("2 * x", "3 * x"));
    run(sandbox.go(&["build", "-o", "warm", "."]), &sandbox);
    assert_eq!(says(&sandbox, "warm"), "63 changed again 42\n");
    // The very program that go makes with its own cache.
    forget(&sandbox);
    run(sandbox.go_alone(&["build", "-o", "alone", "."]), &sandbox);
    assert!(read("alone") == read("warm"));
}

#[test]
fn a_programs_tests_run_again_only_after_a_change() {
    let sandbox = Sandbox::started();
    module(&sandbox);
    let test = || text(&run(sandbox.go(&["test", "."]), &sandbox).stdout);
    assert!(!test().contains("(cached)"));
    assert!(test().contains("(cached)"));
    forget(&sandbox);
    assert!(test().contains("(cached)"));
    // What makes the same program is no change to the go command.
    sandbox.write(
        "sum.go",
        "package main\n\nfunc sum(a, b int) int {\n\tfor range b {\n\t\ta++\n\t}\n\treturn a\n}\n",
    );
    assert!(!test().contains("(cached)"));
    sandbox.write("sum.go", "package main\n\nfunc sum(a, b int) int { return a - b }\n");
    let failed = sandbox.go(&["test", "."]).output().expect("go starts");
    assert_eq!(failed.status.code(), Some(1), "a test that fails, fails");
    let said = text(&run(sandbox.go(&["run", "."]), &sandbox).stdout);
    assert_eq!(said, "sum -1\n");
    run(sandbox.go(&["vet", "."]), &sandbox);
    // A tool that is built when it is first asked for.
    let tool = || text(&run(sandbox.go(&["tool", "-n", "nm"]), &sandbox).stdout);
    assert!(tool().trim_end().ends_with("nm"));
    forget(&sandbox);
    assert!(tool().trim_end().ends_with("nm"));
}

#[test]
fn under_larder_build_the_go_command_asks_larder() {
    let sandbox = Sandbox::started();
    sandbox.write("go.mod", "module example.com/m\n\ngo 1.27\n");
    sandbox.write("lib.go", "package lib\n\nfunc One() int { return 1 }\n");
    let go = sandbox.go_alone(&["build", "."]);
    let mut build = sandbox.larder(["build", "--"]);
    build.arg(go.get_program()).args(go.get_args()).env_remove("GOCACHEPROG");
    for (name, value) in go.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        build.env(name, value);
    }
    run(build, &sandbox);
    assert!(sandbox.service("go")["misses"].as_u64().is_some_and(|misses| misses > 0));
    // Typed without it, it says what to type.
    let output = sandbox.larder(["go", "build"]).output().expect("larder starts");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("hint: larder build -- go build"), "{}", text(&output.stderr));
}

#[test]
fn what_a_user_does_to_an_archive_never_reaches_the_store() {
    let sandbox = Sandbox::started();
    module(&sandbox);
    sandbox.write("lib/lib.go", "package lib\n\nfunc One() int { return 1 }\n");
    let build = |name: &str| {
        run(sandbox.go(&["build", "-o", name, "./lib"]), &sandbox);
        fs::read(sandbox.work().join(name)).expect("an archive")
    };
    let archive = build("x.a");
    let count = || sandbox.status().expect("it runs")["store"]["blobs"].as_u64().expect("a count");
    let blobs = count();
    let path = sandbox.work().join("x.a");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("ours");
    fs::write(&path, "spoilt").expect("ours");
    forget(&sandbox);
    assert!(build("y.a") == archive);
    assert_eq!(count(), blobs, "nothing was lost, and nothing made again");
    assert_eq!(sandbox.status().expect("it runs")["store"]["damaged_blobs"], 0);
    // Cleaning the go command's own cache in the middle of things breaks nothing.
    run(sandbox.go(&["clean", "-cache"]), &sandbox);
    assert!(build("z.a") == archive);
}

#[test]
fn two_go_commands_at_once_and_a_small_store_break_no_build() {
    let sandbox = Sandbox::new();
    let limited = |mut command: Command| {
        command.env("LARDER_SIZE_LIMIT", "8M");
        command
    };
    run(limited(sandbox.larder(["start"])), &sandbox);
    module(&sandbox);
    let children: Vec<_> = ["one", "two"]
        .iter()
        .map(|name| sandbox.go(&["build", "-o", name, "."]).spawn().expect("go starts"))
        .collect();
    for mut child in children {
        assert!(child.wait().expect("our child").success(), "{}", sandbox.log());
    }
    assert_eq!(says(&sandbox, "one"), says(&sandbox, "two"));
    let read = |name: &str| fs::read(sandbox.work().join(name)).expect("a program");
    assert!(read("one") == read("two"));
    // What the go commands were handed is pinned for a while; with the next daemon it is not.
    run(limited(sandbox.larder(["stop"])), &sandbox);
    run(limited(sandbox.larder(["start"])), &sandbox);
    wait_until("the store to keep its limit", || {
        let store = sandbox.status()?["store"].clone();
        (store["evicted_blobs"].as_u64()? > 0).then_some(())
    });
    run(sandbox.go(&["build", "-o", "three", "."]), &sandbox);
    assert!(read("one") == read("three"));
}

#[test]
fn a_daemon_killed_again_and_again_breaks_no_build() {
    let sandbox = Sandbox::started();
    module(&sandbox);
    let mut child = sandbox.go(&["build", "-o", "one", "."]).spawn().expect("go starts");
    let mut killed = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("our child") {
            break status;
        }
        for pid in sandbox.pids("larderd") {
            // Each has time to take something.
            let puts = || sandbox.store().join("blobs").read_dir().map_or(0, Iterator::count);
            let before = puts();
            wait_until("the daemon to take something, or the build to end", || {
                let ended = child.try_wait().expect("our child").is_some();
                (ended || killed > 3 || puts() > before).then_some(())
            });
            kill(pid);
            killed += 1;
        }
    };
    assert!(status.success(), "{}", sandbox.log());
    assert!(killed > 0);
    assert_eq!(says(&sandbox, "one"), "sum 5\n");
    run(sandbox.larder(["start"]), &sandbox);
    forget(&sandbox);
    run(sandbox.go(&["build", "-o", "two", "."]), &sandbox);
    let read = |name: &str| fs::read(sandbox.work().join(name)).expect("a program");
    assert!(read("one") == read("two"));
}

#[test]
fn another_checkout_at_the_same_path_shares_what_was_built() {
    if !rustix::process::geteuid().is_root() {
        // Only root may mount.
        return;
    }
    let sandbox = Sandbox::started();
    module(&sandbox);
    run(sandbox.go(&["build", "-o", "cold", "."]), &sandbox);
    let checkout = sandbox.root().join("checkout");
    fs::create_dir(&checkout).expect("ours");
    for name in ["go.mod", "main.go", "sum.go"] {
        fs::copy(sandbox.work().join(name), checkout.join(name)).expect("ours");
    }
    // As a container would see it: another folder at that path, and an empty cache of go's.
    forget(&sandbox);
    let go = sandbox.go(&["build", "-x", "-o", "warm", "."]);
    let mount = format!(
        "unshare -m sh -ec 'mount --bind {} .; cd \"$PWD\"; exec \"$@\"' sh \"$@\"; exit",
        checkout.display()
    );
    let said = text(&run(larder_tests::in_shell(&mount, &go), &sandbox).stderr);
    assert!(!said.contains("/compile "), "{said}");
    let same = |a: &Path, b: &Path| fs::read(a).expect("a program") == fs::read(b).expect("a program");
    assert!(same(&checkout.join("warm"), &sandbox.work().join("cold")));
}

#[test]
fn a_build_with_the_race_detector_is_another_build() {
    let sandbox = Sandbox::started();
    module(&sandbox);
    let race = sandbox.go(&["build", "-race", "-o", "race", "."]).output().expect("go starts");
    if !race.status.success() {
        let said = text(&race.stderr);
        assert!(said.contains("-race"), "only where there is no race detector: {said}");
        return;
    }
    forget(&sandbox);
    builds_nothing(&sandbox, &["-race", "-o", "again", "."]);
    let read = |name: &str| fs::read(sandbox.work().join(name)).expect("a program");
    assert!(read("race") == read("again"));
    assert_eq!(says(&sandbox, "again"), "sum 5\n");
}
