//! Whatever a compile goes by, changed one thing at a time.

use super::{LIBRARY, Rust};

#[test]
fn modules_and_included_files_count_by_content_and_by_where_they_could_be() {
    let rust = Rust::new();
    rust.write("lib.rs", "mod a;\npub const T: &str = include_str!(\"t.txt\");\npub static B: &[u8] = include_bytes!(\"b.bin\");\ninclude!(\"more.rs\");\n");
    rust.write("a.rs", "pub fn a() {}\n");
    rust.write("t.txt", "one");
    rust.write("b.bin", [0, 159, 146, 150]);
    rust.write("more.rs", "pub const MORE: u8 = 1;\n");
    let lib = |reason| rust.compile("lib", "lib.rs", LIBRARY, &[], reason);
    lib("first_seen");
    lib("direct_hit");
    for (name, text) in [
        ("a.rs", "pub fn b() {}\n"),
        ("t.txt", "two"),
        ("b.bin", "bin"),
        ("more.rs", "pub const MORE: u8 = 2;\n"),
        ("lib.rs", "mod a;\n"),
    ] {
        rust.write(name, text);
        lib("input_changed");
        lib("direct_hit");
    }
    // A second file for one module is an error.
    rust.write("a/mod.rs", "");
    assert!(!lib("tool_failed").status.success());
    rust.remove("a/mod.rs");
    lib("direct_hit");
    rust.remove("a.rs");
    rust.write("a/mod.rs", "pub fn c() {}\n");
    lib("input_vanished");
    lib("direct_hit");
}

#[test]
fn variables_count_when_the_source_reads_them_also_where_they_are_not_set() {
    let rust = Rust::new();
    rust.write(
        "lib.rs",
        "pub const A: &str = env!(\"A_VALUE\");\npub const B: Option<&str> = option_env!(\"B_VALUE\");\n",
    );
    let lib = |env: &[(&str, &str)], reason| rust.compile_with(env, "lib", "lib.rs", LIBRARY, &[], reason);
    lib(&[("A_VALUE", "1")], "first_seen");
    lib(&[("A_VALUE", "1"), ("UNRELATED", "x")], "direct_hit");
    lib(&[("A_VALUE", "2")], "variable_changed");
    lib(&[("A_VALUE", "2"), ("B_VALUE", "")], "variable_changed");
    lib(&[("A_VALUE", "2"), ("B_VALUE", "odd \\ \n value")], "variable_changed");
    for env in [&[("A_VALUE", "1")][..], &[("A_VALUE", "2"), ("B_VALUE", "")], &[("A_VALUE", "2")]] {
        lib(env, "direct_hit");
    }
    assert!(!lib(&[], "tool_failed").status.success());
}

#[test]
fn crates_count_by_content_wherever_they_lie() {
    let rust = Rust::new();
    rust.write("leaf.rs", "pub const LEAF: u8 = 1;\n");
    rust.write("dep.rs", "pub use leaf::LEAF;\n");
    rust.write("lib.rs", "pub const LIB: u8 = dep::LEAF;\n");
    let leaf =
        |reason| rust.compile("leaf", "leaf.rs", LIBRARY, &["-Cmetadata=1", "-Cextra-filename=-1"], reason);
    let dep = |reason| {
        let more = ["-Cextra-filename=-2", "-L", "dependency=o", "--extern", "leaf=o/libleaf-1.rmeta"];
        rust.compile("dep", "dep.rs", LIBRARY, &more, reason)
    };
    let lib = |folder: &str, reason| {
        let (search, named) = (format!("dependency={folder}"), format!("dep={folder}/libdep-2.rmeta"));
        rust.compile("lib", "lib.rs", LIBRARY, &["-L", &search, "--extern", &named], reason)
    };
    leaf("first_seen");
    dep("first_seen");
    lib("o", "first_seen");
    let moved = rust.sandbox.work().join("moved");
    std::fs::create_dir(&moved).expect("our own folder");
    for name in ["libleaf-1.rmeta", "libdep-2.rmeta"] {
        std::fs::copy(rust.sandbox.work().join("o").join(name), moved.join(name)).expect("they were made");
    }
    rust.sandbox.settle();
    lib("moved", "direct_hit");
    // Another crate behind the one that is named.
    std::fs::remove_file(moved.join("libleaf-1.rmeta")).expect("our own file");
    assert!(!lib("moved", "tool_failed").status.success());
    rust.write("leaf.rs", "pub const LEAF: u8 = 2;\n");
    leaf("input_changed");
    assert!(!lib("o", "tool_failed").status.success(), "the crate behind is another one");
    dep("first_seen");
    lib("o", "first_seen");
    let detail = &rust.sandbox.stats()["records"][0]["detail"];
    assert!(detail.as_str().is_some_and(|detail| detail.contains("crate dep")), "{detail}");
    lib("o", "direct_hit");
}

#[test]
fn a_daemon_that_saw_no_crate_being_made_asks_the_compiler_what_stands_behind_it() {
    let rust = Rust::new();
    rust.write("leaf.rs", "pub const LEAF: u8 = 1;\n");
    rust.write("dep.rs", "pub use leaf::LEAF;\n");
    rust.write("lib.rs", "pub const LIB: u8 = dep::LEAF;\n");
    let leaf = ["-Cextra-filename=-1"];
    rust.compile("leaf", "leaf.rs", LIBRARY, &leaf, "first_seen");
    let dep = ["-L", "dependency=o", "--extern", "leaf=o/libleaf-1.rlib"];
    rust.compile("dep", "dep.rs", LIBRARY, &dep, "first_seen");
    rust.sandbox.run(&["stop"]);
    rust.sandbox.start();
    let lib = ["-L", "dependency=o", "--extern", "dep=o/libdep.rlib"];
    rust.compile("lib", "lib.rs", LIBRARY, &lib, "first_seen");
    rust.compile("lib", "lib.rs", LIBRARY, &lib, "direct_hit");
    rust.remove("o/libleaf-1.rmeta");
    rust.remove("o/libleaf-1.rlib");
    rust.compile("lib", "lib.rs", LIBRARY, &lib, "tool_failed");
}

#[test]
fn options_and_argument_files_count_by_what_they_say() {
    let rust = Rust::new();
    rust.write("lib.rs", "#[cfg(feature = \"x\")]\npub fn x() {}\npub fn y(a: u32) -> u32 { a + 1 }\n");
    let lib = |more: &[&str], reason| rust.compile("lib", "lib.rs", LIBRARY, more, reason);
    lib(&[], "first_seen");
    for more in [
        &["--cfg", "feature=\"x\""][..],
        &["-Copt-level=3"],
        &["-g"],
        &["-Coverflow-checks=on", "-Cdebuginfo=1"],
        &["--cap-lints", "allow"],
        &["-Ctarget-cpu=native"],
    ] {
        lib(more, "first_seen");
        lib(more, "direct_hit");
    }
    rust.write("args", "--cfg\nfeature=\"x\"\n");
    lib(&["@args"], "direct_hit");
    rust.write("args", "--cfg\nfeature=\"y\"\n");
    lib(&["@args"], "first_seen");
    rust.remove("args");
    lib(&["@args"], "response_file");
}

#[test]
fn a_static_library_counts_by_content_and_by_which_is_found_first() {
    let rust = Rust::new();
    for folder in ["early", "late"] {
        std::fs::create_dir(rust.sandbox.work().join(folder)).expect("our own folder");
    }
    let archive = |folder: &str, value: u8| {
        rust.write("n.c", format!("int n(void) {{ return {value}; }}\n"));
        let made = rust
            .sandbox
            .command("sh")
            .args(["-c", "gcc -c n.c -o n.o && rm -f $0/libn.a && ar crD $0/libn.a n.o", folder])
            .status();
        assert!(made.expect("a shell").success());
        rust.sandbox.settle();
    };
    archive("late", 1);
    let folders = ["-L", "native=early", "-L", "native=late"];
    let by_option = [&folders[..], &["-l", "static=n"]].concat();
    for (source, more) in [
        (
            "unsafe extern \"C\" { fn n() -> i32; }\npub fn f() -> i32 { unsafe { n() } }\n",
            by_option.as_slice(),
        ),
        (
            "#[link(name = \"n\", kind = \"static\")]\nunsafe extern \"C\" { fn n() -> i32; }\npub fn f() -> i32 { unsafe { n() } }\n",
            &folders,
        ),
    ] {
        archive("late", 1);
        rust.write("lib.rs", source);
        // The second source is an edit of the first otherwise.
        let more = [more, &["--cfg", "own"]].concat();
        let again = |reason| rust.compile("lib", "lib.rs", LIBRARY, &more, reason);
        again("first_seen");
        again("direct_hit");
        archive("late", 2);
        again("input_changed");
        again("direct_hit");
        archive("early", 3);
        again("input_changed");
        again("direct_hit");
        rust.remove("early/libn.a");
        again("direct_hit");
    }
}

/// The toolchain that runs these tests, and one with another library.
fn toolchains(rust: &Rust) -> [std::path::PathBuf; 2] {
    let own = std::path::Path::new(&rust.rustc).ancestors().nth(2).expect("a toolchain").to_owned();
    let other = rust.sandbox.root().join("other");
    // Hard links where that is possible, else copies.
    let linked = rust.sandbox.command("cp").arg("-al").arg(&own).arg(&other).output().expect("cp starts");
    if !linked.status.success() {
        let _ = std::fs::remove_dir_all(&other);
        let copied = rust.sandbox.command("cp").arg("-R").arg(&own).arg(&other).status();
        assert!(copied.expect("cp starts").success());
    }
    let rustlib = std::fs::read_dir(other.join("lib/rustlib")).expect("a toolchain").flatten();
    let target = rustlib.map(|entry| entry.path().join("lib")).find(|path| path.is_dir()).expect("a target");
    std::fs::write(target.join("libextra-1.rlib"), "").expect("our own folder");
    [own, other]
}

#[test]
fn another_toolchain_under_the_same_path_is_another_compiler() {
    let rust = Rust::new();
    let [own, other] = toolchains(&rust);
    let path = rust.sandbox.root().join("toolchain");
    rust.write("lib.rs", "pub fn f() {}\n");
    let rust = Rust { rustc: path.join("bin/rustc").display().to_string(), ..rust };
    let lead_to = |toolchain: &std::path::Path| {
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(toolchain, &path).expect("our own folder");
        rust.sandbox.settle();
    };
    // Cargo's own would have both toolchains load one library.
    let env = [("LD_LIBRARY_PATH", "")];
    let lib = |reason| rust.compile_with(&env, "lib", "lib.rs", LIBRARY, &[], reason);
    lead_to(&own);
    lib("first_seen");
    lib("direct_hit");
    lead_to(&other);
    lib("first_seen");
    assert_eq!(rust.sandbox.stats()["records"][0]["detail"], "another compiler");
    lib("direct_hit");
    lead_to(&own);
    lib("direct_hit");
}

/// What Rustup's proxies do, for machines that have none.
const PROXY: &str = r#"#!/bin/sh
if [ -n "$RUSTUP_TOOLCHAIN" ]; then
    name=$RUSTUP_TOOLCHAIN
elif [ -f rust-toolchain ]; then
    name=$(cat rust-toolchain)
else
    name=$(sed -n 's/^default_toolchain = "\(.*\)"$/\1/p' "$RUSTUP_HOME/settings.toml")
fi
exec "$RUSTUP_HOME/toolchains/$name/bin/${0##*/}" "$@"
"#;

#[test]
fn the_compiler_behind_a_proxy_is_the_one_that_is_chosen() {
    let rust = Rust::new();
    let toolchains = toolchains(&rust);
    let (bin, home) = (rust.sandbox.root().join("bin"), rust.sandbox.root().join("rustup"));
    std::fs::create_dir_all(home.join("toolchains")).expect("our own folder");
    std::fs::create_dir(&bin).expect("our own folder");
    for (name, toolchain) in ["own", "other"].iter().zip(&toolchains) {
        std::os::unix::fs::symlink(toolchain, home.join("toolchains").join(name)).expect("our own folder");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).map(|folder| folder.join("rustup")).find(|path| path.is_file()) {
        Some(rustup) => std::os::unix::fs::symlink(rustup, bin.join("rustup")).expect("our own folder"),
        None => {
            std::fs::write(bin.join("rustup"), PROXY).expect("our own folder");
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(bin.join("rustup"), mode).expect("our own file");
        }
    }
    std::os::unix::fs::symlink("rustup", bin.join("rustc")).expect("our own folder");
    let rust = Rust { rustc: bin.join("rustc").display().to_string(), ..rust };
    let choose = |name: &str| {
        let text = format!("version = \"12\"\ndefault_toolchain = \"{name}\"\n");
        std::fs::write(home.join("settings.toml"), text).expect("our own file");
        rust.sandbox.settle();
    };
    choose("own");
    rust.write("lib.rs", "pub fn f() {}\n");
    let home = home.display().to_string();
    let lib = |chosen: &str, reason| {
        let env = [("LD_LIBRARY_PATH", ""), ("RUSTUP_HOME", &home), ("RUSTUP_TOOLCHAIN", chosen)];
        // Rustup takes an empty variable for a name.
        let env = if chosen.is_empty() { &env[..2] } else { &env };
        rust.compile_with(env, "lib", "lib.rs", LIBRARY, &[], reason);
    };
    lib("own", "first_seen");
    lib("own", "direct_hit");
    lib("other", "first_seen");
    lib("other", "direct_hit");
    lib("", "direct_hit");
    choose("other");
    rust.write("lib.rs", "pub fn g() {}\n");
    lib("", "input_changed");
    lib("other", "direct_hit");
    lib("own", "input_changed");
    rust.write("rust-toolchain", "own");
    lib("", "direct_hit");
    rust.write("lib.rs", "pub fn h() {}\n");
    lib("", "input_changed");
    lib("own", "direct_hit");
    lib("other", "input_changed");
}
