//! An edit that changes only comments is a hit, where that is right, and a miss where a compiler could notice it.

use crate::sandbox::{Client, Sandbox, settle};

const HEADER: &str = "/* What one is. */\nint one(void); // and no more\n#define TWO /* 2 */ 2\n";
const SOURCE: &str = "#include \"a.h\"\nint f(void) { /* here */ return one() + TWO; }\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.h", HEADER);
    sandbox.write("a.c", SOURCE);
    settle();
    sandbox
}

/// After `edit` the call is a hit of the second kind, or none, and always what the tool alone gives.
async fn edited(sandbox: &Sandbox, client: &Client, args: &[&str], hit: bool, edit: impl FnOnce()) {
    client.compile(args).await;
    client.compile(args).await.expect_hit();
    edit();
    settle();
    let done = client.compile(args).await;
    let object = sandbox.read("a.o");
    assert_eq!(client.alone(args), done.seen, "{args:?}");
    assert!(sandbox.read("a.o") == object, "{} {args:?}", client.tool.display());
    assert_eq!(done.hit, hit, "{} {args:?}: {}", client.tool.display(), done.reason);
    if hit {
        assert_eq!(sandbox.latest().0, "preprocessed_hit");
    }
}

#[tokio::test]
async fn another_comment_in_a_header_or_the_source_is_a_hit() {
    for (tool, options) in [
        ("gcc", &[][..]),
        ("gcc", &["-g", "-O2", "-Wall", "-Wextra"]),
        ("g++", &["-x", "c++", "-g"]),
        ("clang", &["-O2", "-Wall"]),
        ("clang++", &["-x", "c++"]),
    ] {
        let sandbox = sandbox();
        let client = sandbox.client(tool);
        let args = [options, &["-c", "a.c", "-o", "a.o"]].concat();
        edited(&sandbox, &client, &args, true, || {
            sandbox
                .write("a.h", &HEADER.replace("What one is.", "What it was.").replace("and no more", "more"));
        })
        .await;
        edited(&sandbox, &client, &args, true, || {
            sandbox.write("a.c", &SOURCE.replace("here", "HERE").replace("}\n", "} // the end\n"));
        })
        .await;
    }
}

#[tokio::test]
async fn what_a_compiler_can_notice_is_a_miss() {
    let edits: [(&str, &str); 7] = [
        ("/* 2 */ 2", "/* two */ 2"),
        ("one is.", "one\n is."),
        ("// and no more", "// and \\\n no more"),
        ("// and no more", "// caf\u{e9}"),
        ("one is.", "/* one is."),
        ("(void); //", "(void) ; //"),
        ("TWO /* 2 */ 2", "TWO /* 2 */ 3"),
    ];
    for tool in ["gcc", "clang"] {
        for (from, to) in edits {
            let sandbox = sandbox();
            let client = sandbox.client(tool);
            let args = ["-g0", "-Wall", "-c", "a.c", "-o", "a.o"];
            edited(&sandbox, &client, &args, false, || sandbox.write("a.h", &HEADER.replace(from, to))).await;
        }
    }
}

#[tokio::test]
async fn a_comment_that_shows_counts() {
    let comment = |sandbox: &Sandbox| sandbox.write("a.h", &HEADER.replace("What one is.", "What it was."));
    // Clang tells the digests of all files in its debug information.
    let here = sandbox();
    let args = ["-g", "-c", "a.c", "-o", "a.o"];
    edited(&here, &here.client("clang"), &args, false, || comment(&here)).await;
    // A warning quotes its line.
    let here = sandbox();
    here.write("a.h", "static int unused; /* What one is. */\nint one(void);\n#define TWO 2\n");
    settle();
    let args = ["-Wall", "-c", "a.c", "-o", "a.o"];
    let edit = || here.write("a.h", "static int unused; /* What it was. */\nint one(void);\n#define TWO 2\n");
    edited(&here, &here.client("gcc"), &args, false, edit).await;
    // A case that falls through, and says so.
    let here = sandbox();
    let switch = "int f(int a) {\n switch (a) {\n case 1: a++;\n /* fall through */\n case 2: return a;\n }\n return 0;\n}\n";
    here.write("a.c", switch);
    settle();
    let args = ["-Wextra", "-c", "a.c", "-o", "a.o"];
    let edit = || here.write("a.c", &switch.replace("fall through", "what is this"));
    edited(&here, &here.client("gcc"), &args, false, edit).await;
    // In the oldest C these are no comments.
    for option in ["-std=c90", "-ansi"] {
        let here = sandbox();
        here.write("a.h", "#define TWO 4 //* two */ 2\nint one(void);\n");
        settle();
        let edit = || here.write("a.h", "#define TWO 4 //* 4 */ 4\nint one(void);\n");
        edited(&here, &here.client("gcc"), &[option, "-c", "a.c", "-o", "a.o"], false, edit).await;
    }
}

#[tokio::test]
async fn a_text_that_is_there_by_another_way_than_as_code_counts() {
    let sandbox = sandbox();
    sandbox.write("a.S", "#include \"a.h\"\n/* one */ .globl f\nf: ret // x\n");
    sandbox.write("a.h", "/* What one is. */\n");
    settle();
    let client = sandbox.client("gcc");
    let edit = || sandbox.write("a.h", "/* What it was. */\n");
    edited(&sandbox, &client, &["-c", "a.S", "-o", "a.o"], false, edit).await;
}

#[tokio::test]
async fn two_headers_that_become_one_text_count() {
    // GCC reads no second file with the text and the time of one that is to be read once.
    let sandbox = sandbox();
    let header = |folder: &str, comment: &str| {
        let name = format!("{folder}/a.h");
        sandbox.write(&name, &format!("#pragma once\n/* {comment} */ enum {{ NAME = __COUNTER__ }};\n"));
        let file = std::fs::File::options().append(true).open(sandbox.work().join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000)).unwrap();
    };
    header("one", "one");
    header("two", "two");
    let source = "#define NAME A\n#include \"one/a.h\"\n#undef NAME\n#define NAME B\n#include \"two/a.h\"\n\
        int f(void) { return __COUNTER__; }\n";
    sandbox.write("a.c", source);
    settle();
    let client = sandbox.client("gcc");
    let args = ["-c", "a.c", "-o", "a.o"];
    edited(&sandbox, &client, &args, false, || header("two", "one")).await;
}
