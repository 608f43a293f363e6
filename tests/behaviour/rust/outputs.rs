//! Files, streams and lists are the compiler's own, for this call.

use super::{LIBRARY, MACRO, PROGRAM, Rust};

#[test]
fn every_kind_of_crate_and_of_output_comes_from_the_cache() {
    let rust = Rust::new();
    rust.write(
        "lib.rs",
        "#[no_mangle]\npub extern \"C\" fn f(a: u32) -> u32 { a.wrapping_mul(3) }\n#[test]\nfn t() {}\n",
    );
    rust.write("main.rs", "fn main() { println!(\"{}\", 1); }\n");
    rust.write(
        "mac.rs",
        "use proc_macro::TokenStream;\n#[proc_macro]\npub fn m(i: TokenStream) -> TokenStream { i }\n",
    );
    let emit = |kind: &'static str, emit: &'static str| vec!["--crate-type", kind, emit, "--edition=2021"];
    for (name, source, kind) in [
        ("a", "lib.rs", LIBRARY.to_vec()),
        ("b", "lib.rs", emit("dylib", "--emit=dep-info,link")),
        ("c", "lib.rs", emit("cdylib", "--emit=dep-info,link")),
        ("d", "lib.rs", emit("staticlib", "--emit=dep-info,link")),
        ("e", "main.rs", PROGRAM.to_vec()),
        ("f", "mac.rs", MACRO.to_vec()),
        ("g", "lib.rs", vec!["--test", "--emit=dep-info,link", "--edition=2021"]),
        ("h", "lib.rs", emit("lib", "--emit=dep-info,metadata")),
        ("i", "main.rs", emit("bin", "--emit=dep-info,metadata")),
        ("j", "lib.rs", emit("lib", "--emit=dep-info,asm,llvm-ir,llvm-bc,mir,obj")),
        ("k", "lib.rs", emit("lib", "--emit=dep-info=o/elsewhere.d,link=o/named.rlib")),
    ] {
        rust.compile(name, source, &kind, &["-Cextra-filename=-1", "-Ccodegen-units=1"], "first_seen");
        rust.compile(name, source, &kind, &["-Cextra-filename=-1", "-Ccodegen-units=1"], "direct_hit");
    }
    let ran = rust.sandbox.command(rust.sandbox.work().join("o/e-1")).output().expect("a program");
    assert_eq!(ran.stdout, b"1\n");
}

#[test]
fn split_debug_information_is_kept_with_what_it_belongs_to() {
    let rust = Rust::new();
    rust.write("lib.rs", "pub fn f(a: Vec<u8>) -> usize { a.len() }\n");
    rust.write("main.rs", "fn main() { println!(\"{}\", 1); }\n");
    for (name, source, kind) in [("a", "lib.rs", LIBRARY), ("b", "main.rs", PROGRAM)] {
        for form in ["-Csplit-debuginfo=unpacked", "-Csplit-debuginfo=packed"] {
            rust.compile(name, source, kind, &["-g", form], "first_seen");
            rust.compile(name, source, kind, &["-g", form], "direct_hit");
        }
    }
}

#[test]
fn another_output_folder_is_named_in_lists_and_notes_and_is_no_part_of_the_key() {
    let rust = Rust::new();
    let other = rust.sandbox.work().join("other place");
    std::fs::create_dir(&other).expect("our own folder");
    rust.write("lib.rs", "pub fn f() {}\n");
    rust.write("main.rs", "fn main() {}\n");
    let notes = ["--error-format=json", "--json=artifacts,diagnostic-rendered-ansi"];
    for (name, source, kind) in [("a", "lib.rs", LIBRARY), ("b", "main.rs", PROGRAM)] {
        rust.compile(name, source, kind, &notes, "first_seen");
        for folder in ["other place", other.to_str().expect("plain"), "."] {
            rust.compile(name, source, kind, &[&notes[..], &["--out-dir", folder]].concat(), "direct_hit");
        }
    }
    // Where the result shows the folder, another folder is another result.
    let more = ["-g", "-Csplit-debuginfo=unpacked"];
    rust.compile("c", "lib.rs", LIBRARY, &more, "first_seen");
    let elsewhere = [&more[..], &["--out-dir", "other place"]].concat();
    rust.compile("c", "lib.rs", LIBRARY, &elsewhere, "surroundings_changed");
    rust.compile("c", "lib.rs", LIBRARY, &elsewhere, "direct_hit");
    rust.compile("c", "lib.rs", LIBRARY, &more, "direct_hit");
}

#[test]
fn messages_are_replayed_and_their_form_counts_only_where_there_are_any() {
    let rust = Rust::new();
    rust.write("quiet.rs", "pub fn f() {}\n");
    rust.write("loud.rs", "pub fn f() { let unused = 1; }\n");
    let json = ["--error-format=json", "--json=diagnostic-rendered-ansi,artifacts,future-incompat"];
    let narrow = [&json[..], &["--diagnostic-width=40"]].concat();
    let human = ["--color=always"];
    for source in ["quiet.rs", "loud.rs"] {
        let name = source.split('.').next().expect("a stem");
        rust.compile(name, source, LIBRARY, &json, "first_seen");
        rust.compile(name, source, LIBRARY, &json, "direct_hit");
        let other = if name == "loud" { "surroundings_changed" } else { "direct_hit" };
        rust.compile(name, source, LIBRARY, &narrow, other);
        rust.compile(name, source, LIBRARY, &narrow, "direct_hit");
        // Without notes of what is written it is another call.
        rust.compile(name, source, LIBRARY, &human, "first_seen");
        rust.compile(name, source, LIBRARY, &human, "direct_hit");
    }
}

#[test]
fn a_hit_makes_the_outputs_new_for_cargo() {
    let rust = Rust::new();
    rust.write("lib.rs", "pub fn f() {}\n");
    rust.compile("lib", "lib.rs", LIBRARY, &[], "first_seen");
    let source = rust.write("lib.rs", "pub fn f() {}\n");
    rust.compile("lib", "lib.rs", LIBRARY, &[], "direct_hit");
    let time =
        |path: std::path::PathBuf| path.metadata().and_then(|meta| meta.modified()).expect("it is there");
    for name in ["lib.d", "liblib.rmeta", "liblib.rlib"] {
        assert!(
            time(rust.sandbox.work().join("o").join(name)) > time(source.clone()),
            "{name} is older than its source"
        );
    }
}
