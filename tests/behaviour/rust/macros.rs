//! What procedural macros read without saying so.

use super::{LIBRARY, MACRO, Rust};

const READER: &str = r#"
use proc_macro::TokenStream;
#[proc_macro]
pub fn variable(_: TokenStream) -> TokenStream {
    format!("{:?}", std::env::var("SECRET").unwrap_or_default()).parse().unwrap()
}
#[proc_macro]
pub fn file(_: TokenStream) -> TokenStream {
    let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    format!("{:?}", std::fs::read_to_string(folder + "/data/value.txt").unwrap()).parse().unwrap()
}
"#;

#[test]
fn what_a_macro_reads_in_its_environment_and_package_counts_also_behind_another_crate() {
    let rust = Rust::new();
    rust.write("mac.rs", READER);
    rust.write("front.rs", "pub use mac::{file, variable};\n");
    rust.write(
        "package/lib.rs",
        "pub const V: &str = front::variable!();\npub const F: &str = front::file!();\n",
    );
    rust.write("package/data/value.txt", "one");
    rust.compile("mac", "mac.rs", MACRO, &["-Cextra-filename=-1"], "first_seen");
    let search = ["-L", "dependency=o"];
    rust.compile(
        "front",
        "front.rs",
        LIBRARY,
        &[&search[..], &["--extern", "mac=o/libmac-1.so"]].concat(),
        "first_seen",
    );
    let folder = rust.sandbox.work().join("package").display().to_string();
    let package = |secret: &str, noise: &str, reason| {
        let env = [("CARGO_MANIFEST_DIR", folder.as_str()), ("SECRET", secret), ("SHLVL", noise)];
        let more = [&search[..], &["--extern", "front=o/libfront.rmeta"]].concat();
        rust.compile_with(&env, "package", "package/lib.rs", LIBRARY, &more, reason)
    };
    package("1", "1", "first_seen");
    package("1", "2", "direct_hit");
    package("2", "2", "variable_changed");
    package("2", "2", "direct_hit");
    rust.write("package/data/value.txt", "two");
    package("2", "2", "input_changed");
    package("2", "2", "direct_hit");
    rust.write("package/target/CACHEDIR.TAG", "");
    rust.write("package/target/debug/x", "");
    package("2", "2", "direct_hit");
    let stats = rust.sandbox.stats().to_string();
    assert!(!stats.contains("\"2\""), "no value of a variable is shown: {stats}");
    // Another macro behind the same name.
    rust.write("mac.rs", READER.replace("SECRET", "OTHER"));
    rust.compile("mac", "mac.rs", MACRO, &["-Cextra-filename=-1"], "input_changed");
    rust.compile(
        "front",
        "front.rs",
        LIBRARY,
        &[&search[..], &["--extern", "mac=o/libmac-1.so"]].concat(),
        "first_seen",
    );
    package("2", "2", "first_seen");
}

#[test]
fn what_changes_in_the_package_while_a_macro_runs_is_not_kept() {
    let rust = Rust::new();
    let source = |act: &str| {
        format!(
            "use proc_macro::TokenStream;\n#[proc_macro]\npub fn m(_: TokenStream) -> TokenStream {{\n    let folder = std::env::var(\"CARGO_MANIFEST_DIR\").unwrap();\n    let text = std::fs::read_to_string(folder.clone() + \"/value\").unwrap_or_default();\n    std::fs::{act}.unwrap();\n    format!(\"{{text:?}}\").parse().unwrap()\n}}\n"
        )
    };
    let folder = rust.sandbox.work().join("p").display().to_string();
    rust.write("p/lib.rs", "pub const V: &str = mac::m!();\n");
    for (at, act) in
        ["write(folder + \"/value\", \"new\")", "remove_file(folder + \"/value\")"].iter().enumerate()
    {
        rust.write("mac.rs", source(act));
        let name = format!("-Cextra-filename=-{at}");
        rust.compile("mac", "mac.rs", MACRO, &[&name], "first_seen");
        rust.write("p/value", "old");
        let named = format!("mac=o/libmac-{at}.so");
        let more = ["-L", "dependency=o", "--extern", &named];
        rust.compile_with(
            &[("CARGO_MANIFEST_DIR", &folder)],
            "p",
            "p/lib.rs",
            LIBRARY,
            &more,
            "inputs_changed_meanwhile",
        );
    }
}

#[test]
fn what_a_build_script_made_counts_for_macros_and_its_place_only_where_it_shows() {
    let rust = Rust::new();
    rust.write(
        "mac.rs",
        r#"
use proc_macro::TokenStream;
#[proc_macro]
pub fn content(_: TokenStream) -> TokenStream {
    let folder = std::env::var("OUT_DIR").unwrap();
    format!("{:?}", std::fs::read_to_string(folder + "/deep/value").unwrap_or_default()).parse().unwrap()
}
#[proc_macro]
pub fn place(_: TokenStream) -> TokenStream { format!("{:?}", std::env::var("OUT_DIR").unwrap()).parse().unwrap() }
"#,
    );
    rust.compile("mac", "mac.rs", MACRO, &[], "first_seen");
    let compile = |place: &str, reason| {
        let folder = rust.sandbox.work().join(place).display().to_string();
        let more = ["-L", "dependency=o", "--extern", "mac=o/libmac.so"];
        rust.compile_with(&[("OUT_DIR", &folder)], "p", "p.rs", LIBRARY, &more, reason);
    };
    rust.write("p.rs", "pub const V: &str = mac::content!();\n");
    compile("one/out", "first_seen");
    compile("another/out", "direct_hit");
    for place in ["one/out", "another/out"] {
        rust.write(&format!("{place}/deep/value"), "1");
    }
    compile("one/out", "input_changed");
    compile("another/out", "direct_hit");
    rust.write("another/out/deep/value", "2");
    compile("another/out", "input_changed");
    compile("another/out", "direct_hit");
    // Not even what looks like a package of its own is left out.
    rust.write("another/out/deep/Cargo.toml", "");
    compile("another/out", "input_changed");
    compile("one/out", "direct_hit");
    rust.write("p.rs", "pub const V: &str = mac::place!();\n");
    compile("one/out", "input_changed");
    rust.remove("another/out/deep/Cargo.toml");
    rust.write("another/out/deep/value", "1");
    compile("another/out", "variable_changed");
    compile("one/out", "direct_hit");
}
