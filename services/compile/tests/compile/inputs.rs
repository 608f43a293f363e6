//! Whatever a compiler reads decides whether its result holds.

use crate::sandbox::Sandbox;
use larder_proto::v1::compile_reply::Reply;

const ARGS: &[&str] = &["-c", "a.c", "-o", "a.o"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include \"a.h\"\nint a(void) { return A; }\n");
    sandbox.write("a.h", "#define A 1\n");
    sandbox
}

#[tokio::test]
async fn an_edited_header_is_a_miss_and_the_old_text_a_hit_again() {
    for tool in ["gcc", "clang"] {
        let sandbox = sandbox();
        let client = sandbox.client(tool);
        client.compile(ARGS).await.expect_stored("first_seen");
        let first = sandbox.read("a.o");
        sandbox.write("a.h", "#define A 2\n");
        client.compile(ARGS).await.expect_stored("input_changed");
        assert_eq!(sandbox.latest(), ("input_changed".into(), "a.h".into()));
        assert_ne!(sandbox.read("a.o"), first);
        sandbox.write("a.h", "#define A 1\n");
        client.compile(ARGS).await.expect_hit();
        assert_eq!(sandbox.read("a.o"), first);
    }
}

#[tokio::test]
async fn a_header_that_was_only_touched_is_a_hit() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    sandbox.write("a.h", "#define A 1\n");
    client.compile(ARGS).await.expect_hit();
}

#[tokio::test]
async fn a_header_that_is_gone_is_a_miss() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    sandbox.remove("a.h");
    let done = client.compile(ARGS).await.expect_not_stored("tool_failed");
    assert_eq!(done.reason, "input_vanished");
    assert_eq!(done.seen.code, 1);
}

#[tokio::test]
async fn an_edited_source_is_named_as_the_reason() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    sandbox.write("a.c", "int a(void) { return 3; }\n");
    client.compile(ARGS).await.expect_stored("input_changed");
    assert_eq!(sandbox.latest(), ("input_changed".into(), "a.c".into()));
}

#[tokio::test]
async fn edits_within_one_step_of_the_clock_are_never_missed() {
    let sandbox = Sandbox::new();
    let client = sandbox.client("gcc");
    for round in 0..20 {
        sandbox.write("a.c", &format!("int a(void) {{ return {}; }}\n", round % 10));
        client.compile_at_once(ARGS).await;
        let object = sandbox.read("a.o");
        client.alone(ARGS);
        assert_eq!(object, sandbox.read("a.o"), "round {round}");
    }
}

#[tokio::test]
async fn a_header_written_while_the_compiler_runs_is_not_believed() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    crate::sandbox::settle();
    let Reply::Run(run) = client.lookup(ARGS).await else { panic!("a hit in an empty store") };
    let ran = client.run(&run, ARGS);
    sandbox.write("a.h", "#define A 7\n");
    let published = client.publish(&run, &ran).await;
    assert_eq!((published.stored, published.reason.as_str()), (false, "inputs_changed_meanwhile"));
    assert_eq!(sandbox.latest().1, "a.h");
    client.compile(ARGS).await.expect_stored("first_seen");
}

#[tokio::test]
async fn a_source_edited_between_the_question_and_the_compiler_is_not_believed() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    let Reply::Run(run) = client.lookup(ARGS).await else { panic!("a hit in an empty store") };
    sandbox.write("a.c", "int other;\n");
    crate::sandbox::settle();
    let ran = client.run(&run, ARGS);
    let published = client.publish(&run, &ran).await;
    assert_eq!((published.stored, published.reason.as_str()), (false, "inputs_changed_meanwhile"));
}

#[tokio::test]
async fn a_folder_switched_while_the_compiler_runs_is_not_believed() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include <v.h>\nint v = V;\n");
    sandbox.write("v1/v.h", "#define V 1\n");
    sandbox.write("v2/v.h", "#define V 2\n");
    let link = sandbox.work().join("inc");
    std::os::unix::fs::symlink("v1", &link).unwrap();
    let args = ["-Iinc", "-c", "a.c", "-o", "a.o"];
    let client = sandbox.client("gcc");
    crate::sandbox::settle();
    let Reply::Run(run) = client.lookup(&args).await else { panic!("a hit in an empty store") };
    let ran = client.run(&run, &args);
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("v2", &link).unwrap();
    let published = client.publish(&run, &ran).await;
    assert_eq!((published.stored, published.reason.as_str()), (false, "inputs_changed_meanwhile"));
}

#[tokio::test]
async fn times_in_the_text_are_not_cached() {
    for text in
        ["const char *t = __TIME__;\n", "const char *t = __DATE__;\n", "const char *t = __TIMESTAMP__;\n"]
    {
        let sandbox = Sandbox::new();
        sandbox.write("a.c", text);
        sandbox.client("gcc").compile(ARGS).await.expect_not_stored("time_macro");
    }
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "const char *t = T;\n");
    sandbox
        .client("gcc")
        .compile(&["-DT=__TIME__", "-c", "a.c", "-o", "a.o"])
        .await
        .expect_not_stored("time_macro");
}

#[tokio::test]
async fn a_file_that_the_assembler_reads_is_not_cached() {
    let sandbox = Sandbox::new();
    sandbox.write("data", "x");
    sandbox.write("a.c", "__asm__(\".incbin \\\"data\\\"\");\n");
    sandbox.client("gcc").compile(ARGS).await.expect_not_stored("assembler_input");
}

#[tokio::test]
async fn a_forced_header_is_an_input() {
    for tool in ["gcc", "clang"] {
        let sandbox = Sandbox::new();
        sandbox.write("a.c", "int a(void) { return A; }\n");
        sandbox.write("inc/force.h", "#define A 1\n");
        let client = sandbox.client(tool);
        let args = ["-Iinc", "-include", "force.h", "-c", "a.c", "-o", "a.o"];
        client.compile(&args).await.expect_stored("first_seen");
        client.compile(&args).await.expect_hit();
        sandbox.write("force.h", "#define A 2\n");
        client.compile(&args).await.expect_stored("input_appeared");
        assert_eq!(sandbox.latest().1, "force.h");
    }
}

#[tokio::test]
async fn a_precompiled_header_is_not_cached() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    assert_eq!(client.alone(&["-x", "c-header", "a.h", "-o", "a.h.gch"]).code, 0);
    let done = client.compile(ARGS).await.expect_not_stored("precompiled_header");
    assert_eq!(done.reason, "input_appeared");
}

#[tokio::test]
async fn a_caller_with_other_files_is_not_served() {
    let sandbox = sandbox();
    let mut client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    client.view = (9, 2, 3);
    client.compile(ARGS).await.expect_not_stored("other_filesystem_view");
}

#[tokio::test]
async fn variables_that_write_files_are_not_cached_and_are_named() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc").with("DEPENDENCIES_OUTPUT", "deps");
    client.compile(ARGS).await.expect_not_stored("environment_uncacheable");
    assert_eq!(sandbox.latest().1, "DEPENDENCIES_OUTPUT");
}

#[tokio::test]
async fn folders_named_by_a_variable_are_searched() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include <v.h>\nint v = V;\n");
    sandbox.write("inc/v.h", "#define V 1\n");
    sandbox.write("early/unused.h", "");
    let path = format!("{0}/early:{0}/inc", sandbox.work().display());
    let client = sandbox.client("gcc").with("CPATH", &path);
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    sandbox.write("early/v.h", "#define V 2\n");
    client.compile(ARGS).await.expect_stored("input_appeared");
}

#[tokio::test]
async fn what_is_another_file_for_each_process_is_no_input() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    for source in ["/dev/stdin", "/proc/self/fd/0", "/dev/fd/0"] {
        let args = ["-x", "c", "-c", source, "-o", "a.o"];
        client.compile(&args).await.expect_not_stored("input_not_a_file");
        client.compile(&args).await.expect_not_stored("input_not_a_file");
    }
    client.compile(&["@/dev/fd/0"]).await.expect_not_stored("response_file");
}
