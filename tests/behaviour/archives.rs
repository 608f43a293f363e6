//! Archives through the cache are what the archiver alone makes, in the hands of `make` too.

use larder_tests::{Sandbox, program, same_as_alone, succeed};

fn objects(sandbox: &Sandbox) {
    for (name, text) in [("one", "int one(void) { return 1; }\n"), ("two", "int two(void) { return 2; }\n")] {
        sandbox.write_settled(&format!("{name}.c"), text);
        let (source, object) = (format!("{name}.c"), format!("{name}.o"));
        let made = sandbox.command("gcc").args(["-c", &source, "-o", &object]).status();
        assert!(made.expect("gcc starts").success());
        // The archiver must not start within the tick in which its members were written.
        let content = std::fs::read(sandbox.work().join(&object)).expect("gcc made it");
        sandbox.write_settled(&object, content);
    }
}

#[test]
fn the_second_archive_is_a_hit_with_the_archivers_own_bytes() {
    for (ar, ranlib) in [("ar", "ranlib"), ("llvm-ar", "llvm-ranlib")] {
        let sandbox = Sandbox::started();
        objects(&sandbox);
        for argv in [&[ar, "rcs", "x.a", "one.o"][..], &[ar, "rcS", "y.a", "one.o", "two.o"]] {
            same_as_alone(&sandbox, argv);
            assert_eq!(sandbox.last_reason(), "first_seen", "{argv:?}");
            std::fs::remove_file(sandbox.work().join(argv[2])).expect("the archiver made it");
            same_as_alone(&sandbox, argv);
            assert_eq!(sandbox.last_reason(), "direct_hit", "{argv:?}");
        }
        // Both read the archive that is there, and leave another.
        for argv in [&[ar, "rcs", "x.a", "two.o"][..], &[ranlib, "y.a"]] {
            let archive = sandbox.work().join(if argv[0] == ar { "x.a" } else { "y.a" });
            let before = std::fs::read(&archive).expect("it is there");
            same_as_alone(&sandbox, argv);
            assert_eq!(sandbox.last_reason(), "first_seen", "{argv:?}");
            std::fs::write(&archive, &before).expect("our own file");
            same_as_alone(&sandbox, argv);
            assert_eq!(sandbox.last_reason(), "direct_hit", "{argv:?}");
        }
    }
}

#[test]
fn the_mode_is_the_archivers_own_under_every_umask() {
    let sandbox = Sandbox::started();
    objects(&sandbox);
    let larder = program("larder");
    let make = |umask: &str, wrapper: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        let script = format!("umask {umask}; rm -f x.a; exec {wrapper} ar rcs x.a one.o");
        assert!(sandbox.command("sh").args(["-c", &script]).status().expect("sh starts").success());
        sandbox.work().join("x.a").metadata().expect("made").permissions().mode()
    };
    let wrapper = larder.display().to_string();
    make("022", &wrapper);
    for umask in ["022", "077", "002"] {
        assert_eq!(make(umask, &wrapper), make(umask, ""), "{umask}");
    }
    assert_eq!(sandbox.last_reason(), "direct_hit");
}

#[test]
fn thin_archives_and_missing_members_are_the_archivers_business() {
    let sandbox = Sandbox::started();
    objects(&sandbox);
    same_as_alone(&sandbox, &["ar", "rcT", "thin.a", "one.o"]);
    assert_eq!(sandbox.last_reason(), "archive_operation_uncacheable");
    same_as_alone(&sandbox, &["ar", "rcs", "thin.a", "two.o"]);
    assert_eq!(sandbox.last_reason(), "archive_operation_uncacheable");
    same_as_alone(&sandbox, &["ar", "rcs", "x.a", "none.o"]);
    assert_eq!(sandbox.last_reason(), "input_unreadable");
    // Its table of symbols names the second in which it is made, so that two of them need not be the same.
    succeed(&mut sandbox.larder(["ar", "rcsU", "x.a", "one.o"]));
    assert_eq!(sandbox.last_reason(), "archive_not_deterministic");
    let listed = succeed(sandbox.command("ar").args(["t", "x.a"])).stdout;
    assert_eq!(listed, b"one.o\n");
    assert_eq!(sandbox.counts().hits, 0);
}

#[test]
fn make_builds_a_library_from_the_cache() {
    let sandbox = Sandbox::started();
    objects(&sandbox);
    for object in ["one.o", "two.o"] {
        std::fs::remove_file(sandbox.work().join(object)).expect("our own file");
    }
    sandbox.write_settled(
        "main.c",
        "int one(void);\nint two(void);\nint main(void) { return one() + two() - 3; }\n",
    );
    // Something is made between the members and the archive, so that the archiver starts a tick later.
    sandbox.write_settled(
        "Makefile",
        "main: main.o libx.a\n\tgcc -o $@ main.o -L. -lx\nlibx.a: one.o two.o | main.o\n\t$(AR) rc $@ $^\n\t$(RANLIB) $@\n",
    );
    let larder = program("larder");
    let variables = ["CC=gcc", "AR=ar", "RANLIB=ranlib"].map(|variable| {
        let (name, tool) = variable.split_once('=').expect("a variable");
        format!("{name}={} {tool}", larder.display())
    });
    let make = |variables: &[String]| {
        for made in ["main", "main.o", "one.o", "two.o", "libx.a"] {
            let _ = std::fs::remove_file(sandbox.work().join(made));
        }
        let output = sandbox.command("make").args(variables).output().expect("make starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(sandbox.command("./main").status().expect("it was linked").success());
        std::fs::read(sandbox.work().join("libx.a")).expect("it was made")
    };
    let alone = make(&["CC=gcc", "AR=ar", "RANLIB=ranlib"].map(str::to_owned));
    assert!(make(&variables) == alone, "the archive differs when it is made on misses");
    let cold = sandbox.counts();
    assert_eq!((cold.hits, cold.errors), (0, 0), "{}", sandbox.stats());
    assert!(make(&variables) == alone, "the archive differs when it is made on hits");
    let warm = sandbox.counts();
    assert_eq!((warm.hits, warm.misses), (5, cold.misses), "{}", sandbox.stats());
}
