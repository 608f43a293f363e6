//! What the compiler says and how it ends.

use crate::sandbox::Sandbox;

const ARGS: &[&str] = &["-Wall", "-c", "a.c", "-o", "a.o"];

#[tokio::test]
async fn warnings_are_said_again_on_a_hit() {
    for tool in ["gcc", "clang"] {
        let sandbox = Sandbox::new();
        sandbox.write("a.c", "int a(void) { int unused; return 1; }\n");
        let client = sandbox.client(tool);
        let alone = client.alone(ARGS);
        assert!(!alone.stderr.is_empty());
        assert_eq!(client.compile(ARGS).await.expect_stored("first_seen").seen, alone);
        assert_eq!(client.compile(ARGS).await.expect_hit().seen, alone);
    }
}

#[tokio::test]
async fn a_failing_compile_fails_each_time_and_is_not_stored() {
    for tool in ["gcc", "clang"] {
        let sandbox = Sandbox::new();
        sandbox.write("a.c", "int a(void) { return nothing; }\n");
        let client = sandbox.client(tool);
        let alone = client.alone(ARGS);
        for _ in 0..2 {
            let done = client.compile(ARGS).await.expect_not_stored("tool_failed");
            assert_eq!(done.seen, alone);
        }
        assert_eq!(sandbox.leftovers(), 0);
        assert_eq!(sandbox.stats().uncacheable, 2);
    }
}

#[tokio::test]
async fn a_link_is_no_compile_and_one_record() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int main(void) { return 0; }\n");
    let client = sandbox.client("gcc");
    client.compile(&["a.c", "-o", "a"]).await.expect_not_stored("not_a_compile");
    assert_eq!(sandbox.stats().bypasses, 1);
}

#[tokio::test]
async fn each_call_is_counted_once() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int a;\n");
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    let stats = sandbox.stats();
    assert_eq!((stats.hits, stats.misses, stats.uncacheable, stats.errors, stats.bypasses), (1, 1, 0, 0, 0));
    assert_eq!(stats.avoided_us, 1000);
}
