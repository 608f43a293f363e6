//! Clients that ask for the same compile at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_proto::v1::compile_reply::Reply;

use crate::sandbox::{Sandbox, settle};

const ARGS: &[&str] = &["-c", "a.c", "-o", "a.o"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int a(void) { return 1; }\n");
    settle();
    sandbox
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_clients_at_once_compile_once() {
    let sandbox = sandbox();
    let runs = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..20)
        .map(|number| {
            let (client, runs) = (sandbox.client("gcc"), Arc::clone(&runs));
            tokio::spawn(async move {
                let object = format!("{number}.o");
                let done = client.compile(&["-O2", "-c", "a.c", "-o", &object]).await;
                runs.fetch_add(usize::from(!done.hit), Ordering::Relaxed);
                object
            })
        })
        .collect();
    let mut objects = Vec::new();
    for task in tasks {
        objects.push(sandbox.read(&task.await.unwrap()));
    }
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    assert!(objects.iter().all(|object| *object == objects[0]));
    let stats = sandbox.stats();
    assert_eq!((stats.hits, stats.misses), (19, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closed_under_its_lease_lets_the_next_one_run() {
    let sandbox = sandbox();
    let (first, second) = (sandbox.client("gcc"), sandbox.client("gcc"));
    let Reply::Run(run) = first.lookup(ARGS).await else { panic!("a hit in an empty store") };
    assert_ne!(run.lease, 0);
    let waiting = tokio::spawn(async move { second.compile(ARGS).await });
    first.close();
    // The tool of a client that was killed may live on, and write over what this one made.
    waiting.await.unwrap().expect_not_stored("inputs_changed_meanwhile");
    assert_eq!(first.publish(&run, &first.run(&run, ARGS)).await.reason, "lease_lost");
    sandbox.client("gcc").compile(ARGS).await.expect_stored("first_seen");
    let stats = sandbox.stats();
    assert_eq!((stats.bypasses, stats.uncacheable, stats.misses), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_lease_lets_the_next_one_run() {
    let sandbox = sandbox();
    let (first, second) = (sandbox.client("gcc"), sandbox.client("gcc"));
    let Reply::Run(run) = first.lookup(ARGS).await else { panic!("a hit in an empty store") };
    let waiting = tokio::spawn(async move { second.compile(ARGS).await });
    first.abandon(&run).await;
    waiting.await.unwrap().expect_stored("first_seen");
}

#[tokio::test]
async fn a_client_that_gives_up_waiting_leaves_no_trace() {
    let sandbox = sandbox();
    let (first, second) = (sandbox.client("gcc"), sandbox.client("gcc"));
    let Reply::Run(run) = first.lookup(ARGS).await else { panic!("a hit in an empty store") };
    let waiting = tokio::time::timeout(std::time::Duration::from_millis(50), second.lookup(ARGS));
    assert!(waiting.await.is_err(), "it waits for the first");
    second.close();
    let ran = first.run(&run, ARGS);
    assert!(first.publish(&run, &ran).await.stored);
    let stats = sandbox.stats();
    assert_eq!((stats.misses, stats.bypasses, stats.hits), (1, 0, 0));
}

#[tokio::test]
async fn a_connection_that_asks_again_does_not_wait_for_itself() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    let Reply::Run(first) = client.lookup(ARGS).await else { panic!("a hit in an empty store") };
    let Reply::Run(second) = client.lookup(ARGS).await else { panic!("a hit in an empty store") };
    assert_ne!(first.lease, second.lease);
    assert_eq!(sandbox.latest().0, "lease_lost");
    let ran = client.run(&second, ARGS);
    assert!(client.publish(&second, &ran).await.stored);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_tools_that_write_one_object_at_once_nothing_is_kept() {
    let sandbox = sandbox();
    let (first, second) = (sandbox.client("gcc"), sandbox.client("gcc"));
    let one = &["-DONE", "-c", "a.c", "-o", "a.o"];
    let two = &["-g", "-DTWO", "-c", "a.c", "-o", "a.o"];
    let Reply::Run(run_one) = first.lookup(one).await else { panic!("a hit in an empty store") };
    let ran_one = first.run(&run_one, one);
    let Reply::Run(run_two) = second.lookup(two).await else { panic!("a hit in an empty store") };
    let ran_two = second.run(&run_two, two);
    // The object is the second's by now; it could as well be the other way round.
    assert_eq!(first.publish(&run_one, &ran_one).await.reason, "inputs_changed_meanwhile");
    assert_eq!(second.publish(&run_two, &ran_two).await.reason, "inputs_changed_meanwhile");
    first.compile(one).await.expect_stored("first_seen");
    let object = sandbox.read("a.o");
    // One that is restored meanwhile.
    let Reply::Run(run_two) = second.lookup(two).await else { panic!("nothing was to be kept") };
    let ran_two = second.run(&run_two, two);
    first.compile(one).await.expect_hit();
    assert_eq!(second.publish(&run_two, &ran_two).await.reason, "inputs_changed_meanwhile");
    second.compile(two).await.expect_stored("first_seen");
    assert_ne!(object, sandbox.read("a.o"));
    first.compile(one).await.expect_hit();
    assert_eq!(object, sandbox.read("a.o"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_made_that_did_not_wait_for_its_publish_is_not_stored() {
    let sandbox = Sandbox::new();
    // Large enough for the client to be gone before it is read.
    sandbox.write("a.c", "char a[16 << 20] = { 1 };\n");
    settle();
    let client = sandbox.client("gcc");
    let Reply::Run(run) = client.lookup(ARGS).await else { panic!("a hit in an empty store") };
    let ran = client.run(&run, ARGS);
    let gave_up = tokio::time::timeout(std::time::Duration::ZERO, client.publish(&run, &ran)).await;
    assert!(gave_up.is_err(), "it does not wait");
    client.close();
    // The next one waits until it has been decided on.
    sandbox.client("gcc").compile(ARGS).await.expect_stored("first_seen");
    let stats = sandbox.stats();
    assert_eq!((stats.misses, stats.bypasses, stats.hits), (1, 1, 0));
}
