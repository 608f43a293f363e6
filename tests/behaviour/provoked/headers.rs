//! Headers that change, appear, vanish, or turn out to be another file.

use std::cell::Cell;
use std::fs::File;

use super::{Bench, with_each_driver};

with_each_driver! {
    a_header_is_what_lies_at_its_path
    edits_at_full_speed_never_give_a_stale_object
    a_header_that_comes_to_stand_earlier_is_noticed
    names_that_the_preprocessor_makes_up_are_followed
    a_forced_header_is_followed_and_a_precompiled_one_is_never_kept
}

const SAYS: &str = "#include \"x.h\"\nconst char *says(void) { return SAYS; }\n";

fn says(word: &str) -> String {
    format!("#define SAYS \"{word}\"\n")
}

fn a_header_is_what_lies_at_its_path(bench: &Bench) {
    times_and_moves(bench);
    bench.begin_anew();
    folders_of_the_search(bench);
}

fn times_and_moves(bench: &Bench) {
    bench.code(SAYS);
    let header = bench.write("x.h", says("one"));
    bench.stores(&[]);
    bench.write("x.h", says("two"));
    bench.compile(&[], "input_changed");
    bench.write("x.h", says("one"));
    bench.compile(&[], "direct_hit");

    // Of the same size, and with its time put back.
    let time = header.metadata().and_then(|meta| meta.modified()).expect("a time");
    let put_time_back = || File::options().write(true).open(&header).and_then(|file| file.set_modified(time));
    bench.write("x.h", says("six"));
    put_time_back().expect("our own file");
    bench.sandbox.settle();
    bench.compile(&[], "input_changed");
    bench.compile(&[], "direct_hit");
    bench.write("x.h", says("one"));
    put_time_back().expect("our own file");
    bench.sandbox.settle();
    bench.compile(&[], "direct_hit");

    // Another file moved into its place, with the time and size of the first.
    let beside = bench.write("beside.h", says("ten"));
    File::options().write(true).open(&beside).and_then(|file| file.set_modified(time)).expect("our own file");
    bench.sandbox.settle();
    std::fs::rename(&beside, &header).expect("our own folder");
    bench.sandbox.settle();
    bench.compile(&[], "input_changed");

    // Gone, a folder, a link, and back.
    bench.remove("x.h");
    bench.compile(&[], "tool_failed");
    bench.folder("x.h");
    bench.compile(&[], "tool_failed");
    bench.remove("x.h");
    bench.write("real/y.h", says("far"));
    bench.link("real/y.h", "x.h");
    bench.compile(&[], "input_changed");
    bench.compile(&[], "direct_hit");
    bench.write("real/y.h", says("fur"));
    bench.compile(&[], "input_changed");
    bench.remove("x.h");
    bench.write("x.h", says("one"));
    bench.compile(&[], "direct_hit");
}

fn edits_at_full_speed_never_give_a_stale_object(bench: &Bench) {
    bench.code(SAYS);
    bench.sandbox.write("x.h", says("word-000"));
    let compile = || {
        let args = [bench.driver, "-c", bench.source, "-o", "x.o"];
        bench.sandbox.larder(args).spawn().expect("larder starts")
    };
    let edits = Cell::new(0);
    let edit = || {
        edits.set(edits.get() + 1);
        let word = format!("word-{:03}", edits.get());
        bench.sandbox.write("x.h", says(&word));
        word
    };
    for round in 0..8 {
        let mut child = compile();
        // Every other round edits beneath a compiler that runs.
        let mut under_way = 0;
        while round % 2 == 0 && under_way < 20 && child.try_wait().expect("our own child").is_none() {
            edit();
            under_way += 1;
        }
        // An edit may have caught the header empty.
        child.wait().expect("our own child");
        let word = edit();
        assert!(compile().wait().expect("our own child").success());
        let object = std::fs::read(bench.path("x.o")).expect("an object");
        let newest = object.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(newest, "the object is not of {word}\n{}", bench.sandbox.stats());
    }
}

fn a_header_that_comes_to_stand_earlier_is_noticed(bench: &Bench) {
    bench.write("quoted.h", "#include \"x.h\"\n");
    bench.write("bracketed.h", "#include <x.h>\n");
    bench.write("inner/nested.h", "#include \"x.h\"\n");
    bench.write("inner/next.h", "");
    bench.write("outer/next.h", "#include_next <next.h>\n");
    bench.write("last/next.h", says("last"));
    bench.write("late/x.h", says("late"));
    bench.folder("early");
    // What is asked for, the options, and where it comes to stand.
    let cases: [(&str, &[&str], &str); 9] = [
        ("\"quoted.h\"", &["-Iearly", "-Ilate"], "early/x.h"),
        ("\"quoted.h\"", &["-Ilate"], "x.h"),
        ("\"quoted.h\"", &["-iquote", "early", "-Ilate"], "early/x.h"),
        ("<x.h>", &["-Iearly", "-isystem", "late"], "early/x.h"),
        ("\"bracketed.h\"", &["-isystem", "early", "-idirafter", "late"], "early/x.h"),
        ("<x.h>", &["-idirafter", "early", "-idirafter", "late"], "early/x.h"),
        ("<x.h>", &["-Inone", "-Ilate"], "none/x.h"),
        ("\"inner/nested.h\"", &["-Ilate"], "inner/x.h"),
        ("<next.h>", &["-Iouter", "-Iearly", "-Ilast"], "early/next.h"),
    ];
    for (number, (asked, options, place)) in cases.into_iter().enumerate() {
        bench.code(&format!("#include {asked}\nconst char *says(void) {{ return SAYS; }}\n"));
        let case = format!("-DCASE={number}");
        let options = [&[case.as_str()], options].concat();
        bench.compile(&options, "first_seen");
        bench.write(place, says("early"));
        bench.compile(&options, "input_appeared");
        bench.remove(place);
        if number % 4 == 0 {
            bench.compile(&options, "direct_hit");
        }
    }
    // One of the tool's own headers.
    bench.code("#include <stddef.h>\n#ifndef SAYS\n#define SAYS \"\"\n#endif\nconst char *says(void) { return SAYS; }\n");
    bench.compile(&["-Iearly"], "first_seen");
    bench.write("early/stddef.h", says("mine"));
    bench.compile(&["-Iearly"], "input_appeared");
}

fn names_that_the_preprocessor_makes_up_are_followed(bench: &Bench) {
    tests_for_files(bench);
    bench.begin_anew();
    computed_includes(bench);
}

fn tests_for_files(bench: &Bench) {
    bench.folder("tested");
    bench.write("names.h", "#define IS_THERE(name) __has_include(name)\n");
    let tests = [
        "#if __has_include(\"maybe.h\")",
        "#if __has_include(<maybe.h>)",
        "#ifdef __has_include\n#if __has_include ( <maybe.h> )\nint x;\n#endif\n#endif\n#if 0",
        "#include \"names.h\"\n#if IS_THERE(<maybe.h>)",
        "#include \"names.h\"\n#if defined(IS_THERE) && \\\n  IS_THERE(\"maybe.h\")",
    ];
    for (number, test) in tests.into_iter().enumerate() {
        bench.code(&format!("{test}\nint yes;\n#else\nint no;\n#endif\n"));
        let case = format!("-DCASE={number}");
        let options = [case.as_str(), "-Itested"];
        bench.compile(&options, "first_seen");
        bench.write("tested/maybe.h", "");
        bench.compile(&options, "input_appeared");
        bench.remove("tested/maybe.h");
        bench.compile(&options, "direct_hit");
    }
    // A folder is no header.
    let options = ["-DCASE=0", "-Itested"];
    bench.code(&format!("{}\nint yes;\n#else\nint no;\n#endif\n", tests[0]));
    bench.folder("tested/maybe.h");
    bench.sandbox.settle();
    // Of two results the newer, which had a file there, says what is not as it was.
    bench.compile(&options, "input_vanished");
    bench.compile(&options, "direct_hit");
    bench.remove("tested/maybe.h");
    bench.compile(&options, "direct_hit");
    // Present at first, and only the text's own folder matters.
    bench.write("maybe.h", "");
    bench.code("#if __has_include(\"maybe.h\")\nint there;\n#endif\n");
    bench.stores(&[]);
    bench.remove("maybe.h");
    bench.compile(&[], "input_vanished");
    bench.code("#define NAME \"maybe.h\"\n#if __has_include(NAME)\nint there;\n#endif\n");
    bench.compile(&[], "include_computed");
    bench.code("#define PASTE(a, b) a ## b\n#if PASTE(__has_, include)(\"maybe.h\")\nint there;\n#endif\n");
    bench.compile(&[], "include_computed");
}

fn computed_includes(bench: &Bench) {
    bench.write("late/a.h", says("late"));
    bench.folder("early");
    bench.write("name.h", "#define NAME <a.h>\n");
    let by_option = "#include NAME\nconst char *says(void) { return SAYS; }\n";
    let by_header = &format!("#include \"name.h\"\n{by_option}");
    for (text, options) in
        [(by_option, &["-DNAME=<a.h>", "-Iearly", "-Ilate"][..]), (by_header, &["-Iearly", "-Ilate"])]
    {
        bench.code(text);
        bench.compile(options, "first_seen");
        bench.compile(options, "direct_hit");
        bench.write("late/a.h", says("edited"));
        bench.compile(options, "input_changed");
        bench.write("early/a.h", says("early"));
        bench.compile(options, "input_appeared");
        bench.remove("early/a.h");
        bench.write("late/a.h", says("late"));
        bench.compile(options, "direct_hit");
    }
    // Another name altogether.
    bench.write("early/b.h", says("b"));
    bench.write("name.h", "#define NAME <b.h>\n");
    bench.compile(&["-Iearly", "-Ilate"], "input_changed");
}

/// The precompiled first: they hold only for calls with the macros that they were made with.
fn a_forced_header_is_followed_and_a_precompiled_one_is_never_kept(bench: &Bench) {
    precompiled_headers(bench);
    bench.begin_anew();
    forced_headers(bench);
}

fn forced_headers(bench: &Bench) {
    bench.code("const char *says(void) { return SAYS; }\n");
    bench.folder("late");
    for option in ["-include", "-imacros"] {
        let options = [option, "forced.h", "-Ilate"];
        bench.write("late/forced.h", says("late"));
        bench.stores(&options);
        bench.write("late/forced.h", says("edited"));
        bench.compile(&options, "input_changed");
        bench.write("forced.h", says("own"));
        bench.compile(&options, "input_appeared");
        bench.remove("forced.h");
        bench.compile(&options, "direct_hit");
    }
}

fn precompiled_headers(bench: &Bench) {
    bench.write("x.h", says("text"));
    bench.code(SAYS);
    let language = if bench.is_cxx() { "c++-header" } else { "c-header" };
    let precompile = || {
        // What GCC's says differs from what the text says, so that it shows which was read; Clang would notice.
        let text = bench.by_family("precompiled", "text");
        bench.write("x.h", says(text));
        let mut command = bench.sandbox.command(bench.driver);
        command.args(["-x", language, "x.h", "-o", "x.h.gch"]);
        assert!(command.status().expect("it starts").success());
        if !bench.is_clang() {
            bench.write("x.h", says("text"));
        }
        bench.sandbox.settle();
    };
    // Of one that it has read Clang lists the text, before the source.
    let read = bench.by_family("precompiled_header", "dependencies_unreadable");
    for (options, reason) in [(&["-include", "x.h"][..], read), (&[], "precompiled_header")] {
        bench.stores(options);
        precompile();
        bench.compile(options, reason);
        bench.remove("x.h.gch");
        bench.compile(options, "direct_hit");
    }
}

fn folders_of_the_search(bench: &Bench) {
    bench.code("#include <x.h>\nconst char *says(void) { return SAYS; }\n");
    bench.write("one/x.h", says("one"));
    bench.write("two/x.h", says("two"));
    bench.write("three/deep/x.h", says("three"));
    // A link that is switched.
    bench.link("one", "link");
    bench.stores(&["-Ilink"]);
    bench.link("two", "link");
    bench.compile(&["-Ilink"], "input_changed");
    bench.link("one", "link");
    bench.compile(&["-Ilink"], "direct_hit");
    bench.link("none", "link");
    bench.compile(&["-Ilink"], "tool_failed");
    // A folder that is moved away, and another in its place.
    bench.stores(&["-Ithree/deep"]);
    std::fs::rename(bench.path("three"), bench.path("four")).expect("our own folder");
    bench.sandbox.settle();
    bench.compile(&["-Ithree/deep"], "tool_failed");
    bench.write("three/deep/x.h", says("other"));
    bench.compile(&["-Ithree/deep"], "input_changed");
    // A link before the search that comes to lead somewhere.
    bench.stores(&["-Iahead", "-Itwo"]);
    bench.link("one", "ahead");
    bench.compile(&["-Iahead", "-Itwo"], "input_appeared");
    // A search folder that is a file.
    bench.write("file", "");
    bench.compile(&["-Ifile", "-Itwo"], "input_not_a_file");
}
