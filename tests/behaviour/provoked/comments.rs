//! Edits of comments: a hit where no compiler can tell, and never a stale result where one can.

use super::{Bench, with_each_driver};

with_each_driver! {
    a_comment_counts_where_it_can_be_noticed
}

const HEADER: &str = "/* What one is. */\nint one(int); // and no more\n";
const SOURCE: &str = "#include \"x.h\"\nint f(int a) { /* so */ return one(a); }\n";

fn a_comment_counts_where_it_can_be_noticed(bench: &Bench) {
    let edited = |header: &str, options: &[&str], reason: &str| {
        bench.write("x.h", HEADER);
        bench.code(SOURCE);
        bench.compile(options, "first_seen");
        bench.write("x.h", header);
        bench.compile(options, reason);
    };
    let other = HEADER.replace("What one is.", "What it was.").replace(" // and no more", "");
    edited(&other, &["-Wall"], "preprocessed_hit");
    // Columns and digests show in debug information.
    edited(&other, &["-g"], bench.by_family("preprocessed_hit", "input_changed"));
    bench.compile(&["-g"], bench.by_family("preprocessed_hit", "direct_hit"));
    edited(&HEADER.replace("/* What", "/* /* What"), &["-Wall", "-O1"], "input_changed");
    edited(&HEADER.replace("one is. */", "one is, */ "), &["-O2"], "preprocessed_hit");
    edited(&HEADER.replace("/* What one is. */\nint", "/* What one is.\n */ int"), &["-O3"], "input_changed");
    edited(&HEADER.replace("no more", "no \\\n more"), &["-Wall", "-Os"], "input_changed");
    // The source's own.
    bench.write("x.h", HEADER);
    bench.code(&SOURCE.replace("so", "OH"));
    bench.compile(&["-Wall"], "preprocessed_hit");
    // What was said once quotes the text.
    let warned = "int f(int a) { int unused; return a; } /* 1 */\n";
    bench.code(warned);
    bench.compile(&["-Wall"], "input_changed");
    bench.code(&warned.replace('1', "2"));
    bench.compile(&["-Wall"], "input_changed");
    // That there is a comment at all, and of which kind.
    let falls =
        "int f(int a) {\n  switch (a) {\n    case 1: a++; /* on */\n    case 2: a++;\n  }\n  return a;\n}\n";
    for (option, text, other) in [
        ("-Wimplicit-fallthrough=1", falls.to_owned(), falls.replace(" /* on */", "")),
        ("-std=gnu89", SOURCE.replace("(a); }", "(a); } /* a */"), SOURCE.replace("(a); }", "(a); } // a")),
        (
            "-Wc90-c99-compat",
            SOURCE.replace("(a); }", "(a); } /* b */"),
            SOURCE.replace("(a); }", "(a); } // b"),
        ),
    ] {
        if bench.is_cxx() || bench.is_clang() && option.starts_with("-W") {
            continue;
        }
        let options = [option, "-pedantic"];
        bench.code(&text);
        bench.compile(&options, "first_seen");
        bench.code(&other);
        bench.compile(&options, "input_changed");
    }
}
