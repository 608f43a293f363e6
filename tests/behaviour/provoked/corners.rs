//! What tools do that few know of.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::{Bench, with_each_driver};

with_each_driver! {
    a
    b
    c
    d
    e
    f
}

const ONCE: &str = "#pragma once\n#define NAME(number) NAMED(number)\n#define NAMED(number) int number_ ## number\n";

fn set_time(bench: &Bench, name: &str, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    let file = File::options().write(true).open(bench.path(name));
    file.and_then(|file| file.set_modified(time)).expect("our own file");
    bench.sandbox.settle();
}

/// GCC takes two files for one when their times and texts are the same, and then reads the second no further.
fn a(bench: &Bench) {
    let text = "#pragma once\nNEXT\n";
    bench.code("#define NEXT int a;\n#include \"one/x.h\"\n#undef NEXT\n#define NEXT int b;\n#include \"two/x.h\"\nint c;\n");
    for name in ["one/x.h", "two/x.h"] {
        bench.write(name, text);
        set_time(bench, name, 1_000_000_000);
    }
    let args = ["-c", bench.source, "-o", "x.o"];
    let see = || { larder_tests::same_as_alone(&bench.sandbox, &[&[bench.driver], &args[..]].concat()); eprintln!("{}", bench.sandbox.last_reason()); };
    see();
    see();
    bench.write("two/x.h", "#pragma once\nNEXT\nint edited;\n");
    see();
    let _ = ONCE;
}

fn b(bench: &Bench) {
    let text = "#pragma once\nNEXT\n";
    bench.code("#define NEXT int a;\n#include \"one/x.h\"\n#undef NEXT\n#define NEXT int b;\n#include \"two/x.h\"\nint c;\n");
    for name in ["one/x.h", "two/x.h"] {
        bench.write(name, text);
        set_time(bench, name, 1_000_000_000);
    }
    let args = ["-c", bench.source, "-o", "x.o"];
    let see = || { larder_tests::same_as_alone(&bench.sandbox, &[&[bench.driver], &args[..]].concat()); eprintln!("{}", bench.sandbox.last_reason()); };
    see();
    set_time(bench, "two/x.h", 1_100_000_000);
    see();
    set_time(bench, "two/x.h", 1_000_000_000);
    see();
}

fn c(bench: &Bench) {
    bench.code("int x;\n");
    let args = ["-Wmissing-include-dirs", "-Inone", "-c", bench.source, "-o", "x.o"];
    let see = || { larder_tests::same_as_alone(&bench.sandbox, &[&[bench.driver], &args[..]].concat()); eprintln!("{}", bench.sandbox.last_reason()); };
    see();
    bench.folder("none");
    bench.sandbox.settle();
    see();
    bench.remove("none");
    see();
}

fn d(bench: &Bench) {
    bench.code("#include <stddef.h>\n#ifdef MARK\nint mark;\n#endif\n");
    bench.folder("lib");
    bench.folder("root");
    for options in [&["-B", "lib/"][..], &["--sysroot=root"], &["-isysroot", "root"]] {
        let argv = [&[bench.driver], options, &["-c", bench.source, "-o", "x.o"]].concat();
        let see = || { larder_tests::same_as_alone(&bench.sandbox, &argv); eprintln!("{}", bench.sandbox.last_reason()); };
        see();
        see();
        for place in ["lib/include", "root/usr/include", "root/usr/local/include", "root/include"] {
            bench.write(&format!("{place}/stddef.h"), "#define MARK\n");
            eprintln!("{place}");
            see();
            bench.remove(place);
        }
    }
}

fn e(bench: &Bench) {
    bench.write("a b$c#d%e.h", "#define SAYS __FILE__\n");
    for name in ["a b", "a$b", "a#b", "a%b", "\u{e9}", "a:b", "a'b", "a\\b", "-dash", "a\tb", "a;b", "a&b"] {
        let source = format!("./{name}.{}", if bench.is_cxx() { "cc" } else { "c" });
        bench.write(&source, "#include \"a b$c#d%e.h\"\nconst char *s = SAYS __FILE__;\n");
        for options in [&[][..], &["-MD"], &["-MMD", "-MP"]] {
            let argv = [&[bench.driver], options, &["-c", &source]].concat();
            let see = || { larder_tests::same_as_alone(&bench.sandbox, &argv); eprintln!("{name} {}", bench.sandbox.last_reason()); };
            see();
            see();
        }
    }
}

/// Two names of one file.
fn f(bench: &Bench) {
    let text = "#pragma once\nNEXT\n";
    bench.code("#define NEXT int a;\n#include \"one/x.h\"\n#undef NEXT\n#define NEXT int b;\n#include \"two/x.h\"\nint c;\n");
    bench.write("one/x.h", text);
    bench.folder("two");
    std::fs::hard_link(bench.path("one/x.h"), bench.path("two/x.h")).expect("our own folder");
    bench.sandbox.settle();
    let args = ["-c", bench.source, "-o", "x.o"];
    let see = || { larder_tests::same_as_alone(&bench.sandbox, &[&[bench.driver], &args[..]].concat()); eprintln!("{}", bench.sandbox.last_reason()); };
    see();
    see();
    bench.remove("two/x.h");
    bench.write("two/x.h", text);
    see();
    bench.remove("two/x.h");
    bench.link("../one/x.h", "two/x.h");
    see();
    bench.remove("two/x.h");
    bench.write("two/x.h", "#pragma once\nint edited;\n");
    see();
}
