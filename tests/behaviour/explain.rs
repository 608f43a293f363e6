//! `larder explain`: why a call ended as it did.

use larder_tests::Sandbox;

fn explained(sandbox: &Sandbox, file: &str) -> String {
    String::from_utf8(sandbox.run(&["explain", file]).stdout).expect("text")
}

#[test]
fn a_miss_names_the_header_or_the_option_that_differs() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("src/x.c", "#include \"x.h\"\nint x = X;\n");
    sandbox.write_settled("src/x.h", "#define X 1\n");
    sandbox.run(&["gcc", "-c", "src/x.c", "-o", "x.o"]);
    sandbox.run(&["gcc", "-c", "src/x.c", "-o", "x.o"]);
    assert!(explained(&sandbox, "x.o").starts_with("outcome   hit\n"));
    sandbox.write_settled("src/x.h", "#define X 2\n");
    sandbox.run(&["gcc", "-c", "src/x.c", "-o", "x.o"]);
    let text = explained(&sandbox, "./src/../x.o");
    assert!(text.contains("miss") && text.contains("about     src/x.h\n"), "{text}");
    sandbox.run(&["gcc", "-O3", "-c", "src/x.c", "-o", "x.o"]);
    let text = explained(&sandbox, "src/x.c");
    assert!(text.contains("about     with -O3\n"), "{text}");
    let mut other = sandbox.larder(["gcc", "-O3", "-c", "src/x.c", "-o", "x.o"]);
    assert!(other.env("CPATH", "/secret").status().expect("larder starts").success());
    let text = explained(&sandbox, "x.o");
    assert!(text.contains("about     variable CPATH\n") && !text.contains("secret"), "{text}");
    sandbox.run(&["clang", "-O3", "-c", "src/x.c", "-o", "x.o"]);
    let text = explained(&sandbox, "x.o");
    assert!(text.contains("about     another compiler"), "{text}");
}

#[test]
fn a_call_that_is_not_cached_is_found_by_its_source_and_its_object() {
    let sandbox = Sandbox::started();
    sandbox.write_settled("src/x.c", "int x;\n");
    sandbox.run(&["gcc", "-c", "src/x.c", "-o", "x.o"]);
    for (args, about) in [
        (&["-save-temps", "-c", "src/x.c", "-o", "x.o"][..], "about     -save-temps\n"),
        (&["-Wa,-W,-a=x.lst", "-c", "src/x.c"], "about     -Wa\n"),
    ] {
        sandbox.run(&[&["gcc"], args].concat());
        for name in ["x.o", "src/x.c"] {
            let text = explained(&sandbox, name);
            assert!(text.starts_with("outcome   uncacheable\n") && text.contains(about), "{name}: {text}");
        }
    }
}

#[test]
fn a_file_that_nobody_compiled_is_an_error_that_says_what_to_do() {
    let sandbox = Sandbox::started();
    let output = sandbox.larder(["explain", "never.o"]).output().expect("larder starts");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("never.o") && text.contains("hint:"), "{text}");
}

#[test]
fn of_a_session_that_has_ended_only_what_was_built_since_is_the_last_build() {
    let sandbox = Sandbox::started();
    let id = String::from_utf8(sandbox.run(&["session", "start"]).stdout).expect("text");
    let id = id.trim_end();
    let compile = |name: &str| {
        sandbox.write_settled(name, "int x;\n");
        let mut call = sandbox.larder(["gcc", "-c", name, "-o", "x.o"]);
        assert!(call.env("LARDER_SESSION", id).status().expect("larder starts").success());
    };
    let explained = || {
        let mut explain = sandbox.larder(["explain"]);
        let output = explain.env("LARDER_SESSION", id).output().expect("larder starts");
        String::from_utf8(output.stdout).expect("text")
    };
    compile("within.c");
    assert!(explained().contains("within.c"), "{}", explained());
    sandbox.run(&["session", "end", id]);
    assert!(explained().contains("within.c"), "it is the last build still: {}", explained());
    compile("after.c");
    let told = explained();
    assert!(told.contains("after.c") && !told.contains("within.c"), "{told}");
}
