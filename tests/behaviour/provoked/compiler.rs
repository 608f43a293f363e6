//! Compilers, assemblers and their settings that change under one name.

use std::path::PathBuf;

use super::{Bench, with_each_driver};

with_each_driver! {
    the_compiler_that_runs_is_the_one_that_counts
    what_the_compiler_runs_and_reads_by_itself_is_followed
    what_an_earlier_daemon_knew_of_tools_is_believed_only_while_it_is_true
}

/// Where PATH leads for `name`.
fn found(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").expect("a PATH");
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|place| place.is_file()).expect("it is installed")
}

fn path_with(bench: &Bench, folder: &str) -> String {
    let path = std::env::var("PATH").expect("a PATH");
    format!("{}:{path}", bench.path(folder).display())
}

fn program(bench: &Bench, name: &str, script: &str) {
    bench.write(name, format!("#!/bin/sh\n{script}\n"));
    bench.set_mode(name, 0o755);
    bench.sandbox.settle();
}

fn the_compiler_that_runs_is_the_one_that_counts(bench: &Bench) {
    // One that shows which compiler it was.
    bench.code("const char *version(void) { return __VERSION__; }\n");
    bench.folder("bin");
    let path = path_with(bench, "bin");
    let env = [("PATH", path.as_str())];
    let args = ["-c", bench.source, "-o", "x.o"];
    let other = match bench.driver {
        "gcc" => "clang",
        "clang" => "gcc",
        "g++" => "clang++",
        _ => "g++",
    };
    let link = format!("bin/{}", bench.driver);
    bench.call_with(&env, &args, "first_seen");
    bench.call_with(&env, &args, "direct_hit");
    bench.link(found(other), &link);
    bench.call_with(&env, &args, "first_seen");
    bench.call_with(&env, &args, "direct_hit");
    bench.link(found(bench.driver), &link);
    bench.call_with(&env, &args, "first_seen");
    bench.link(found(other), &link);
    bench.call_with(&env, &args, "direct_hit");
    bench.remove(&link);
    bench.call_with(&env, &args, "direct_hit");
    // A script may call anything, and another the next time.
    for option in ["-DONE", "-DTWO"] {
        program(bench, &link, &format!("exec {} {option} \"$@\"", found(bench.driver).display()));
        bench.call_with(&env, &args, "compiler_unknown");
    }
    program(bench, &link, "kill -TERM $$");
    bench.call_with(&env, &args, "compiler_unknown");
    // One that is no program at all is passed by.
    bench.set_mode(&link, 0o644);
    bench.sandbox.settle();
    bench.call_with(&env, &args, "direct_hit");
}

fn what_the_compiler_runs_and_reads_by_itself_is_followed(bench: &Bench) {
    assemblers(bench);
    bench.begin_anew();
    settings(bench);
}

fn what_an_earlier_daemon_knew_of_tools_is_believed_only_while_it_is_true(bench: &Bench) {
    bench.new_daemons.set(true);
    the_compiler_that_runs_is_the_one_that_counts(bench);
    bench.begin_anew();
    what_the_compiler_runs_and_reads_by_itself_is_followed(bench);
}

/// An assembler that marks what it makes, in each place in which GCC's drivers look for one. Clang's have their own.
fn assemblers(bench: &Bench) {
    bench.code("int x;\n");
    bench.folder("bin");
    let folder = format!("{}/", bench.path("bin").display());
    let path = path_with(bench, "bin");
    let plain = ["-c", bench.source, "-o", "x.o"];
    let by_option = [&["-B", "bin/"], &plain[..]].concat();
    let marks = format!("exec {} --defsym marked=1 \"$@\"", found("as").display());
    for (env, args) in [
        (&[][..], &by_option[..]),
        (&[("COMPILER_PATH", folder.as_str())], &plain),
        (&[("COMPILER_PATH", "bin")], &plain),
        (&[("PATH", &path)], &plain),
    ] {
        bench.call_with(env, args, "first_seen");
        bench.call_with(env, args, "direct_hit");
        program(bench, "bin/as", &marks);
        bench.call_with(env, args, bench.by_family("compiler_unknown", "direct_hit"));
        bench.remove("bin/as");
        // One that makes nothing, and says that all is well.
        bench.link(found("true"), "bin/as");
        let _ = std::fs::remove_file(bench.path("x.o"));
        bench.call_with(env, args, bench.by_family("output_missing", "direct_hit"));
        bench.remove("bin/as");
        bench.call_with(env, args, "direct_hit");
    }
    // The compiler proper, which by the way of PATH is not looked for.
    let proper = if bench.is_cxx() { "bin/cc1plus" } else { "bin/cc1" };
    for (env, args) in [(&[][..], &by_option[..]), (&[("COMPILER_PATH", folder.as_str())], &plain)] {
        program(bench, proper, "exit 1");
        bench.call_with(env, args, bench.by_family("compiler_unknown", "direct_hit"));
        bench.remove(proper);
        if !env.is_empty() {
            continue;
        }
        bench.link(found("false"), proper);
        let _ = std::fs::remove_file(bench.path("x.o"));
        bench.call_with(env, args, bench.by_family("probe_failed", "direct_hit"));
        bench.remove(proper);
        bench.call_with(env, args, "direct_hit");
    }
}

fn settings(bench: &Bench) {
    bench.code("#ifdef MARKED\nint marked = MARKED;\n#endif\nint x;\n");
    bench.folder("lib");
    let args = ["-B", "lib/", "-c", bench.source, "-o", "x.o"];
    bench.call(&args, "first_seen");
    bench.call(&args, "direct_hit");
    for value in ["1", "2"] {
        bench.write("lib/specs", format!("*cpp_unique_options:\n+ -DMARKED={value}\n\n"));
        bench.call(&args, bench.by_family("first_seen", "direct_hit"));
        bench.call(&args, "direct_hit");
    }
    bench.remove("lib/specs");
    bench.call(&args, "direct_hit");
    bench.write("given.specs", "*cpp_unique_options:\n+ -DMARKED=3\n\n");
    bench.compile(&["-specs=given.specs"], "option_uncacheable");
    bench.write("given.cfg", "-DMARKED=4\n");
    bench.compile(&["--config", "given.cfg"], "option_uncacheable");
    if !bench.is_clang() {
        return;
    }
    // Clang reads settings for the name it is called by from where it lies.
    let name = format!("bin/x86_64-pc-linux-gnu-{}", bench.driver);
    bench.folder("bin");
    bench.link(found(bench.driver), &name);
    let compile = |reason: &str| {
        let tool = bench.path(&name).display().to_string();
        let argv = [tool.as_str(), "-no-canonical-prefixes", "-c", bench.source, "-o", "x.o"];
        larder_tests::same_as_alone(&bench.sandbox, &argv);
        assert_eq!(bench.sandbox.last_reason(), reason);
    };
    compile("first_seen");
    compile("direct_hit");
    for value in ["1", "2"] {
        bench.write(&format!("{name}.cfg"), format!("-DMARKED={value}\n"));
        compile("first_seen");
        compile("direct_hit");
    }
    bench.write("bin/more.cfg", "-DMARKED=5\n");
    bench.write(&format!("{name}.cfg"), "@more.cfg\n");
    compile("compiler_unknown");
    bench.remove(&format!("{name}.cfg"));
    compile("direct_hit");
}
