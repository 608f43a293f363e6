//! Assembly, with and without a preprocessor.

use crate::sandbox::Sandbox;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.s", ".text\n.globl f\nf:\n\tret\n");
    sandbox.write("a.S", "#include \"a.h\"\n.text\n.globl NAME\nNAME:\n\tret\n");
    sandbox.write("a.h", "#define NAME g\n");
    sandbox
}

#[tokio::test]
async fn both_kinds_hit_with_the_assemblers_own_object() {
    for tool in ["gcc", "clang"] {
        let sandbox = sandbox();
        let client = sandbox.client(tool);
        for source in ["a.s", "a.S"] {
            for options in [&[][..], &["-g"], &["-Wa,--noexecstack"], &["-x", "assembler-with-cpp"]] {
                let args = [options, &["-c", source, "-o", "a.o"]].concat();
                let alone = client.alone(&args);
                assert_eq!(alone.code, 0, "{tool} {args:?}: {}", String::from_utf8_lossy(&alone.stderr));
                let object = sandbox.read("a.o");
                assert_eq!(client.compile(&args).await.expect_stored("first_seen").seen, alone);
                assert!(sandbox.read("a.o") == object, "{tool} {args:?}");
                assert_eq!(client.compile(&args).await.expect_hit().seen, alone);
                assert!(sandbox.read("a.o") == object, "{tool} {args:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_edited_header_and_an_edited_source_are_noticed() {
    for tool in ["gcc", "clang"] {
        let sandbox = sandbox();
        let client = sandbox.client(tool);
        client.compile(&["-c", "a.S", "-o", "a.o"]).await.expect_stored("first_seen");
        sandbox.write("a.h", "#define NAME h\n");
        client.compile(&["-c", "a.S", "-o", "a.o"]).await.expect_stored("input_changed");
        client.compile(&["-c", "a.s", "-o", "a.o"]).await.expect_stored("first_seen");
        sandbox.write("a.s", ".text\n.globl e\ne:\n\tret\n");
        client.compile(&["-c", "a.s", "-o", "a.o"]).await.expect_stored("input_changed");
    }
}

#[tokio::test]
async fn what_the_assembler_reads_by_itself_makes_the_call_uncacheable() {
    let sandbox = sandbox();
    sandbox.write("data", "bytes");
    for (name, text) in [
        ("b.s", ".data\n.incbin \"data\"\n"),
        ("c.s", "l:.include \"a.s\"\n"),
        ("d.s", ".macro put file\n.incbin \"\\file\"\n.endm\nput data\n"),
        ("f.s", ".data\n.INCBIN \"data\"\n"),
        ("e.S", "#define PUT .incbin\nPUT \"data\"\n"),
    ] {
        sandbox.write(name, text);
        for tool in ["gcc", "clang"] {
            let client = sandbox.client(tool);
            let done = client.compile(&["-c", name, "-o", "x.o"]).await.expect_not_stored("assembler_input");
            assert_eq!(done.seen.code, 0, "{tool} {name}: {}", String::from_utf8_lossy(&done.seen.stderr));
        }
    }
    let hidden = ["-DPUT=.incbin", "-c", "a.S", "-o", "x.o"];
    sandbox.client("gcc").compile(&hidden).await.expect_not_stored("assembler_input");
}

#[tokio::test]
async fn a_dependency_file_is_written_only_where_there_is_a_preprocessor() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    for (source, written) in [("a.s", false), ("a.S", true)] {
        let args = ["-MD", "-MF", "a.d", "-c", source, "-o", "a.o"];
        client.compile(&args).await.expect_stored("first_seen");
        assert_eq!(sandbox.work().join("a.d").exists(), written, "{source}");
        client.compile(&args).await.expect_hit();
        assert_eq!(sandbox.work().join("a.d").exists(), written, "{source}");
    }
    sandbox.client("clang").compile(&["-MD", "-c", "a.s"]).await.expect_not_stored("option_uncacheable");
}
