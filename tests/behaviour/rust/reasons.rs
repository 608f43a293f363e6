//! What of Rust is not cached, by name.

use super::{LIBRARY, PROGRAM, Rust};

#[test]
fn questions_and_what_cannot_be_kept_are_run_and_named() {
    let rust = Rust::new();
    rust.write("lib.rs", "pub fn f() {}\n");
    rust.write("main.rs", "fn main() {}\n");
    for (args, reason) in [
        (&["--explain", "E0001"][..], "not_a_compile"),
        (&["-vV", "lib.rs"], "not_a_compile"),
        (&["--print", "cfg", "-Ctarget-cpu=native"], "not_a_compile"),
        (&["-", "--crate-name", "x", "--crate-type=lib", "--emit=dep-info"], "source_from_stdin"),
        (&["lib.rs", "--crate-name", "x", "--crate-type=lib"], "option_uncacheable"),
        (
            &["lib.rs", "--crate-name", "x", "--crate-type=lib", "--emit=dep-info", "-Zunstable"],
            "option_unknown",
        ),
        (&["lib.rs", "other.rs"], "several_sources"),
        (&["lib.rs", "--crate-name"], "option_malformed"),
        (&["absent.rs", "--crate-name", "x", "--crate-type=lib", "--emit=dep-info"], "input_unreadable"),
    ] {
        rust.call(&[], args, reason);
    }
    let lib = |env: &[(&str, &str)], more: &[&str], reason| {
        rust.compile_with(env, "lib", "lib.rs", LIBRARY, more, reason)
    };
    // What these leave behind has names by chance.
    for (option, reason) in [("-Cincremental=inc", "incremental"), ("-Csave-temps", "option_uncacheable")] {
        let args = ["--crate-name", "lib", "lib.rs", "--crate-type=lib", "--emit=dep-info", option];
        rust.sandbox.run(&[&[rust.rustc.as_str()], &args[..]].concat());
        assert_eq!(rust.sandbox.last_reason(), reason);
    }
    lib(&[("RUSTC_LOG", "error")], &[], "environment_uncacheable");
    rust.compile(
        "main",
        "main.rs",
        PROGRAM,
        &["-Clinker-plugin-lto=no", "-Clinker=./none"],
        "linker_unknown",
    );
    rust.write("lib.rs", "pub fn f() { error }\n");
    for _ in 0..2 {
        assert!(!lib(&[], &[], "tool_failed").status.success());
    }
}

#[test]
fn a_native_library_whose_name_is_made_up_by_a_macro_is_not_kept() {
    let rust = Rust::new();
    rust.write(
        "lib.rs",
        "macro_rules! l { ($n:literal) => { #[link(name = $n)] unsafe extern \"C\" {} } }\nl!(\"m\");\n",
    );
    rust.compile("lib", "lib.rs", LIBRARY, &["-L", "native=o"], "native_library_unknown");
    // Without folders of native libraries nothing is looked for.
    rust.compile("lib", "lib.rs", LIBRARY, &[], "first_seen");
}

#[test]
fn a_package_beyond_all_measure_is_not_read_for_a_macro() {
    let rust = Rust::new();
    rust.write("mac.rs", "use proc_macro::TokenStream;\n#[proc_macro]\npub fn m(_: TokenStream) -> TokenStream { TokenStream::new() }\n");
    rust.compile("mac", "mac.rs", super::MACRO, &[], "first_seen");
    rust.write("p/lib.rs", "mac::m!();\n");
    let mut deep = rust.sandbox.work().join("p");
    for _ in 0..45 {
        deep.push("d");
    }
    std::fs::create_dir_all(deep.join("d")).expect("our own folder");
    let folder = rust.sandbox.work().join("p").display().to_string();
    let more = ["-L", "dependency=o", "--extern", "mac=o/libmac.so"];
    rust.compile_with(
        &[("CARGO_MANIFEST_DIR", &folder)],
        "p",
        "p/lib.rs",
        LIBRARY,
        &more,
        "package_too_large",
    );
}

#[test]
fn a_crate_that_the_compiler_cannot_read_is_not_followed() {
    let rust = Rust::new();
    rust.write("lib.rs", "pub fn f() {}\n");
    rust.write("o/libodd.rlib", "no archive");
    // Unused, it is not even opened.
    rust.compile("lib", "lib.rs", LIBRARY, &["--extern", "odd=o/libodd.rlib"], "extern_unknown");
}

#[test]
fn a_script_that_stands_in_for_the_compiler_is_not_taken_for_it() {
    let rust = Rust::new();
    rust.write("lib.rs", "pub fn f() {}\n");
    let script = rust.write("bin/rustc", format!("#!/bin/sh\nexec {} --cfg extra \"$@\"\n", rust.rustc));
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("our own file");
    let script = script.display().to_string();
    let stand_in = Rust { rustc: script, ..rust };
    stand_in.compile("lib", "lib.rs", LIBRARY, &[], "compiler_unknown");
}
