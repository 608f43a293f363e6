//! Links: whatever the linker read or looked for in vain makes a hit wrong, and must be noticed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::links::{archive, object, sandbox, shared};
use crate::sandbox::{Client, Sandbox, settle};

/// A driver's options for each linker.
const LINKERS: [&str; 4] = ["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=lld", "-fuse-ld=mold"];

/// The next call gives what the tool alone gives, for the `reason` that the lookup had; after it, a hit.
async fn noticed(sandbox: &Sandbox, client: &Client, args: &[&str], reason: &str) {
    settle();
    let done = client.compile(args).await.expect_stored(reason);
    let made = sandbox.read("app");
    assert_eq!(client.alone(args), done.seen);
    assert!(sandbox.read("app") == made, "{args:?}");
    client.compile(args).await.expect_hit();
    assert!(sandbox.read("app") == made, "{args:?}");
}

fn another_one(sandbox: &Sandbox, result: u32) {
    object(sandbox, "one", &format!("int one(void) {{ return {result}; }}\n"));
}

#[tokio::test]
async fn an_object_and_an_archives_member_count_by_content() {
    for linker in LINKERS {
        let sandbox = sandbox();
        let client = sandbox.client("gcc");
        let args = [linker, "main.o", "-L.", "-lone", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        another_one(&sandbox, 7);
        archive(&sandbox, "libone.a", &["one.o"]);
        noticed(&sandbox, &client, &args, "input_changed").await;
        object(&sandbox, "main", "int one(void);\nint main(void) { return one() + 1; }\n");
        noticed(&sandbox, &client, &args, "input_changed").await;
    }
}

#[tokio::test]
async fn a_library_that_comes_to_stand_earlier_is_noticed_and_so_is_one_that_goes() {
    for linker in LINKERS {
        let sandbox = sandbox();
        std::fs::create_dir_all(sandbox.work().join("first")).unwrap();
        let client = sandbox.client("clang");
        let args = [linker, "main.o", "-Lnone", "-Lfirst", "-L.", "-lone", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        another_one(&sandbox, 7);
        archive(&sandbox, "first/libone.a", &["one.o"]);
        noticed(&sandbox, &client, &args, "input_appeared").await;
        shared(&sandbox, "first/libone.so", &["one.o"]);
        noticed(&sandbox, &client, &args, "input_appeared").await;
        another_one(&sandbox, 8);
        std::fs::create_dir(sandbox.work().join("none")).unwrap();
        archive(&sandbox, "none/libone.a", &["one.o"]);
        noticed(&sandbox, &client, &args, "input_appeared").await;
        std::fs::remove_dir_all(sandbox.work().join("none")).unwrap();
        client.compile(&args).await.expect_hit();
        sandbox.remove("first/libone.so");
        client.compile(&args).await.expect_hit();
    }
}

#[tokio::test]
async fn a_library_of_the_system_that_is_overlaid_is_noticed() {
    for linker in LINKERS {
        let sandbox = sandbox();
        let client = sandbox.client("gcc");
        let args = [linker, "main.o", "one.o", "-L.", "-lm", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        // Nobody names this one: the driver adds it.
        archive(&sandbox, "libgcc.a", &["one.o"]);
        settle();
        let done = client.compile(&args).await;
        assert!(!done.hit && done.reason == "input_appeared", "{linker}: {done:?}");
    }
}

#[tokio::test]
async fn what_a_shared_library_needs_is_looked_for_and_counts() {
    for linker in LINKERS {
        let sandbox = sandbox();
        object(&sandbox, "two", "int two(void) { return 0; }\n");
        object(&sandbox, "use", "int two(void);\nint one(void) { return two(); }\n");
        std::fs::create_dir_all(sandbox.work().join("deep")).unwrap();
        shared(&sandbox, "deep/libtwo.so", &["two.o"]);
        shared(&sandbox, "libuse.so", &["use.o", "-Ldeep", "-ltwo"]);
        let client = sandbox.client("gcc");
        let args = [linker, "main.o", "-L.", "-luse", "-Wl,-rpath-link,early:deep", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        std::fs::create_dir_all(sandbox.work().join("early")).unwrap();
        shared(&sandbox, "early/libtwo.so", &["two.o", "one.o"]);
        settle();
        let done = client.compile(&args).await;
        assert!(!done.hit, "{linker}: {done:?}");
    }
}

#[tokio::test]
async fn scripts_and_lists_count_by_content() {
    for linker in LINKERS {
        let sandbox = sandbox();
        let client = sandbox.client("gcc");
        sandbox.write("versions", "V1 { global: one; local: *; };\n");
        let args = [linker, "-shared", "one.o", "-Wl,--version-script=versions", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        sandbox.write("versions", "V2 { global: one; local: *; };\n");
        noticed(&sandbox, &client, &args, "input_changed").await;
        sandbox.write("libtext.so", "INPUT(one.o)\n");
        let args = [linker, "main.o", "-L.", "-ltext", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        sandbox.write("libtext.so", "INPUT(libone.a)\n");
        noticed(&sandbox, &client, &args, "input_changed").await;
        another_one(&sandbox, 5);
        archive(&sandbox, "libone.a", &["one.o"]);
        noticed(&sandbox, &client, &args, "input_changed").await;
    }
}

#[tokio::test]
async fn folders_named_by_variables_are_searched() {
    for driver in ["gcc", "clang"] {
        let sandbox = sandbox();
        std::fs::create_dir_all(sandbox.work().join("env")).unwrap();
        std::fs::rename(sandbox.work().join("libone.a"), sandbox.work().join("env/libone.a")).unwrap();
        let mut client = sandbox.client(driver);
        client.env.push(("LIBRARY_PATH".into(), "early:env".into()));
        let args = ["main.o", "-lone", "-o", "app"];
        noticed(&sandbox, &client, &args, "first_seen").await;
        std::fs::create_dir_all(sandbox.work().join("early")).unwrap();
        another_one(&sandbox, 9);
        archive(&sandbox, "early/libone.a", &["one.o"]);
        settle();
        let done = client.compile(&args).await;
        assert!(!done.hit, "{driver}: {done:?}");
    }
    let sandbox = sandbox();
    let mut client = sandbox.client("gcc");
    let args = ["main.o", "one.o", "-o", "app"];
    client.compile(&args).await.expect_stored("first_seen");
    client.env.push(("LD_RUN_PATH".into(), "/somewhere".into()));
    noticed(&sandbox, &client, &args, "first_seen").await;
}

#[tokio::test]
async fn a_linker_that_comes_to_stand_first_in_the_path_is_another() {
    let sandbox = sandbox();
    let tools = sandbox.folder.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    let mut client = sandbox.client("gcc");
    client.env =
        vec![("PATH".into(), format!("{}:/usr/bin:/bin", tools.display())), ("LC_ALL".into(), "C".into())];
    let args = ["main.o", "one.o", "-o", "app"];
    noticed(&sandbox, &client, &args, "first_seen").await;
    let first = sandbox.read("app");
    std::os::unix::fs::symlink("/usr/bin/ld.gold", tools.join("ld")).unwrap();
    noticed(&sandbox, &client, &args, "first_seen").await;
    assert!(sandbox.read("app") != first);
    // A script could do anything.
    std::fs::remove_file(tools.join("ld")).unwrap();
    std::fs::write(tools.join("ld"), "#!/bin/sh\nexec /usr/bin/ld.bfd \"$@\"\n").unwrap();
    std::fs::set_permissions(tools.join("ld"), std::fs::Permissions::from_mode(0o755)).unwrap();
    settle();
    let done = client.compile(&args).await;
    assert!(!done.hit && done.reason == "linker_unknown", "{done:?}");
}

#[tokio::test]
async fn a_library_that_was_of_no_use_is_not_forgotten() {
    let sandbox = sandbox();
    std::fs::create_dir_all(sandbox.work().join("first")).unwrap();
    // An archive for another machine: linkers warn, and go on with the next.
    let mut other = sandbox.read("one.o");
    other[18] = 0xb7;
    std::fs::write(sandbox.work().join("other.o"), other).unwrap();
    archive(&sandbox, "first/libone.a", &["other.o"]);
    for linker in ["-fuse-ld=bfd", "-fuse-ld=gold", "-fuse-ld=mold"] {
        let client = sandbox.client("gcc");
        let args = [linker, "main.o", "-Lfirst", "-L.", "-lone", "-o", "app"];
        settle();
        let done = client.compile(&args).await;
        assert!(!done.hit, "{linker}: {done:?}");
        let refused = ["library_passed_by", "tool_failed"];
        assert!(done.not_stored.as_deref().is_some_and(|why| refused.contains(&why)), "{linker}: {done:?}");
    }
}

#[tokio::test]
async fn an_object_changed_while_the_linker_runs_is_not_believed() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    let args = ["main.o", "one.o", "-o", "app"];
    let disturbances: [&dyn Fn(&Path); 2] =
        [&|work| std::fs::copy(work.join("main.o"), work.join("one.o")).map(drop).unwrap(), &|work| {
            std::fs::remove_file(work.join("one.o")).unwrap()
        }];
    for disturb in disturbances {
        another_one(&sandbox, 1);
        settle();
        let larder_proto::v1::compile_reply::Reply::Run(run) = client.lookup(&args).await else {
            panic!("a hit")
        };
        let ran = client.run(&run, &args);
        disturb(&sandbox.work());
        let published = client.publish(&run, &ran).await;
        assert_eq!(published.reason, "inputs_changed_meanwhile");
    }
}
