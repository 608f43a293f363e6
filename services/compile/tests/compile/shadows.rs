//! A file that appears where the compiler looked in vain changes what it would read.

use crate::sandbox::Sandbox;

const ARGS: &[&str] = &["-Iearly", "-Ilate", "-c", "a.c", "-o", "a.o"];

#[tokio::test]
async fn a_header_that_appears_earlier_on_the_path_is_noticed() {
    for tool in ["gcc", "clang"] {
        // What is there before: nothing, the folder that is searched, the one in it, and a file in its place.
        for before in [None, Some("early/other.h"), Some("early/sub/other.h"), Some("early/sub")] {
            let sandbox = Sandbox::new();
            sandbox.write("a.c", "#include <sub/v.h>\nint v = V;\n");
            sandbox.write("late/sub/v.h", "#define V 1\n");
            if let Some(before) = before {
                sandbox.write(before, "");
            }
            let client = sandbox.client(tool);
            client.compile(ARGS).await.expect_stored("first_seen");
            for _ in 0..2 {
                client.compile(ARGS).await.expect_hit();
            }
            if before == Some("early/sub") {
                sandbox.remove("early/sub");
            }
            sandbox.write("early/sub/v.h", "#define V 2\n");
            client.compile(ARGS).await.expect_stored("input_appeared");
            assert_eq!(sandbox.latest().1, "early/sub/v.h");
            let object = sandbox.read("a.o");
            client.alone(ARGS);
            assert_eq!(object, sandbox.read("a.o"));
        }
    }
}

#[tokio::test]
async fn one_call_reads_in_each_folder_what_lies_there() {
    let sandbox = Sandbox::new();
    let folders = ["one", "two"];
    for (folder, value) in folders.into_iter().zip(1..) {
        sandbox.write(&format!("{folder}/a.c"), "#include \"v.h\"\nint v = V;\n");
        sandbox.write(&format!("{folder}/v.h"), &format!("#define V {value}\n"));
    }
    let args = ["-c", "a.c", "-o", "a.o"];
    let client = |folder| sandbox.client("gcc").in_folder(sandbox.work().join(folder));
    let objects = folders.map(|folder| {
        client(folder).alone(&args);
        sandbox.read(&format!("{folder}/a.o"))
    });
    assert_ne!(objects[0], objects[1]);
    // The second hit is told by what the first had looked at.
    for round in 0..3 {
        for (folder, object) in folders.iter().zip(&objects) {
            let done = client(folder).compile(&args).await;
            if round == 0 {
                let why = if *folder == "one" { "first_seen" } else { "input_changed" };
                done.expect_stored(why);
            } else {
                done.expect_hit();
            }
            assert_eq!(&sandbox.read(&format!("{folder}/a.o")), object, "{folder}");
        }
    }
}

#[tokio::test]
async fn a_header_that_appears_where_a_link_led_nowhere_is_noticed() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include <sub/v.h>\nint v = V;\n");
    sandbox.write("late/sub/v.h", "#define V 1\n");
    sandbox.write("early/other.h", "");
    std::os::unix::fs::symlink("../elsewhere", sandbox.work().join("early/sub")).expect("ours");
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    sandbox.write("elsewhere/v.h", "#define V 2\n");
    client.compile(ARGS).await.expect_stored("input_appeared");
}

#[tokio::test]
async fn a_header_that_appears_within_the_same_step_of_the_clock_is_noticed() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include <v.h>\nint v = V;\n");
    sandbox.write("late/v.h", "#define V 1\n");
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    for round in 0..20 {
        sandbox.write("early/other.h", "");
        client.compile_at_once(ARGS).await.expect_hit();
        sandbox.write("early/v.h", "#define V 2\n");
        let done = client.compile_at_once(ARGS).await;
        assert!(!done.hit || round > 0, "a stale hit");
        let object = sandbox.read("a.o");
        client.alone(ARGS);
        assert_eq!(object, sandbox.read("a.o"), "round {round}");
        sandbox.remove("early/v.h");
    }
}

#[tokio::test]
async fn a_header_beside_the_including_file_shadows_the_search_folders() {
    for tool in ["gcc", "clang"] {
        let sandbox = Sandbox::new();
        sandbox.write("src/a.c", "#include \"v.h\"\nint v = V;\n");
        sandbox.write("late/v.h", "#define V 1\n");
        let args = ["-Ilate", "-c", "src/a.c", "-o", "a.o"];
        let client = sandbox.client(tool);
        client.compile(&args).await.expect_stored("first_seen");
        client.compile(&args).await.expect_hit();
        sandbox.write("src/v.h", "#define V 2\n");
        client.compile(&args).await.expect_stored("input_appeared");
    }
}

#[tokio::test]
async fn a_file_that_is_only_tested_for_is_noticed_when_it_comes_and_when_it_goes() {
    for tool in ["gcc", "clang"] {
        let sandbox = Sandbox::new();
        sandbox.write("a.c", "#if __has_include(\"opt.h\")\nint v = 1;\n#else\nint v = 2;\n#endif\n");
        sandbox.write("early/x.h", "");
        let client = sandbox.client(tool);
        client.compile(ARGS).await.expect_stored("first_seen");
        let without = sandbox.read("a.o");
        client.compile(ARGS).await.expect_hit();
        sandbox.write("early/opt.h", "");
        client.compile(ARGS).await.expect_stored("input_appeared");
        assert_ne!(sandbox.read("a.o"), without);
        client.compile(ARGS).await.expect_hit();
        sandbox.remove("early/opt.h");
        client.compile(ARGS).await.expect_hit();
        assert_eq!(sandbox.read("a.o"), without);
    }
}

#[tokio::test]
async fn a_computed_include_is_followed_by_the_name_it_must_have_had() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#define NAME <sub/v.h>\n#include NAME\nint v = V;\n");
    sandbox.write("late/sub/v.h", "#define V 1\n");
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    sandbox.write("early/sub/v.h", "#define V 2\n");
    client.compile(ARGS).await.expect_stored("input_appeared");
}

#[tokio::test]
async fn a_folder_of_a_headers_name_does_not_stand_in_the_way() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include <v>\nint v = V;\n");
    sandbox.write("early/v/x.h", "");
    sandbox.write("late/v", "#define V 1\n");
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    std::fs::remove_dir_all(sandbox.work().join("early/v")).unwrap();
    sandbox.write("early/v", "#define V 2\n");
    client.compile(ARGS).await.expect_stored("input_vanished");
    client.compile(ARGS).await.expect_hit();
}

#[tokio::test]
async fn a_header_that_is_tested_for_by_another_name_of_the_test_is_noticed() {
    for definition in ["#define HAS __has_include\n", "#define HAS(x) __has_include(x)\n"] {
        for tool in ["gcc", "clang"] {
            let sandbox = Sandbox::new();
            sandbox.write("late/has.h", definition);
            sandbox.write(
                "a.c",
                "#include <has.h>\n#if HAS(<extra.h>)\nint with;\n#else\nint without;\n#endif\n",
            );
            let client = sandbox.client(tool);
            client.compile(ARGS).await.expect_stored("first_seen");
            client.compile(ARGS).await.expect_hit();
            sandbox.write("early/extra.h", "");
            client.compile(ARGS).await.expect_stored("input_appeared");
            sandbox.remove("early/extra.h");
            client.compile(ARGS).await.expect_hit();
        }
    }
}
