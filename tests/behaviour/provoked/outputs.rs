//! Outputs of every kind, into whatever stands in their place.

use larder_tests::in_shell;

use super::{Bench, with_each_driver};

with_each_driver! {
    an_output_goes_where_and_as_the_tool_puts_it
    dependency_files_are_the_tools_own
    whatever_else_is_written_is_the_tools_own
}

fn an_output_goes_where_and_as_the_tool_puts_it(bench: &Bench) {
    places(bench);
    bench.begin_anew();
    what_stands_in_the_place(bench);
}

fn places(bench: &Bench) {
    let source = bench.source;
    bench.code("int x;\n");
    bench.write(&format!("deep/{source}"), "int y;\n");
    bench.write("other.c", "int other;\n");
    // Where the driver decides the name.
    bench.call(&["-c", source], "first_seen");
    bench.remove("x.o");
    bench.call(&["-c", source], "direct_hit");
    bench.call(&["-c", &format!("deep/{source}")], "first_seen");
    bench.call(&["-S", source], "first_seen");
    bench.call(&["-S", source], "direct_hit");
    // A folder that is not there, and one that is there no longer.
    bench.call(&["-c", source, "-o", "none/x.o"], "output_not_a_file");
    bench.folder("soon");
    let args = ["-MD", "-c", source, "-o", "soon/x.o"];
    bench.call(&args, "first_seen");
    bench.remove("soon");
    bench.call(&args, "output_not_a_file");
    let args = ["-MD", "-MF", "x.dep", "-c", source, "-o", "soon/x.o"];
    bench.call(&args, "tool_failed");
    bench.folder("soon");
    bench.call(&args, "first_seen");
    bench.remove("soon");
    bench.remove("x.dep");
    bench.call(&args, "output_not_a_file");
    // One that may not be written, to those whom rights concern.
    bench.folder("locked");
    bench.set_mode("locked", 0o555);
    bench.sandbox.settle();
    bench.call(&["-c", source, "-o", "locked/x.o"], where_forbidden());
    bench.set_mode("locked", 0o755);
    // Larger than files may become, in blocks of 512 bytes. Clang tells where in memory it was.
    bench.write("large.c", "char large[1000000] = { 1 };\n");
    let args = ["-w", "-pipe", "-c", "large.c", "-o", "large.o"];
    bench.call(&args, "first_seen");
    if !bench.is_clang() {
        bench.call_as(&args, "restore_failed", |command| in_shell("ulimit -c 0; ulimit -f 100", &command));
    }
    // What is no file.
    bench.call(&["-c", source, "-o", "/dev/null"], "output_not_a_file");
    bench.call(&["-c", source, "-o", "deep"], "output_not_a_file");
    bench.call(&["-c", source, "-o", "-"], "output_to_stdout");
    bench.call(&["-c", source, "other.c"], "several_sources");
    // The source itself, under three names: GCC's drivers refuse some of that, Clang's write over it.
    std::fs::hard_link(bench.path(source), bench.path("twin.o")).expect("our own folder");
    for output in ["twin.o", &format!("deep/../{source}"), source] {
        bench.code("int x;\n");
        bench.call(&["-c", source, "-o", output], "option_uncacheable");
    }
}

/// How a known result ends where the caller may not write: rights do not concern root.
fn where_forbidden() -> &'static str {
    if rustix::process::geteuid().is_root() { "direct_hit" } else { "output_not_a_file" }
}

fn what_stands_in_the_place(bench: &Bench) {
    bench.code("#include \"own.h\"\nint f(int a) { return a; }\n");
    bench.write("own.h", "");
    for (output, args) in [
        ("x.o", &["-MMD", "-fstack-usage", "-c", bench.source, "-o", "x.o"][..]),
        ("x.s", &["-S", bench.source, "-o", "x.s"]),
    ] {
        bench.call(args, "first_seen");
        let outputs: Vec<_> =
            [output, "x.d", "x.su"].into_iter().filter(|name| bench.path(name).exists()).collect();
        for mode in [0o444, 0o777] {
            for output in &outputs {
                bench.sandbox.write(output, "what was there before, longer than what is to come".repeat(500));
                bench.set_mode(output, mode);
            }
            bench.call(args, if mode == 0o444 { where_forbidden() } else { "direct_hit" });
        }
        for (old, reason) in [("", "output_not_a_file"), ("old", "direct_hit")] {
            for output in &outputs {
                let _ = std::fs::remove_file(bench.path(output));
                bench.sandbox.write(&format!("{output}.twin"), old);
                std::fs::hard_link(bench.path(&format!("{output}.twin")), bench.path(output))
                    .expect("our own folder");
            }
            bench.call(args, reason);
        }
        bench.sandbox.write("target", "old");
        for target in ["target", "nowhere"] {
            for output in &outputs {
                bench.link(target, output);
            }
            bench.call(args, "output_not_a_file");
        }
        bench.remove(output);
        let _ = std::fs::remove_file(bench.path("nowhere"));
    }
    // The output is a header that was read for it.
    bench.call(&["-c", bench.source, "-o", "own.h"], "inputs_changed_meanwhile");
}

fn dependency_files_are_the_tools_own(bench: &Bench) {
    bench.write("inc/a b.h", "#include <stddef.h>\n");
    bench.code("#include \"inc/a b.h\"\nint x;\n");
    let cases: [(&[&str], &str); 14] = [
        (&["-MD"], ""),
        (&["-MMD"], ""),
        (&["-MD", "-MF", "named.d", "-MP"], ""),
        (&["-MMD", "-MFnamed.d", "-MT", "one", "-MT", "two three", "-MP"], ""),
        (&["-MMD", "-MQ", "$(dir)/x.o"], ""),
        (&["-Wp,-MD,named.d"], ""),
        (&["-Wp,-MMD,named.d", "-MT", "goal"], ""),
        (&["-MD", "-MF", "none/x.d"], "tool_failed"),
        (&["-MD", "-MF", "x.o"], "option_uncacheable"),
        (&["-MD", "-MG"], "option_uncacheable"),
        (&["-MD", "-MF", "-"], "output_to_stdout"),
        (&["-MD", "-MT", "goal: more"], "dependencies_unreadable"),
        (&["-MF", "x.d"], "option_uncacheable"),
        (&["-M"], "not_a_compile"),
    ];
    for (options, refused) in cases {
        if !refused.is_empty() {
            bench.compile(options, refused);
            continue;
        }
        bench.compile(options, "first_seen");
        for made in ["x.o", "x.d", "named.d"] {
            let _ = std::fs::remove_file(bench.path(made));
        }
        bench.compile(options, "direct_hit");
    }
    // The object's name is in the dependency file, and so it counts.
    bench.call(&["-MMD", "-c", bench.source, "-o", "y.o"], "first_seen");
    // A list that was written for one header is not given for two.
    bench.write("inc/a b.h", "#include <stddef.h>\n#include <stdarg.h>\n");
    bench.compile(&["-MMD"], "input_changed");
    bench.compile(&["-MD"], "input_changed");
}

fn whatever_else_is_written_is_the_tools_own(bench: &Bench) {
    bench.code("int f(int a) { int b[10]; b[0] = a; return b[0] + a; }\n");
    let kept: [&[&str]; 5] = [
        bench.by_family(&["-fcallgraph-info"], &["-fstack-usage", "-O1"]),
        &["-fstack-usage"],
        &["-g", "-gsplit-dwarf"],
        &["-flto", "-frandom-seed=1"],
        bench.by_family(&["-frecord-gcc-switches"], &["-g", "-grecord-command-line"]),
    ];
    for options in kept {
        bench.compile(options, "first_seen");
        for made in ["x.o", "x.su", "x.dwo", "x.ci"] {
            let _ = std::fs::remove_file(bench.path(made));
        }
        bench.compile(options, "direct_hit");
    }
    // Options by which tools read or write more than is listed; not each driver knows each of them.
    for options in [
        &["-Xclang", "-load"][..],
        &["-embed-dir=."],
        &["-fauto-profile=none"],
        &["-fcoverage-mapping"],
        &["-fmodule-file=none.pcm"],
        &["-fmodule-map-file=none"],
        &["-fmodules"],
        &["-fmodules-ts"],
        &["-fpass-plugin=none.so"],
        &["-fplugin=none.so"],
        &["-fprofile-instr-use=none"],
        &["-fsanitize-blacklist=none"],
        &["-fsanitize-ignorelist=none"],
        &["-gsplit-dwarf=single"],
        &["-ivfsoverlay", "none"],
        &["-wrapper", "env"],
        &["-MJ", "part.json"],
    ] {
        let reason = if matches!(options[0], "-embed-dir=." | "-ivfsoverlay") {
            "option_unknown"
        } else {
            "option_uncacheable"
        };
        bench.compile(options, reason);
    }
    // What these write differs each time.
    for option in ["-Wa,-a=x.lst", "-fsave-optimization-record", "-ftime-report", "-ftime-trace"] {
        let call = [bench.driver, option, "-c", bench.source, "-o", "x.o"];
        bench.sandbox.larder(call).output().expect("larder starts");
        assert_eq!(bench.last_record().0, "option_uncacheable", "{option}");
    }
    let language = if bench.is_cxx() { "c++" } else { "c" };
    bench.call(
        &["-include-pch", "none.pch", "-x", language, "-c", bench.source, "-o", "x.o"],
        "precompiled_header",
    );
    for options in [
        &["-save-temps"][..],
        &["--coverage", "-frandom-seed=1"],
        &["-fprofile-arcs", "-frandom-seed=1"],
        &["-fprofile-use=none"],
        &["-fdump-tree-all=dump", "-w"],
    ] {
        bench.compile(options, "option_uncacheable");
    }
    for args in [
        &["-E", bench.source][..],
        &["-E", bench.source, "-o", "x.i"],
        &["-fsyntax-only", bench.source],
        &["--version"],
    ] {
        bench.call(args, "not_a_compile");
    }
    // Another output than before does not stay behind.
    bench.call(&["-c", bench.source, "-fstack-usage", "-o", "other.o"], "first_seen");
}
