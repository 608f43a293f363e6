//! Arguments that stand in files.

use larder_proto::v1::compile_reply::Reply;

use crate::sandbox::Sandbox;

#[tokio::test]
async fn arguments_from_a_file_hit_until_the_file_says_something_else() {
    for tool in ["gcc", "clang"] {
        let sandbox = Sandbox::new();
        sandbox.write("a.c", "int a = A;\n");
        sandbox.write("outer", "-O1 @inner -c a.c -o a.o\n");
        sandbox.write("inner", "-DA='1 + 1'\n");
        let client = sandbox.client(tool);
        let alone = client.alone(&["@outer"]);
        assert_eq!(alone.code, 0, "{alone:?}");
        let object = sandbox.read("a.o");
        client.compile(&["@outer"]).await.expect_stored("first_seen");
        client.compile(&["@outer"]).await.expect_hit();
        assert!(sandbox.read("a.o") == object, "{tool}");
        sandbox.write("inner", "-DA=3\n");
        client.compile(&["@outer"]).await.expect_stored("first_seen");
        assert!(sandbox.read("a.o") != object, "{tool}");
        // The same arguments are the same call, wherever they stand.
        client.compile(&["-O1", "-DA=3", "-c", "a.c", "-o", "a.o"]).await.expect_hit();
    }
}

#[tokio::test]
async fn a_response_file_that_changes_while_the_compiler_runs_is_not_believed() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int a = A;\n");
    sandbox.write("args", "-DA=1 -c a.c -o a.o\n");
    let client = sandbox.client("gcc");
    let Reply::Run(run) = client.lookup(&["@args"]).await else { panic!("a hit in an empty store") };
    sandbox.write("args", "-DA=2 -c a.c -o a.o\n");
    let ran = client.run(&run, &["@args"]);
    assert_eq!(client.publish(&run, &ran).await.reason, "inputs_changed_meanwhile");
}

#[tokio::test]
async fn inputs_are_learned_also_where_nothing_may_be_added_to_the_command_line() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#include \"a.h\"\nint a = A;\n");
    sandbox.write("a.h", "#define A 1\n");
    sandbox.write("args", "-frecord-gcc-switches -MMD -c a.c -o a.o\n");
    let client = sandbox.client("gcc");
    client.compile(&["@args"]).await.expect_stored("first_seen");
    client.compile(&["@args"]).await.expect_hit();
    sandbox.write("a.h", "#define A 2\n");
    client.compile(&["@args"]).await.expect_stored("input_changed");
}
