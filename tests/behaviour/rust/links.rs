//! Programs: what the linker reads and looks for counts.

use super::{LIBRARY, PROGRAM, Rust};

#[test]
fn what_the_linker_reads_counts_by_content_and_by_which_is_found_first() {
    let rust = Rust::new();
    for folder in ["early", "late"] {
        std::fs::create_dir(rust.sandbox.work().join(folder)).expect("our own folder");
    }
    let library = |folder: &str, value: u8| {
        rust.write("n.c", format!("int n(void) {{ return {value}; }}\n"));
        let made = rust
            .sandbox
            .command("gcc")
            .args(["-shared", "-fPIC", "n.c", "-o"])
            .arg(format!("{folder}/libn.so"))
            .status();
        assert!(made.expect("a compiler").success());
        rust.sandbox.settle();
    };
    library("late", 1);
    rust.write("main.rs", "#[link(name = \"n\")]\nunsafe extern \"C\" { fn n() -> i32; }\nfn main() { println!(\"{}\", unsafe { n() }); }\n");
    let more = ["-L", "native=early", "-L", "native=late", "-Clink-arg=-Wl,-z,now"];
    let main = |reason| rust.compile("main", "main.rs", PROGRAM, &more, reason);
    main("first_seen");
    main("direct_hit");
    library("late", 2);
    main("input_changed");
    main("direct_hit");
    library("early", 3);
    main("input_appeared");
    main("direct_hit");
    rust.remove("early/libn.so");
    main("direct_hit");
}

#[test]
fn a_library_is_that_of_the_folder_which_the_call_names() {
    let rust = Rust::new();
    for folder in ["one", "other"] {
        rust.write("n.c", format!("int n(void) {{ return {}; }}\n", folder.len()));
        std::fs::create_dir(rust.sandbox.work().join(folder)).expect("our own folder");
        for command in ["gcc -c n.c -o n.o".to_owned(), format!("ar rcD {folder}/libn.a n.o")] {
            let mut words = command.split(' ');
            let tool = words.next().expect("one");
            assert!(rust.sandbox.command(tool).args(words).status().expect("it starts").success());
        }
    }
    rust.write(
        "lib.rs",
        "#[link(name = \"n\", kind = \"static\")]\nunsafe extern \"C\" { fn n() -> i32; }\npub fn call() -> i32 { unsafe { n() } }\n",
    );
    let lib = |folder: &str, reason| {
        rust.compile("lib", "lib.rs", LIBRARY, &["-L", &format!("native={folder}")], reason)
    };
    lib("one", "first_seen");
    lib("other", "input_changed");
    // The second hit is told by what the first had looked at.
    for folder in ["one", "other", "one", "other"] {
        lib(folder, "direct_hit");
    }
}

#[test]
fn objects_for_the_linker_count() {
    let rust = Rust::new();
    let object = |value: u8| {
        rust.write("n.c", format!("int n(void) {{ return {value}; }}\n"));
        let made = rust.sandbox.command("gcc").args(["-c", "n.c", "-o", "n.o"]).status();
        assert!(made.expect("a compiler").success());
        rust.sandbox.settle();
    };
    object(1);
    rust.write(
        "main.rs",
        "unsafe extern \"C\" { fn n() -> i32; }\nfn main() { println!(\"{}\", unsafe { n() }); }\n",
    );
    let main = |reason| rust.compile("main", "main.rs", PROGRAM, &["-Clink-arg=n.o"], reason);
    main("first_seen");
    main("direct_hit");
    object(2);
    main("input_changed");
    main("direct_hit");
}

#[test]
fn code_of_crates_behind_others_counts_in_a_program() {
    let rust = Rust::new();
    rust.write("leaf.rs", "pub fn leaf() -> u8 { 1 }\n");
    rust.write("dep.rs", "pub fn dep() -> u8 { leaf::leaf() }\n");
    rust.write("main.rs", "fn main() { println!(\"{}\", dep::dep()); }\n");
    let leaf = |more: &[&str], reason| {
        rust.compile("leaf", "leaf.rs", LIBRARY, &[&["-Cextra-filename=-1"], more].concat(), reason)
    };
    let search = ["-L", "dependency=o"];
    let dep = |reason| {
        let more = [&search[..], &["--extern", "leaf=o/libleaf-1.rmeta"]].concat();
        rust.compile("dep", "dep.rs", LIBRARY, &more, reason)
    };
    let main = |more: &[&str], reason| {
        let more = [&search[..], &["--extern", "dep=o/libdep.rlib"], more].concat();
        rust.compile("main", "main.rs", PROGRAM, &more, reason);
        let ran = rust.sandbox.command(rust.sandbox.work().join("o/main")).output().expect("a program");
        String::from_utf8(ran.stdout).expect("text")
    };
    leaf(&[], "first_seen");
    dep("first_seen");
    assert_eq!(main(&[], "first_seen"), "1\n");
    assert_eq!(main(&[], "direct_hit"), "1\n");
    assert_eq!(main(&["-Clto=fat"], "first_seen"), "1\n");
    assert_eq!(main(&["-Clto=fat"], "direct_hit"), "1\n");
    rust.write("leaf.rs", "pub fn leaf() -> u8 { 2 }\n");
    leaf(&[], "input_changed");
    dep("first_seen");
    assert_eq!(main(&[], "first_seen"), "2\n");
    assert_eq!(main(&["-Clto=fat"], "first_seen"), "2\n");
}

#[test]
fn another_linker_makes_another_program() {
    let rust = Rust::new();
    rust.write("main.rs", "fn main() {}\n");
    let tools = rust.sandbox.work().join("bin");
    std::fs::create_dir(&tools).expect("our own folder");
    let main =
        |path: &str, reason| rust.compile_with(&[("PATH", path)], "main", "main.rs", PROGRAM, &[], reason);
    let usual = std::env::var("PATH").expect("a path");
    let first = format!("{}:{usual}", tools.display());
    main(&first, "first_seen");
    main(&first, "direct_hit");
    main(&usual, "direct_hit");
    std::os::unix::fs::symlink("/usr/bin/clang", tools.join("cc")).expect("our own folder");
    rust.sandbox.settle();
    main(&first, "first_seen");
    main(&first, "direct_hit");
    main(&usual, "direct_hit");
}
