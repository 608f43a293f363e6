//! Questions to the compiler: their answers are kept as long as they are its.

use std::process::{Command, Stdio};

use larder_tests::{same_as_alone_as, succeed};

use super::Rust;

const CARGOS: &[&str] = &[
    "-",
    "--crate-name",
    "___",
    "--print=file-names",
    "--crate-type",
    "bin",
    "--crate-type",
    "proc-macro",
    "--print=sysroot",
    "--print=split-debuginfo",
    "--print=crate-name",
    "--print=cfg",
    "-Wwarnings",
];

#[test]
fn what_cargo_and_build_scripts_ask_is_answered_from_the_cache() {
    let rust = Rust::new();
    for args in [&["-vV"][..], &["--version"], &["--print", "cfg"], CARGOS] {
        for reason in ["not_a_compile", "answered"] {
            rust.call(&[], args, reason);
        }
    }
    // Whatever the answer may go by is another question.
    for args in [&["--print", "cfg", "-Ctarget-feature=+avx2"][..], &["--print", "cfg", "-Cpanic=abort"]] {
        rust.call(&[], args, "not_a_compile");
        rust.call(&[], args, "answered");
    }
    // What comes with a message is asked each time.
    for _ in 0..2 {
        let said = rust.call(&[], &["--print", "cfg", "-Ctarget-feature=+nonsense"], "not_a_compile");
        assert!(!said.stderr.is_empty());
    }
    let forced = [("RUSTC_FORCE_RUSTC_VERSION", "1.2.3")];
    rust.call(&forced, &["-vV"], "not_a_compile");
    rust.call(&forced, &["-vV"], "answered");
    rust.call(&[], &["-vV"], "answered");
    rust.call(&[("RUST_TARGET_PATH", "/w")], &["--print", "cfg"], "not_a_compile");
}

#[test]
fn a_crate_that_comes_with_a_question_is_read_by_the_compiler() {
    let rust = Rust::new();
    let source = rust.write("named.rs", "#![crate_name = \"named\"]\n");
    let args = ["-", "--print=crate-name"];
    for _ in 0..2 {
        let shape = |mut command: Command| {
            command.stdin(std::fs::File::open(&source).expect("our own file"));
            command
        };
        let argv = [&[rust.rustc.as_str()], &args[..]].concat();
        let said = same_as_alone_as(&rust.sandbox, &argv, shape);
        assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "named");
        assert_eq!(rust.sandbox.last_reason(), "not_a_compile");
    }
    // With nothing there it has another name.
    let mut asked = rust.sandbox.larder([&[rust.rustc.as_str()], &args[..]].concat());
    let said = succeed(asked.stdin(Stdio::null())).stdout;
    assert_eq!(String::from_utf8_lossy(&said).trim(), "rust_out");
    let mut again = rust.sandbox.larder([&[rust.rustc.as_str()], &args[..]].concat());
    assert_eq!(succeed(again.stdin(Stdio::null())).stdout, said);
    assert_eq!(rust.sandbox.last_reason(), "answered");
}
