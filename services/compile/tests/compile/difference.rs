//! A miss says what differs from the call before for the same object.

use crate::sandbox::Sandbox;

#[tokio::test]
async fn a_changed_option_variable_or_compiler_is_named_and_no_value_of_a_variable_is() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int a;\n");
    let client = sandbox.client("gcc");
    client.compile(&["-O1", "-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    assert_eq!(sandbox.latest().1, "", "nothing was there before");
    client.compile(&["-O2", "-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
    assert_eq!(sandbox.latest().1, "without -O1, with -O2");
    let args = &["-O2", "-c", "a.c", "-o", "a.o"];
    client.clone().with("CPATH", "/secret").compile(args).await.expect_stored("first_seen");
    let detail = sandbox.latest().1;
    assert!(detail.ends_with("variable CPATH") && !detail.contains("secret"), "{detail}");
    client.clone().with("TMPDIR", "/tmp").compile(args).await.expect_hit();
    sandbox.client("clang").compile(args).await.expect_stored("first_seen");
    assert_eq!(sandbox.latest().1, "another compiler");
    // Another object from the same source, and what else is in a key.
    let client = sandbox.client("gcc");
    client.compile(&["-O3", "-c", "a.c", "-o", "b.o"]).await.expect_stored("first_seen");
    assert_eq!(sandbox.latest().1, "another compiler, without -O2, with -O3");
    for object in ["c.o", "d.o"] {
        client.compile(&["-MD", "-O3", "-c", "a.c", "-o", object]).await.expect_stored("first_seen");
        assert_eq!(sandbox.latest().1, "other names of outputs");
    }
    client.compile(&["-g", "-c", "a.c", "-o", "e.o"]).await.expect_stored("first_seen");
    let alias = sandbox.work().join(".").display().to_string();
    client
        .clone()
        .with("PWD", &alias)
        .compile(&["-g", "-c", "a.c", "-o", "e.o"])
        .await
        .expect_stored("first_seen");
    assert_eq!(sandbox.latest().1, "variable PWD");
    let recorded = ["-frecord-gcc-switches", "-c", "a.c", "-o"];
    client.compile(&[&recorded[..], &["f.o"]].concat()).await.expect_stored("first_seen");
    client.compile(&[&recorded[..], &["g.o"]].concat()).await.expect_stored("first_seen");
    assert_eq!(sandbox.latest().1, "the command line, which shows");
}
