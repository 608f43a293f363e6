//! What tools read or show of which no list and no option tells.

use larder_tests::in_shell;

use super::{Bench, with_each_driver};

with_each_driver! {
    a_file_that_lines_are_said_to_be_of_is_followed
    a_header_that_is_read_unasked_is_followed
    directives_in_pieces_are_never_kept
    a_folder_that_assembly_shows_counts
    a_command_line_that_shows_counts_as_it_was_given
    other_languages_are_not_kept
}

/// GCC quotes what it warns of from the file that a `#line` names, and looks up there how far it is indented.
fn a_file_that_lines_are_said_to_be_of_is_followed(bench: &Bench) {
    let of_gcc = |reason| bench.by_family(reason, "direct_hit");
    let cases = [
        ("#line 1 \"x.y\"\nint f(void) { int unused; return 0; }\n", &["-Wall"][..]),
        ("# 1 \"sub/../x.y\" 1\nint f(void) { int unused; return 0; }\n", &["-Wall"]),
        // Whether there is anything to say at all.
        (
            "#line 1 \"x.y\"\nint g(int);\nint f(int a) {\n    if (a)\n        g(1);\n        g(2);\n    return 0;\n}\n",
            &["-Wmisleading-indentation"],
        ),
    ];
    for (number, (text, options)) in cases.into_iter().enumerate() {
        let case = format!("-DCASE={number}");
        let options = &[&[case.as_str()], options].concat()[..];
        bench.folder("sub");
        let quoted = "int f(void) { as it was }\n".repeat(9);
        bench.write("x.y", &quoted);
        bench.code(text);
        bench.compile(options, "first_seen");
        bench.compile(options, "direct_hit");
        bench.write("x.y", "\t\t\tint f(void) { edited }\n".repeat(9));
        bench.compile(options, of_gcc("input_changed"));
        bench.remove("x.y");
        bench.compile(options, of_gcc("input_vanished"));
        bench.compile(options, "direct_hit");
        bench.write("x.y", &quoted);
        bench.compile(options, "direct_hit");
    }
    bench.code("#define NAME \"x.y\"\n#line 1 NAME\nint f(void) { int unused; return 0; }\n");
    bench.compile(&["-Wall"], bench.by_family("include_computed", "first_seen"));
}

/// GCC reads a header of the C library before all else, wherever on the search path it is.
fn a_header_that_is_read_unasked_is_followed(bench: &Bench) {
    bench.folder("early");
    bench.code("#ifndef SAYS\n#define SAYS 0\n#endif\nint says = SAYS;\n");
    let options = ["-Iearly"];
    bench.stores(&options);
    bench.write("early/stdc-predef.h", "#define SAYS 1\n");
    bench.compile(&options, "input_appeared");
    bench.compile(&options, "direct_hit");
    bench.write("early/stdc-predef.h", "#define SAYS 2\n");
    bench.compile(&options, bench.by_family("input_changed", "direct_hit"));
    bench.remove("early/stdc-predef.h");
    bench.compile(&options, "direct_hit");
}

fn directives_in_pieces_are_never_kept(bench: &Bench) {
    for text in [
        "__asm__(\".data\\n.inc\" \"bin \\\"data.bin\\\"\\n.text\");\n",
        "#define TEXT(x) #x\n__asm__(\".data\\n\" TEXT(.in) \"cbin \\\"data.bin\\\"\\n.text\");\n",
        "__asm__(\".data\\n\\x2eincbin \\\"data.bin\\\"\\n.text\");\n",
        "__asm__(\".macro reads f\\n.\\\\f \\\"data.bin\\\"\\n.endm\\n.data\\nreads incbin\\n.text\");\n",
    ] {
        bench.code(text);
        for data in ["one", "two"] {
            bench.write("data.bin", data);
            bench.compile(&[], "assembler_input");
        }
    }
    bench.write("x.s", ".macro reads f\n.\\f \"data.bin\"\n.endm\n.data\nreads incbin\n");
    bench.call(&["-c", "x.s", "-o", "x.o"], "assembler_input");
    bench.write("x.S", "#include \"macro.h\"\n.data\nreads incbin\n");
    bench.write("macro.h", ".macro reads f\n.\\f \"data.bin\"\n.endm\n");
    bench.call(&["-c", "x.S", "-o", "x.o"], "assembler_input");
}

fn a_folder_that_assembly_shows_counts(bench: &Bench) {
    let from = |folder: &str, name: &str, reason: &str| {
        bench.call_as(&["-c", name, "-o", "x.o"], reason, |mut command| {
            command.current_dir(bench.path(folder)).env("PWD", bench.path(folder));
            command
        });
    };
    for folder in ["one", "two"] {
        bench.write(&format!("{folder}/x.s"), ".file 1 \"y.c\"\n.loc 1 1 0\nnop\n");
        bench.write(&format!("{folder}/y.S"), "#define AT .loc 1 1 0\n.file 1 \"y.c\"\nAT\nnop\n");
        let text = "__asm__(\".file 1 \\\"y.c\\\"\\n.loc 1 1 0\\nnop\");\n";
        bench.write(&format!("{folder}/{}", bench.source), text);
    }
    for name in ["x.s", "y.S"] {
        from("one", name, "first_seen");
        from("one", name, "direct_hit");
        from("two", name, "first_seen");
        from("two", name, "direct_hit");
    }
    for folder in ["one", "two"] {
        from(folder, bench.source, "assembler_input");
    }
}

fn a_command_line_that_shows_counts_as_it_was_given(bench: &Bench) {
    bench.code("int x;\n");
    let option = bench.by_family("-frecord-gcc-switches", "-frecord-command-line");
    let first = [option, "-c", bench.source, "-o", "x.o"];
    bench.call(&first, "first_seen");
    bench.call(&first, "direct_hit");
    // Another object, another order, another spelling: Clang shows all of that.
    for args in [
        &[option, "-c", bench.source, "-o", "y.o"][..],
        &[option, "-c", "-o", "x.o", bench.source],
        &[option, "-c", bench.source, "-ox.o"],
        &[option, "-MMD", "-MF", "x.d", "-c", bench.source, "-o", "x.o"],
        &[option, "-MMD", "-MFx.d", "-c", bench.source, "-o", "x.o"],
    ] {
        bench.call(args, "first_seen");
        bench.call(args, "direct_hit");
    }
    for object in ["x.o", "y.o"] {
        bench.write("all.args", format!("{option} -c {} -o {object}", bench.source));
        bench.call(&["@all.args"], "first_seen");
    }
}

fn other_languages_are_not_kept(bench: &Bench) {
    bench.code("int x;\n");
    bench.write("x.m", "int x;\n");
    bench.write("x.mm", "int x;\n");
    bench.write("x.i", "# 1 \"x.c\"\nint x;\n");
    bench.write("x.h", "int x;\n");
    for args in [
        &["-c", "x.m", "-o", "x.o"][..],
        &["-c", "x.mm", "-o", "x.o"],
        &["-c", "x.i", "-o", "x.o"],
        &["-x", "objective-c", "-c", bench.source, "-o", "x.o"],
        &["-ObjC", "-c", bench.source, "-o", "x.o"],
    ] {
        bench.call(args, "source_kind_unknown");
    }
    // What is made of a header differs each time, and is put where the compiler puts it.
    for args in [&["x.h"][..], &["-c", "x.h"], &["-x", "c-header", "x.h", "-o", "made.gch"]] {
        let through = bench.sandbox.larder([&[bench.driver], args].concat()).output().expect("larder starts");
        let made = if args.contains(&"-o") { "made.gch" } else { "x.h.gch" };
        assert!(through.status.success() && bench.path(made).exists(), "{args:?}");
        bench.remove(made);
    }
    let read = |command| in_shell("exec <x.h", &command);
    bench.call_as(&["-x", "c-header", "-fsyntax-only", "-"], "not_a_compile", read);
}
