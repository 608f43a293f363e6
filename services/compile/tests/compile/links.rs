//! Links: what a hit gives back is what the linker gives, whichever it is and however it is called.

use std::os::unix::fs::PermissionsExt as _;

use crate::sandbox::{Client, Sandbox};

const DRIVERS: [&str; 4] = ["gcc", "g++", "clang", "clang++"];
const LINKERS: [&str; 4] = ["ld.bfd", "ld.gold", "ld.lld", "mold"];

pub(crate) fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    object(&sandbox, "main", "int one(void);\nint main(void) { return one(); }\n");
    object(&sandbox, "one", "int one(void) { return 0; }\n");
    archive(&sandbox, "libone.a", &["one.o"]);
    sandbox
}

pub(crate) fn object(sandbox: &Sandbox, name: &str, text: &str) {
    let (source, object) = (format!("{name}.c"), format!("{name}.o"));
    sandbox.write(&source, text);
    assert_eq!(sandbox.client("gcc").alone(&["-fPIC", "-c", &source, "-o", &object]).code, 0);
}

pub(crate) fn archive(sandbox: &Sandbox, name: &str, members: &[&str]) {
    let _ = std::fs::remove_file(sandbox.work().join(name));
    assert_eq!(sandbox.client("ar").alone(&[&["rcs", name], members].concat()).code, 0);
}

pub(crate) fn shared(sandbox: &Sandbox, name: &str, args: &[&str]) {
    let done = sandbox.client("gcc").alone(&[&["-shared", "-o", name], args].concat());
    assert_eq!(done.code, 0, "{}", String::from_utf8_lossy(&done.stderr));
}

/// Cold, then warm, both against the tool alone: content, mode and streams.
async fn twice(sandbox: &Sandbox, client: &Client, args: &[&str], outputs: &[&str]) {
    let clear = || outputs.iter().for_each(|output| drop(std::fs::remove_file(sandbox.work().join(output))));
    let made = || -> Vec<_> {
        let mode = |output: &str| sandbox.work().join(output).metadata().unwrap().permissions().mode();
        outputs.iter().map(|output| (sandbox.read(output), mode(output))).collect()
    };
    clear();
    let alone = client.alone(args);
    assert_eq!(alone.code, 0, "{args:?}: {}", String::from_utf8_lossy(&alone.stderr));
    let expected = made();
    for first in [true, false] {
        clear();
        let done = client.compile(args).await;
        let done = if first { done.expect_stored("first_seen") } else { done.expect_hit() };
        assert_eq!(done.seen, alone, "{args:?}");
        assert!(made() == expected, "an output differs: {} {args:?}, cold: {first}", client.tool.display());
    }
    assert_eq!(sandbox.leftovers(), 0);
}

#[tokio::test]
async fn programs_linked_by_every_driver_with_every_linker_are_their_own() {
    let sandbox = sandbox();
    for driver in DRIVERS {
        for linker in ["", "-fuse-ld=gold", "-fuse-ld=lld", "-fuse-ld=mold"] {
            let args = ["-O2", linker, "main.o", "-L.", "-lone", "-lm", "-o", "app"];
            let args: Vec<&str> = args.into_iter().filter(|arg| !arg.is_empty()).collect();
            twice(&sandbox, &sandbox.client(driver), &args, &["app"]).await;
        }
    }
}

#[tokio::test]
async fn linkers_called_by_themselves_hit() {
    let sandbox = sandbox();
    for linker in LINKERS {
        let client = sandbox.client(linker);
        twice(&sandbox, &client, &["-e", "main", "main.o", "libone.a", "-o", "app"], &["app"]).await;
        let partial = ["-r", "main.o", "one.o", "-o", "both.o"];
        if linker == "mold" {
            // It does not say then what it read.
            client.compile(&partial).await.expect_not_stored("dependencies_unreadable");
        } else {
            twice(&sandbox, &client, &partial, &["both.o"]).await;
        }
    }
}

#[tokio::test]
async fn every_kind_of_output_is_kept() {
    let sandbox = sandbox();
    sandbox.write("versions", "V1 { global: one; local: *; };\n");
    let client = sandbox.client("gcc");
    let lines: &[(&[&str], &[&str])] = &[
        (&["main.o", "one.o"], &["a.out"]),
        (&["-static", "main.o", "libone.a", "-o", "app"], &["app"]),
        (&["-no-pie", "-s", "main.o", "one.o", "-oapp"], &["app"]),
        (
            &[
                "-shared",
                "one.o",
                "-Wl,-soname,libone.so.1",
                "-Wl,--version-script=versions",
                "-o",
                "libone.so.1",
            ],
            &["libone.so.1"],
        ),
        (&["-r", "-nostdlib", "main.o", "one.o", "-o", "both.o"], &["both.o"]),
        (&["main.o", "one.o", "-Wl,--gc-sections,--dependency-file=app.d", "-o", "app"], &["app", "app.d"]),
        (&["-pthread", "-fopenmp", "main.o", "one.o", "-Wl,-z,now", "-Wl,-rpath,/x", "-o", "app"], &["app"]),
    ];
    for (args, outputs) in lines {
        twice(&sandbox, &client, args, outputs).await;
    }
}

#[tokio::test]
async fn the_same_objects_in_another_folder_are_a_hit_and_another_name_is_not_forgotten() {
    let sandbox = sandbox();
    let mut client = sandbox.client("gcc");
    client.compile(&["main.o", "one.o", "-o", "app"]).await.expect_stored("first_seen");
    std::fs::create_dir(sandbox.work().join("d")).unwrap();
    for name in ["main.o", "one.o"] {
        std::fs::copy(sandbox.work().join(name), sandbox.work().join("d").join(name)).unwrap();
    }
    client.cwd = sandbox.work().join("d");
    client.compile(&["main.o", "one.o", "-o", "app"]).await.expect_hit();
    assert!(sandbox.read("d/app") == sandbox.read("app"));
    // A library's version can carry the name of the file that it was linked to.
    sandbox.write("d/versions", "V1 { global: one; local: *; };\n");
    for name in ["libx.so", "liby.so"] {
        let args = ["-shared", "one.o", "-Wl,--version-script=versions", "-o", name];
        client.compile(&args).await.expect_stored("first_seen");
    }
}

#[tokio::test]
async fn warnings_are_said_again_and_failures_are_not_kept() {
    let sandbox = sandbox();
    object(&sandbox, "tmp", "char *tmpnam(char *);\nint one(void) { char b[99]; return !tmpnam(b); }\n");
    let client = sandbox.client("gcc");
    let cold = client.compile(&["main.o", "tmp.o", "-o", "app"]).await.expect_stored("first_seen");
    assert!(String::from_utf8_lossy(&cold.seen.stderr).contains("dangerous"), "{cold:?}");
    assert_eq!(client.compile(&["main.o", "tmp.o", "-o", "app"]).await.expect_hit().seen, cold.seen);
    for _ in 0..2 {
        let done = client.compile(&["main.o", "-o", "app"]).await.expect_not_stored("tool_failed");
        assert_eq!(done.seen, client.alone(&["main.o", "-o", "app"]));
    }
}

#[tokio::test]
async fn objects_named_in_a_file_are_inputs() {
    let sandbox = sandbox();
    sandbox.write("objects", "main.o one.o\n");
    let client = sandbox.client("gcc");
    twice(&sandbox, &client, &["@objects", "-o", "app"], &["app"]).await;
    object(&sandbox, "one", "int one(void) { return 3; }\n");
    client.compile(&["@objects", "-o", "app"]).await.expect_stored("input_changed");
}

#[tokio::test]
async fn what_cannot_be_kept_is_named() {
    let sandbox = sandbox();
    sandbox.write("x.c", "int main(void) { return 0; }\n");
    let alone = |tool: &str, args: &[&str]| assert_eq!(sandbox.client(tool).alone(args).code, 0);
    alone("gcc", &["-flto", "-c", "x.c", "-o", "lto.o"]);
    alone("gcc", &["-flto", "-ffat-lto-objects", "-c", "x.c", "-o", "fat.o"]);
    alone("ar", &["rcsT", "thin.a", "one.o"]);
    archive(&sandbox, "liblto.a", &["lto.o"]);
    let client = sandbox.client("gcc");
    for (args, reason) in [
        (&["lto.o", "-o", "app"][..], "link_time_optimization"),
        (&["fat.o", "-o", "app"], "link_time_optimization"),
        (&["main.o", "one.o", "liblto.a", "-o", "app"], "link_time_optimization"),
        (&["main.o", "one.o", "-flto", "-o", "app"], "link_time_optimization"),
        (&["main.o", "thin.a", "-o", "app"], "archive_operation_uncacheable"),
        (&["main.o", "one.o", "-Wl,-Map=x.map", "-o", "app"], "option_unknown"),
        (&["main.o", "one.o", "-Wl,--build-id=uuid", "-o", "app"], "option_unknown"),
        (&["main.o", "one.o", "-o", "/dev/null"], "output_not_a_file"),
        (&["x.c", "-o", "app"], "not_a_compile"),
        (&["--version"], "not_a_compile"),
        (&["-print-search-dirs"], "not_a_compile"),
    ] {
        for _ in 0..2 {
            let done = client.compile(args).await;
            assert!(!done.hit, "{args:?}");
            assert_eq!(sandbox.latest().0, reason, "{args:?}");
        }
    }
    assert_eq!(sandbox.leftovers(), 0);
}
