//! What a hit gives back is what the compiler gives.

use crate::sandbox::{Client, Sandbox};

const SOURCE: &str =
    "#include <stdio.h>\n#include \"a.h\"\nint main(void) { return printf(\"%d %s\\n\", A, __FILE__); }\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", SOURCE);
    sandbox.write("a.h", "#define A 1\n");
    sandbox
}

/// Cold, then warm, both against the compiler alone.
async fn twice(sandbox: &Sandbox, client: &Client, args: &[&str], outputs: &[&str]) {
    let alone = client.alone(args);
    assert_eq!(alone.code, 0, "{}", String::from_utf8_lossy(&alone.stderr));
    let expected: Vec<_> = outputs.iter().map(|name| sandbox.read(name)).collect();
    for (round, first) in [true, false].into_iter().enumerate() {
        outputs.iter().for_each(|name| sandbox.remove(name));
        let done = client.compile(args).await;
        let done = if first { done.expect_stored("first_seen") } else { done.expect_hit() };
        assert_eq!(done.seen, alone);
        for (name, expected) in outputs.iter().zip(&expected) {
            assert!(sandbox.read(name) == *expected, "{name} differs in round {round} of {args:?}");
        }
    }
    assert_eq!(sandbox.leftovers(), 0);
}

#[tokio::test]
async fn cold_and_warm_objects_are_the_compilers_own() {
    for tool in ["gcc", "clang"] {
        for options in [&["-O2"][..], &["-g"], &["-g", "-O1"], &["-std=c99", "-Wall", "-I."]] {
            let sandbox = sandbox();
            let args = [options, &["-c", "a.c", "-o", "a.o"]].concat();
            twice(&sandbox, &sandbox.client(tool), &args, &["a.o"]).await;
        }
    }
}

#[tokio::test]
async fn dependency_files_are_the_compilers_own() {
    for tool in ["gcc", "clang"] {
        for options in
            [&["-MD"][..], &["-MMD"], &["-MD", "-MP"], &["-MMD", "-MF", "deps.d"], &["-MD", "-MT", "x y"]]
        {
            let sandbox = sandbox();
            let args = [options, &["-c", "a.c", "-o", "a.o"]].concat();
            let depfile = if options.contains(&"-MF") { "deps.d" } else { "a.d" };
            twice(&sandbox, &sandbox.client(tool), &args, &["a.o", depfile]).await;
        }
    }
}

#[tokio::test]
async fn a_command_line_that_reaches_the_object_is_left_as_it_is() {
    let sandbox = sandbox();
    let args = ["-frecord-gcc-switches", "-g", "-c", "a.c", "-o", "a.o"];
    twice(&sandbox, &sandbox.client("gcc"), &args, &["a.o"]).await;
}

#[tokio::test]
async fn a_large_object_comes_from_its_blob() {
    let sandbox = sandbox();
    sandbox.write("a.c", "const char big[100000] = { 1, 2, 3 };\n");
    twice(&sandbox, &sandbox.client("gcc"), &["-c", "a.c", "-o", "a.o"], &["a.o"]).await;
}

#[tokio::test]
async fn another_object_name_is_a_hit_unless_a_dependency_file_names_it() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    client.compile(&["-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    client.compile(&["-c", "a.c", "-o", "b.o"]).await.expect_hit();
    assert_eq!(sandbox.read("a.o"), sandbox.read("b.o"));
    client.compile(&["-MD", "-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    client.compile(&["-MD", "-c", "a.c", "-o", "b.o"]).await.expect_stored("first_seen");
    assert!(sandbox.read("b.d").starts_with(b"b.o:"));
}

#[tokio::test]
async fn the_same_sources_in_another_folder_are_a_hit_unless_the_object_shows_the_folder() {
    let sandbox = Sandbox::new();
    for folder in ["one", "two"] {
        sandbox.write(&format!("{folder}/a.c"), SOURCE);
        sandbox.write(&format!("{folder}/a.h"), "#define A 1\n");
    }
    let one = sandbox.client("gcc").in_folder(sandbox.work().join("one"));
    let two = sandbox.client("gcc").in_folder(sandbox.work().join("two"));
    one.compile(&["-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    two.compile(&["-c", "a.c", "-o", "a.o"]).await.expect_hit();
    assert_eq!(sandbox.read("one/a.o"), sandbox.read("two/a.o"));
    one.compile(&["-g", "-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    two.compile(&["-g", "-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    let stored = sandbox.read("two/a.o");
    two.alone(&["-g", "-c", "a.c", "-o", "a.o"]);
    assert_eq!(stored, sandbox.read("two/a.o"));
}

#[tokio::test]
async fn an_output_that_is_no_ordinary_file_is_left_alone() {
    let sandbox = sandbox();
    std::os::unix::fs::symlink("elsewhere", sandbox.work().join("a.o")).unwrap();
    let client = sandbox.client("gcc");
    client.compile(&["-c", "a.c", "-o", "a.o"]).await.expect_not_stored("output_not_a_file");
    client.compile(&["-c", "a.c", "-o", "/dev/null"]).await.expect_not_stored("output_not_a_file");
}

#[tokio::test]
async fn assembly_and_what_stands_beside_the_object_are_the_compilers_own() {
    for (tool, options, outputs) in [
        ("gcc", "-S -o a.s", "a.s"),
        ("clang", "-S -O1 -o a.s", "a.s"),
        ("gcc", "-S", "a.s"),
        ("gcc", "-S -MD -fstack-usage -o a.s", "a.s a.d a.su"),
        ("gcc", "-fstack-usage -c -o a.o", "a.o a.su"),
        ("clang", "-fstack-usage -c -o a.o", "a.o a.su"),
        ("gcc", "-fcallgraph-info -fstack-usage -c", "a.o a.ci a.su"),
        ("gcc", "-g -gsplit-dwarf -c -o a.o", "a.o a.dwo"),
        ("clang", "-g -gsplit-dwarf -MMD -c -o a.o", "a.o a.dwo a.d"),
    ] {
        let sandbox = sandbox();
        let args: Vec<_> = options.split(' ').chain(["a.c"]).collect();
        let outputs: Vec<_> = outputs.split(' ').collect();
        twice(&sandbox, &sandbox.client(tool), &args, &outputs).await;
    }
}

#[tokio::test]
async fn what_a_compiler_writes_in_place_is_written_in_place_and_what_it_makes_anew_is_new() {
    use std::os::unix::fs::MetadataExt as _;
    for (tool, options, output) in [
        ("gcc", "-S", "a.s"),
        ("gcc", "-c -fstack-usage", "a.su"),
        ("gcc", "-c -MD", "a.d"),
        ("gcc", "-c", "a.o"),
        ("gcc", "-c -gsplit-dwarf", "a.dwo"),
        ("clang", "-c", "a.o"),
        ("clang", "-S", "a.s"),
        ("clang", "-c -MD", "a.d"),
        ("clang", "-c -fstack-usage", "a.su"),
        ("clang", "-g -c -gsplit-dwarf", "a.dwo"),
    ] {
        let sandbox = sandbox();
        let client = sandbox.client(tool);
        let args: Vec<_> = options.split(' ').chain(["a.c"]).collect();
        client.compile(&args).await.expect_stored("first_seen");
        let (path, other) = (sandbox.work().join(output), sandbox.work().join("other name"));
        // A second name tells: it sees what is written in place.
        std::fs::hard_link(&path, &other).unwrap();
        client.alone(&args);
        let alone = path.metadata().unwrap().nlink();
        std::fs::remove_file(&other).unwrap();
        std::fs::hard_link(&path, &other).unwrap();
        client.compile(&args).await.expect_hit();
        assert_eq!(path.metadata().unwrap().nlink(), alone, "{tool} {options}: {output}");
    }
}
