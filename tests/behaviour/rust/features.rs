//! Compiles by which build scripts ask whether the compiler lets them use a feature.

use super::{LIBRARY, PROGRAM, Rust};

/// As the build scripts of `anyhow` and `proc-macro2` call it.
const PROBE: &[&str] = &["--crate-type=lib", "--emit=dep-info,metadata", "--edition=2021", "--cfg=probe"];

/// With a feature that no stable compiler has.
const REFUSED: &str = "#![feature(rustc_attrs)]\nmod a;\npub const T: &str = include_str!(\"t.txt\");\n\
                       pub const V: Option<&str> = option_env!(\"PROBED\");\n";

const UNSTABLE: (&str, &str) = ("RUSTC_BOOTSTRAP", "1");

#[test]
fn that_a_feature_is_refused_is_a_result_as_well() {
    let rust = Rust::new();
    rust.write("probe.rs", REFUSED);
    rust.write("a.rs", "pub fn a() {}\n");
    rust.write("t.txt", "one");
    let probe = |env: &[(&str, &str)], reason: &str| {
        rust.compile_with(env, "probe", "probe.rs", PROBE, &[], reason).status.code()
    };
    let refused = Some(1);
    assert_eq!(probe(&[], "first_seen"), refused);
    assert_eq!(probe(&[], "direct_hit"), refused);
    // Wherever the list goes.
    std::fs::create_dir(rust.sandbox.work().join("elsewhere")).expect("our own folder");
    for _ in 0..2 {
        let output = rust.compile("probe", "probe.rs", PROBE, &["--out-dir", "elsewhere"], "direct_hit");
        assert_eq!(output.status.code(), refused);
    }
    // What the compiler has read before it refused counts.
    for (name, text) in [("a.rs", "pub fn b() {}\n"), ("t.txt", "two")] {
        rust.write(name, text);
        assert_eq!(probe(&[], "input_changed"), refused);
        assert_eq!(probe(&[], "direct_hit"), refused);
    }
    assert_eq!(probe(&[("PROBED", "1")], "variable_changed"), refused);
    assert_eq!(probe(&[("PROBED", "1")], "direct_hit"), refused);
    // A compiler that may use it makes an output, which stays where it is when another one refuses.
    for reason in ["first_seen", "direct_hit"] {
        assert_eq!(probe(&[UNSTABLE], reason), Some(0));
        assert_eq!(probe(&[], "direct_hit"), refused);
    }
    let listed = rust.sandbox.run(&["rust", "list", "--json"]).stdout;
    assert_eq!(String::from_utf8_lossy(&listed).matches("libprobe").count(), 1, "one has become a crate");
}

#[test]
fn any_other_failure_beside_a_refused_feature_is_none() {
    let rust = Rust::new();
    rust.write("a.rs", "");
    rust.write("t.txt", "");
    for more in ["compile_error!(\"no\");\n", "mod absent;\n", "use absent::x;\n", "fn {\n"] {
        rust.write("probe.rs", format!("{REFUSED}{more}"));
        for _ in 0..2 {
            let output = rust.compile("probe", "probe.rs", PROBE, &[], "tool_failed");
            assert_eq!(output.status.code(), Some(1), "{more}");
        }
    }
    // One that was to be linked, and one whose messages are for programs.
    rust.write("probe.rs", REFUSED);
    rust.write("main.rs", "#![feature(rustc_attrs)]\nfn main() {}\n");
    for _ in 0..2 {
        assert!(!rust.compile("main", "main.rs", PROGRAM, &[], "tool_failed").status.success());
        let more = &["--error-format=json"][..];
        assert!(!rust.compile("probe", "probe.rs", PROBE, more, "tool_failed").status.success());
    }
    let library = rust.compile("probe", "probe.rs", LIBRARY, &[], "first_seen");
    assert_eq!(library.status.code(), Some(1), "nothing is linked for a library");
    assert_eq!(rust.compile("probe", "probe.rs", LIBRARY, &[], "direct_hit").status.code(), Some(1));
}
