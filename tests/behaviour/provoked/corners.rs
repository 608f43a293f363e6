//! What tools do that few know of.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::{Bench, with_each_driver};

with_each_driver! {
    headers_that_the_tool_takes_for_one_are_not_kept
    folders_that_options_bring_along_are_followed
    odd_names_are_the_tools_own
}

/// GCC reads no second header that is to be read once and has the text and the time of the first; Clang none that is
/// another name of the first. Neither lists it.
fn headers_that_the_tool_takes_for_one_are_not_kept(bench: &Bench) {
    let text = "#pragma once\nNAMED;\n";
    let two = "#define NAMED int a\n#include \"one/x.h\"\n#undef NAMED\n#define NAMED int b\n#include \"two/x.h\"\n";
    bench.code(two);
    bench.folder("two");
    let set_time = |name: &str, seconds: u64| {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = File::options().write(true).open(bench.path(name));
        file.and_then(|file| file.set_modified(time)).expect("our own file");
        bench.sandbox.settle();
    };
    bench.write("one/x.h", text);
    set_time("one/x.h", 1_000_000_000);
    bench.write("two/x.h", text);
    for time in [1_000_000_000, 1_100_000_000] {
        set_time("two/x.h", time);
        bench.compile(&[], "included_once");
    }
    bench.write("two/x.h", "#pragma once\nNAMED, edited;\n");
    bench.stores(&[]);
    bench.remove("two/x.h");
    std::fs::hard_link(bench.path("one/x.h"), bench.path("two/x.h")).expect("our own folder");
    bench.sandbox.settle();
    bench.compile(&[], "included_once");
    bench.link("../one/x.h", "two/x.h");
    bench.compile(&[], "included_once");
    bench.remove("two/x.h");
    bench.write("two/x.h", text);
    bench.code(&format!("{two}int c;\n").replace("#include", "#import"));
    bench.compile(&["-w"], "included_once");
    // One header by several names of its folder is one, and stays one.
    bench.code("#include <x.h>\n");
    let options = ["-DNAMED=int z", "-Ione", "-Itwo/../one", "-I./one"];
    bench.compile(&options, "first_seen");
    bench.compile(&options, "direct_hit");
}

fn folders_that_options_bring_along_are_followed(bench: &Bench) {
    // Of a folder that is not there some options make the tool tell.
    bench.code("int x;\n");
    for options in [["-Wmissing-include-dirs", "-Inone"], ["-Wmissing-include-dirs", "-isystemnone/"]] {
        bench.compile(&options, "first_seen");
        bench.folder("none");
        bench.sandbox.settle();
        bench.compile(&options, "input_appeared");
        bench.compile(&options, "direct_hit");
        bench.remove("none");
        bench.compile(&options, "direct_hit");
    }
    // Some folders are searched only where others are given.
    bench.code("#include <stddef.h>\n#ifdef MARKED\nint marked;\n#endif\n");
    bench.folder("lib");
    bench.folder("root");
    // Where they are searched after the tool's own, what they hold does not matter in the end.
    for (options, place, there, gone) in [
        (
            &["-B", "lib/"][..],
            "lib/include",
            bench.by_family("first_seen", "direct_hit"),
            bench.by_family("input_vanished", "direct_hit"),
        ),
        (&["--sysroot=root"], "root/usr/include", "input_appeared", "direct_hit"),
        (
            &["-isysroot", "root"],
            "root/usr/include",
            bench.by_family("input_appeared", "direct_hit"),
            "direct_hit",
        ),
    ] {
        bench.compile(options, "first_seen");
        bench.compile(options, "direct_hit");
        bench.write(&format!("{place}/stddef.h"), "#define MARKED\n");
        bench.compile(options, there);
        bench.remove(place);
        bench.compile(options, gone);
    }
}

fn odd_names_are_the_tools_own(bench: &Bench) {
    let suffix = if bench.is_cxx() { "cc" } else { "c" };
    bench.write("a b$c#d%e.h", "#define SAYS __FILE__\n");
    for name in ["a b", "a$b#c", "\u{e9}", "a:b", "a'b&c;d"] {
        let source = format!("./{name}.{suffix}");
        bench.write(&source, "#include \"a b$c#d%e.h\"\nconst char *says = SAYS __FILE__;\n");
        bench.call(&["-MMD", "-MP", "-c", &source], "first_seen");
        bench.call(&["-MMD", "-MP", "-c", &source], "direct_hit");
    }
    // Drivers list some names in ways that cannot be read back for sure.
    bench.write(&format!("a\\b.{suffix}"), "int x;\n");
    bench.call(&["-c", &format!("a\\b.{suffix}"), "-o", "x.o"], "option_uncacheable");
}
