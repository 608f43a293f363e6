//! Compiling C through the cache gives what the compiler alone gives, on a miss and on a hit.

use larder_tests::{Sandbox, same_as_alone, wait_until};

const HELLO: &str =
    "#include <stdio.h>\n#include \"greet.h\"\nint main(void) { puts(GREETING); return 0; }\n";

fn hello(sandbox: &Sandbox) {
    sandbox.write_settled("greet.h", "#define GREETING \"hello\"\n");
    sandbox.write_settled("hello.c", HELLO);
}

/// Both compilers that the test command installs.
const COMPILERS: [&str; 2] = ["gcc", "clang"];

#[test]
fn the_second_compile_is_a_hit_with_the_compilers_own_bytes() {
    for compiler in COMPILERS {
        let sandbox = Sandbox::started();
        hello(&sandbox);
        for flags in [&["-O2"][..], &["-g", "-Wall"], &["-MD", "-MF", "dep/hello.d", "-MP"], &["-MMD"]] {
            std::fs::create_dir_all(sandbox.work().join("dep")).expect("our own folder");
            let argv: Vec<&str> = [compiler, "-c", "hello.c", "-o", "hello.o"]
                .into_iter()
                .chain(flags.iter().copied())
                .collect();
            same_as_alone(&sandbox, &argv);
            assert_eq!(sandbox.last_reason(), "first_seen", "{argv:?}");
            std::fs::remove_file(sandbox.work().join("hello.o")).expect("the compiler made it");
            same_as_alone(&sandbox, &argv);
            assert_eq!(sandbox.last_reason(), "direct_hit", "{argv:?}");
        }
        let counts = sandbox.counts();
        assert_eq!(
            (counts.hits, counts.misses, counts.uncacheable, counts.errors),
            (4, 4, 0, 0),
            "{compiler}"
        );
    }
}

#[test]
fn an_edited_header_is_noticed_even_when_it_is_not_named_in_a_depfile() {
    for compiler in COMPILERS {
        let sandbox = Sandbox::started();
        hello(&sandbox);
        let argv = [compiler, "-c", "hello.c", "-o", "hello.o"];
        same_as_alone(&sandbox, &argv);
        sandbox.write_settled("greet.h", "#define GREETING \"hi!!!\"\n");
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "input_changed");
        // Back to the first content: that result is still known.
        sandbox.write_settled("greet.h", "#define GREETING \"hello\"\n");
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "direct_hit");
    }
}

#[test]
fn a_header_that_appears_earlier_on_the_search_path_is_noticed() {
    for compiler in COMPILERS {
        let sandbox = Sandbox::started();
        sandbox.write_settled("second/greet.h", "#define GREETING \"second\"\n");
        sandbox.write_settled("hello.c", HELLO);
        std::fs::create_dir_all(sandbox.work().join("first")).expect("our own folder");
        let argv = [compiler, "-Ifirst", "-Isecond", "-c", "hello.c", "-o", "hello.o"];
        same_as_alone(&sandbox, &argv);
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "direct_hit");
        sandbox.write_settled("first/greet.h", "#define GREETING \"first\"\n");
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "input_appeared");
    }
}

#[test]
fn a_header_that_is_only_asked_for_is_noticed_when_it_appears_and_when_it_goes() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("x.c", "#if __has_include(\"maybe.h\")\nint yes;\n#else\nint no;\n#endif\n");
    let argv = ["gcc", "-c", "x.c", "-o", "x.o"];
    same_as_alone(&sandbox, &argv);
    same_as_alone(&sandbox, &argv);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    sandbox.write_settled("maybe.h", "");
    same_as_alone(&sandbox, &argv);
    assert_eq!(sandbox.last_reason(), "input_appeared");
    same_as_alone(&sandbox, &argv);
    assert_eq!(sandbox.last_reason(), "direct_hit");
    std::fs::remove_file(sandbox.work().join("maybe.h")).expect("our own file");
    same_as_alone(&sandbox, &argv);
}

#[test]
fn warnings_are_replayed_and_errors_are_the_compilers() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("warn.c", "int f(void) { int unused; return 0; }\n");
    sandbox.write_settled("bad.c", "int f( { return; }\n");
    for compiler in COMPILERS {
        let argv = [compiler, "-Wall", "-c", "warn.c", "-o", "warn.o"];
        let cold = same_as_alone(&sandbox, &argv);
        assert!(!cold.stderr.is_empty(), "the source is there to be warned about");
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "direct_hit");
        for _ in 0..2 {
            let output = same_as_alone(&sandbox, &[compiler, "-c", "bad.c", "-o", "bad.o"]);
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(sandbox.last_reason(), "tool_failed");
        }
    }
}

#[test]
fn on_a_terminal_the_compilers_colours_are_shown_and_replayed() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("w.c", "int f(void) { int unused; return 1 + \"a\"; }\n");
    let larder = larder_tests::program("larder");
    // `script` gives what it runs a terminal.
    let on_terminal = |launcher: &str| {
        let line = format!("{launcher} gcc -Wall -c w.c -o w.o");
        let output = sandbox.command("script").args(["-qec", &line, "/dev/null"]).output();
        let output = output.expect("script is part of every Linux");
        assert!(output.status.success());
        output.stdout
    };
    let alone = on_terminal("");
    assert!(alone.windows(2).any(|pair| pair == b"\x1b["), "the compiler uses colours");
    for reason in ["first_seen", "direct_hit"] {
        assert_eq!(on_terminal(&larder.display().to_string()), alone);
        assert_eq!(sandbox.last_reason(), reason);
    }
}

#[test]
fn what_cannot_be_cached_is_run_and_named() {
    let sandbox = Sandbox::started();
    hello(&sandbox);
    sandbox.write_settled("time.c", "const char *built(void) { return __DATE__; }\n");
    sandbox.write_settled("other.c", "int other;\n");
    sandbox.write_settled("hello.m", "int objective_c;\n");
    sandbox.write_settled("open.txt", "-O1 -c 'hello.c");
    for (argv, reason) in [
        (&["gcc", "-c", "time.c"][..], "time_macro"),
        (&["gcc", "-c", "hello.c", "other.c"], "several_sources"),
        (&["gcc", "-c", "hello.m"], "source_kind_unknown"),
        (&["gcc", "@open.txt"], "response_file"),
        (&["gcc", "-c", "hello.c", "-save-temps"], "option_uncacheable"),
        (&["gcc", "-c", "hello.c", "-fno-such-option-exists", "-o", "/dev/null"], ""),
        (&["gcc", "hello.c", "-o", "hello"], "not_a_compile"),
        (&["gcc", "--version"], "not_a_compile"),
        (&["gcc", "-E", "other.c"], "not_a_compile"),
    ] {
        same_as_alone(&sandbox, argv);
        if !reason.is_empty() {
            assert_eq!(sandbox.last_reason(), reason, "{argv:?}");
        }
    }
    assert_eq!(sandbox.counts().hits, 0);
}

#[test]
fn the_working_folder_counts_where_it_shows_and_only_there() {
    let sandbox = Sandbox::started();
    for folder in ["one", "two"] {
        sandbox.write_settled(&format!("{folder}/x.c"), "int f(int a) { return a + 1; }\n");
    }
    let compile = |folder: &str, flags: &[&str]| {
        let mut command = sandbox.larder(["gcc", "-c", "x.c", "-o", "x.o"]);
        command.args(flags).current_dir(sandbox.work().join(folder)).env("PWD", sandbox.work().join(folder));
        assert!(command.status().expect("larder starts").success());
        let through = std::fs::read(sandbox.work().join(folder).join("x.o")).expect("an object");
        let mut command = sandbox.command("gcc");
        command.args(["-c", "x.c", "-o", "x.o"]).args(flags);
        command.current_dir(sandbox.work().join(folder)).env("PWD", sandbox.work().join(folder));
        assert!(command.status().expect("gcc starts").success());
        assert!(through == std::fs::read(sandbox.work().join(folder).join("x.o")).expect("an object"));
        sandbox.stats()["records"][0]["reason"].as_str().expect("a reason").to_owned()
    };
    assert_eq!(compile("one", &[]), "first_seen");
    assert_eq!(compile("two", &[]), "direct_hit");
    assert_eq!(compile("one", &["-g"]), "first_seen");
    assert_ne!(compile("two", &["-g"]), "direct_hit");
}

#[test]
fn called_by_the_compilers_name_larder_stands_in_for_it() {
    let sandbox = Sandbox::started();
    hello(&sandbox);
    let links = sandbox.root().join("links");
    std::fs::create_dir(&links).expect("our own folder");
    std::os::unix::fs::symlink(larder_tests::program("larder"), links.join("gcc")).expect("a link");
    let path = std::env::var("PATH").expect("a PATH");
    for reason in ["first_seen", "direct_hit"] {
        let mut command = sandbox.command(links.join("gcc"));
        command.args(["-c", "hello.c", "-o", "hello.o"]).env("PATH", format!("{}:{path}", links.display()));
        assert!(command.status().expect("larder starts").success());
        assert_eq!(sandbox.last_reason(), reason);
    }
}

#[test]
fn make_and_its_job_server_work_through_the_wrapper() {
    let sandbox = Sandbox::started();
    let mut rules = String::from("all:");
    for n in 0..12 {
        sandbox.write_settled(
            &format!("f{n}.c"),
            format!("#include <string.h>\nint f{n}(void) {{ return {n}; }}\n"),
        );
        rules.push_str(&format!(" f{n}.o"));
    }
    sandbox.write("Makefile", format!("{rules}\n%.o: %.c\n\t$(CC) -O1 -c $< -o $@\n"));
    let larder = larder_tests::program("larder");
    for (round, hits) in [(1, 0), (2, 12)] {
        let output = sandbox
            .command("make")
            .args(["-B", "-j4", &format!("CC={} gcc", larder.display())])
            .output()
            .expect("make starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "round {round}: {stderr}");
        assert_eq!(sandbox.counts().hits, hits, "round {round}");
    }
}

#[test]
fn two_clients_that_ask_for_the_same_action_at_once_compile_once() {
    let sandbox = Sandbox::started();
    // A compiler that counts its own runs and is slow enough for all clients to meet.
    let mut source = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    for n in 0..3000 {
        source.push_str(&format!("int f{n}(int a) {{ return a * {n} + (a >> 3); }}\n"));
    }
    sandbox.write_settled("big.c", source);
    let children: Vec<_> = (0..8)
        .map(|n| {
            let mut command = sandbox.larder(["gcc", "-O2", "-c", "big.c", "-o"]);
            command.arg(format!("big{n}.o"));
            command.spawn().expect("larder starts")
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("it ends").success());
    }
    let counts = sandbox.counts();
    assert_eq!((counts.misses, counts.hits), (1, 7), "{}", sandbox.log());
    let first = std::fs::read(sandbox.work().join("big0.o")).expect("an object");
    for n in 1..8 {
        assert!(std::fs::read(sandbox.work().join(format!("big{n}.o"))).expect("an object") == first);
    }
}

#[test]
fn a_restored_object_is_the_users_to_overwrite() {
    let sandbox = Sandbox::started();
    hello(&sandbox);
    let argv = ["gcc", "-c", "hello.c", "-o", "hello.o"];
    same_as_alone(&sandbox, &argv);
    for _ in 0..2 {
        same_as_alone(&sandbox, &argv);
        assert_eq!(sandbox.last_reason(), "direct_hit");
        // In place, as a tool that patches objects does it.
        use std::os::unix::fs::FileExt as _;
        let file =
            std::fs::File::options().write(true).open(sandbox.work().join("hello.o")).expect("writable");
        file.write_all_at(b"patched", 0).expect("writable");
    }
}

#[test]
fn an_object_that_is_evicted_is_compiled_again() {
    let sandbox = Sandbox::started();
    hello(&sandbox);
    let argv = ["gcc", "-c", "hello.c", "-o", "hello.o"];
    same_as_alone(&sandbox, &argv);
    for entry in std::fs::read_dir(sandbox.store().join("blobs")).expect("blobs").flatten() {
        std::fs::remove_dir_all(entry.path())
            .or_else(|_| std::fs::remove_file(entry.path()))
            .expect("our own");
    }
    same_as_alone(&sandbox, &argv);
    assert_eq!(sandbox.last_reason(), "result_gone");
}

#[test]
fn results_outlive_the_daemon() {
    let sandbox = Sandbox::started();
    hello(&sandbox);
    let argv = ["gcc", "-c", "hello.c", "-o", "hello.o"];
    same_as_alone(&sandbox, &argv);
    sandbox.run(&["stop"]);
    wait_until("the daemon to be gone", || sandbox.pids("larderd").is_empty().then_some(()));
    same_as_alone(&sandbox, &argv);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}
