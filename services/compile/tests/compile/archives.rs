//! Archives: what a hit gives back is what the archiver gives, and every file of the call counts.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use larder_proto::v1::WriteStyle;
use larder_proto::v1::compile_reply::Reply;

use crate::sandbox::{Client, Sandbox, settle};

/// Both families' `ar` and `ranlib`.
const TOOLS: &[(&str, &str)] = &[("ar", "ranlib"), ("llvm-ar", "llvm-ranlib")];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    for (name, text) in [("a", "int a(void) { return 1; }\n"), ("b", "int b(void) { return 2; }\n")] {
        object(&sandbox, name, text);
    }
    sandbox
}

fn object(sandbox: &Sandbox, name: &str, text: &str) {
    let source = format!("{name}.c");
    sandbox.write(&source, text);
    let object = format!("{name}.o");
    assert_eq!(sandbox.client("gcc").alone(&["-c", &source, "-o", &object]).code, 0);
}

fn mode(sandbox: &Sandbox, name: &str) -> u32 {
    sandbox.work().join(name).metadata().unwrap().permissions().mode() & 0o7777
}

/// Cold, then warm, both against the tool alone; before each, `before` makes things as they must be.
async fn twice(sandbox: &Sandbox, client: &Client, args: &[&str], before: impl Fn()) {
    before();
    let alone = client.alone(args);
    assert_eq!(alone.code, 0, "{}", String::from_utf8_lossy(&alone.stderr));
    let expected = (sandbox.read("x.a"), mode(sandbox, "x.a"));
    for first in [true, false] {
        before();
        let done = client.compile(args).await;
        let done = if first { done.expect_stored("first_seen") } else { done.expect_hit() };
        assert_eq!(done.seen, alone);
        assert_eq!(mode(sandbox, "x.a"), expected.1, "{args:?}");
        assert!(sandbox.read("x.a") == expected.0, "the archive differs: {args:?}, cold: {first}");
    }
    assert_eq!(sandbox.leftovers(), 0);
}

fn without(sandbox: &Sandbox) -> impl Fn() {
    let archive = sandbox.work().join("x.a");
    move || {
        let _ = std::fs::remove_file(&archive);
    }
}

/// There is an archive, of mode 0640 and with `members`.
fn with<'a>(sandbox: &'a Sandbox, client: &'a Client, members: &'a [&str]) -> impl Fn() + 'a {
    move || {
        without(sandbox)();
        assert_eq!(client.alone(&[&["qcS", "x.a"], members].concat()).code, 0);
        std::fs::set_permissions(sandbox.work().join("x.a"), std::fs::Permissions::from_mode(0o640)).unwrap();
    }
}

#[tokio::test]
async fn cold_and_warm_archives_are_the_archivers_own() {
    for (ar, _) in TOOLS {
        for letters in ["rc", "rcs", "-rcs", "crsD", "qc", "qcs", "rcS"] {
            let sandbox = sandbox();
            let args = [letters, "x.a", "a.o", "b.o"];
            twice(&sandbox, &sandbox.client(ar), &args, without(&sandbox)).await;
        }
    }
}

#[tokio::test]
async fn members_of_one_name_are_kept_apart() {
    for (ar, _) in TOOLS {
        for letters in ["rcs", "qcs"] {
            let sandbox = sandbox();
            std::fs::create_dir(sandbox.work().join("d")).unwrap();
            std::fs::copy(sandbox.work().join("b.o"), sandbox.work().join("d/a.o")).unwrap();
            let args = [letters, "x.a", "a.o", "d/a.o"];
            twice(&sandbox, &sandbox.client(ar), &args, without(&sandbox)).await;
        }
    }
}

#[tokio::test]
async fn long_names_and_members_that_are_no_objects_are_kept() {
    for (ar, _) in TOOLS {
        let sandbox = sandbox();
        sandbox.write("a-name-of-more-than-sixteen-bytes.txt", "odd");
        let args = ["rcs", "x.a", "a.o", "a-name-of-more-than-sixteen-bytes.txt"];
        twice(&sandbox, &sandbox.client(ar), &args, without(&sandbox)).await;
    }
}

#[tokio::test]
async fn an_existing_archive_is_added_to_and_keeps_the_mode_that_the_tool_would_leave() {
    for (ar, _) in TOOLS {
        for args in [&["rcs", "x.a", "b.o"][..], &["rcs", "x.a", "a.o"], &["qc", "x.a", "a.o"]] {
            let sandbox = sandbox();
            let client = sandbox.client(ar);
            twice(&sandbox, &client, args, with(&sandbox, &client, &["a.o"])).await;
        }
    }
}

#[tokio::test]
async fn an_index_is_made_of_the_archive_that_is_there() {
    for (ar, ranlib) in TOOLS {
        for args in [&["x.a"][..], &["-D", "x.a"]] {
            let sandbox = sandbox();
            let (ar, ranlib) = (sandbox.client(ar), sandbox.client(ranlib));
            twice(&sandbox, &ranlib, args, with(&sandbox, &ar, &["a.o", "b.o"])).await;
            with(&sandbox, &ar, &["b.o"])();
            ranlib.compile(args).await.expect_stored("input_changed");
        }
    }
}

#[tokio::test]
async fn only_the_archiver_that_writes_in_place_has_the_file_kept() {
    for (ar, style) in [("ar", WriteStyle::Keep), ("llvm-ar", WriteStyle::Replace)] {
        let sandbox = sandbox();
        let client = sandbox.client(ar);
        let args = ["rcs", "x.a", "b.o"];
        with(&sandbox, &client, &["a.o"])();
        client.compile(&args).await.expect_stored("first_seen");
        with(&sandbox, &client, &["a.o"])();
        settle();
        let Reply::Hit(hit) = client.lookup(&args).await else { panic!("no hit") };
        assert_eq!(hit.outputs[0].style(), style);
    }
}

#[tokio::test]
async fn every_file_and_its_place_count() {
    let sandbox = sandbox();
    let client = sandbox.client("ar");
    let args = ["rcs", "x.a", "a.o", "b.o"];
    client.compile(&args).await.expect_stored("first_seen");
    sandbox.remove("x.a");
    client.compile(&["rcs", "x.a", "b.o", "a.o"]).await.expect_stored("first_seen");
    sandbox.remove("x.a");
    object(&sandbox, "b", "int b(void) { return 3; }\n");
    client.compile(&args).await.expect_stored("input_changed");
    let changed = sandbox.read("x.a");
    client.compile(&args).await.expect_stored("input_changed");
    sandbox.remove("x.a");
    client.compile(&args).await.expect_hit();
    assert_eq!(sandbox.read("x.a"), changed);
    client.compile(&["rcs", "y.a", "./a.o", "./b.o"]).await.expect_hit();
    assert_eq!(sandbox.read("y.a"), changed);
}

#[tokio::test]
async fn a_plugin_that_the_archiver_finds_makes_it_another() {
    let sandbox = sandbox();
    let ar = sandbox.work().join("bin/ar");
    std::fs::create_dir_all(ar.parent().unwrap()).unwrap();
    std::fs::copy("/usr/bin/ar", &ar).unwrap();
    let client = sandbox.client(ar.to_str().unwrap());
    let args = ["rcs", "x.a", "a.o"];
    twice(&sandbox, &client, &args, without(&sandbox)).await;
    let plugins = sandbox.work().join("lib/bfd-plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::copy("/usr/lib/bfd-plugins/liblto_plugin.so", plugins.join("a.so")).unwrap();
    sandbox.remove("x.a");
    client.compile(&args).await.expect_stored("first_seen");
    sandbox.remove("x.a");
    std::fs::remove_dir_all(&plugins).unwrap();
    client.compile(&args).await.expect_hit();
}

#[tokio::test]
async fn times_and_rights_of_a_member_do_not_matter() {
    for (ar, _) in TOOLS {
        let sandbox = sandbox();
        let client = sandbox.client(ar);
        let args = ["rcs", "x.a", "a.o"];
        client.compile(&args).await.expect_stored("first_seen");
        sandbox.remove("x.a");
        let member = sandbox.work().join("a.o");
        std::fs::write(&member, sandbox.read("a.o")).unwrap();
        std::fs::set_permissions(&member, std::fs::Permissions::from_mode(0o711)).unwrap();
        client.compile(&args).await.expect_hit();
        let restored = sandbox.read("x.a");
        sandbox.remove("x.a");
        client.alone(&args);
        assert_eq!(sandbox.read("x.a"), restored);
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_named() {
    let sandbox = sandbox();
    for (ar, _) in TOOLS {
        let client = sandbox.client(ar);
        for (args, reason) in [
            (&["rcsU", "x.a", "a.o"][..], "archive_not_deterministic"),
            (&["t", "x.a"], "archive_operation_uncacheable"),
            (&["d", "x.a", "a.o"], "archive_operation_uncacheable"),
            (&["rcs", "x.a", "@list"], "response_file"),
            (&["--version"], "option_unknown"),
            (&["rcs", "y.a", "none.o"], "input_unreadable"),
            (&["rcs", "y.a", "."], "input_not_a_file"),
            (&["rcs", "/dev/null", "a.o"], "output_not_a_file"),
        ] {
            client.compile(args).await.expect_not_stored(reason);
        }
    }
    let ar = sandbox.client("ar");
    assert_eq!(ar.alone(&["rcT", "thin.a", "a.o"]).code, 0);
    ar.compile(&["rcs", "thin.a", "b.o"]).await.expect_not_stored("archive_operation_uncacheable");
    sandbox.write("broken.a", "no archive\n");
    ar.compile(&["rcs", "broken.a", "b.o"]).await.expect_not_stored("archive_operation_uncacheable");
    ar.compile(&["rcs", "none/x.a", "b.o"]).await.expect_not_stored("tool_failed");
    sandbox.client("gcc-ar").compile(&["rcs", "z.a", "a.o"]).await.expect_not_stored("compiler_unknown");
    sandbox.client("ranlib").compile(&["none.a"]).await.expect_not_stored("input_unreadable");
    sandbox.client("strip").compile(&["a.o"]).await.expect_not_stored("compiler_unknown");
}

#[tokio::test]
async fn what_the_archiver_says_is_not_kept() {
    let sandbox = sandbox();
    let client = sandbox.client("ar");
    settle();
    let Reply::Run(run) = client.lookup(&["rcs", "x.a", "a.o"]).await else { panic!("a hit") };
    let mut ran = client.run(&run, &["rcs", "x.a", "a.o"]);
    ran.seen.stderr = b"ar: something about x.a\n".to_vec();
    assert_eq!(client.publish(&run, &ran).await.reason, "archiver_spoke");
}

/// Looks up, lets `meanwhile` happen, then runs and publishes.
async fn disturbed(sandbox: &Sandbox, args: &[&str], meanwhile: impl Fn(&Path)) -> String {
    let client = sandbox.client("ar");
    settle();
    let Reply::Run(run) = client.lookup(args).await else { panic!("a hit") };
    meanwhile(&sandbox.work());
    settle();
    let ran = client.run(&run, args);
    assert_eq!(ran.seen.code, 0);
    client.publish(&run, &ran).await.reason
}

#[tokio::test]
async fn an_archive_made_of_other_files_than_were_seen_is_not_stored() {
    let args = ["rcs", "x.a", "a.o"];
    let member = |work: &Path| assert!(std::fs::copy(work.join("b.o"), work.join("a.o")).unwrap() > 0);
    let appeared = |work: &Path| {
        let made = std::process::Command::new("ar").args(["rcs", "x.a", "b.o"]).current_dir(work).status();
        assert!(made.unwrap().success());
    };
    assert_eq!(disturbed(&sandbox(), &args, member).await, "inputs_changed_meanwhile");
    assert_eq!(disturbed(&sandbox(), &args, appeared).await, "inputs_changed_meanwhile");
    let existing = sandbox();
    object(&existing, "c", "int c;\n");
    assert_eq!(existing.client("ar").alone(&["rcs", "x.a", "c.o"]).code, 0);
    assert_eq!(disturbed(&existing, &args, appeared).await, "inputs_changed_meanwhile");
}

#[tokio::test]
async fn an_archiver_by_another_name_and_path_is_still_one() {
    for tool in ["/usr/bin/ar", "x86_64-linux-gnu-ar"] {
        let sandbox = sandbox();
        twice(&sandbox, &sandbox.client(tool), &["rcs", "x.a", "a.o"], without(&sandbox)).await;
    }
    let sandbox = sandbox();
    let link = sandbox.work().join("files");
    std::os::unix::fs::symlink("/usr/bin/ar", &link).unwrap();
    twice(&sandbox, &sandbox.client(link.to_str().unwrap()), &["rcs", "x.a", "a.o"], without(&sandbox)).await;
}
