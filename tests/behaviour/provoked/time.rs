//! Times in the text: what shows them is never kept.

use std::time::{Duration, SystemTime};

use super::{Bench, with_each_driver};

with_each_driver! {
    a_time_in_the_text_is_never_kept
}

fn a_time_in_the_text_is_never_kept(bench: &Bench) {
    times_in_texts(bench);
    bench.begin_anew();
    times_fixed_from_outside(bench);
}

/// What the compiler says of a time may change between two runs, and its length does not.
fn times_in_texts(bench: &Bench) {
    bench.write("time.h", "static const unsigned length = sizeof(__TIME__);\n");
    bench.write("paste.h", "#define JOIN(a, b) a ## b\n");
    bench.write("wrap.h", "#define WRAP(a) __ ## a ## __\n");
    bench.write("direct.h", "#define DIRECTLY __DA ## TE__\n");
    let length = |time: &str| format!("unsigned length(void) {{ return sizeof({time}); }}\n");
    let pasted = |time: &str| format!("#include \"paste.h\"\n{}", length(time));
    for (text, options) in [
        (length("__DATE__"), &[][..]),
        (length("__TIME__"), &[]),
        (length("__TIMESTAMP__"), &[]),
        (length("__TI\\\nME__"), &[]),
        ("#include \"time.h\"\nunsigned f(void) { return length; }\n".to_owned(), &[]),
        (pasted("JOIN(__DA, TE__)"), &[]),
        (format!("#include \"wrap.h\"\n{}", length("WRAP(DATE)")), &[]),
        (format!("#include \"direct.h\"\n{}", length("DIRECTLY")), &[]),
        (length("WHEN"), &["-DWHEN=__DATE__"]),
        (length("WHEN"), &["-D", "WHEN=__TIMESTAMP__"]),
        (length("JOIN(__, DATE__)"), &["-DJOIN(a,b)=a##b"]),
    ] {
        bench.code(&text);
        bench.compile(options, "time_macro");
    }
    // With the source's own time in it, and that changed.
    bench.code("const char *when(void) { return __TIMESTAMP__; }\n");
    let source = bench.path(bench.source);
    for seconds in [1_000_000_000, 1_100_000_000] {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let file = std::fs::File::options().write(true).open(&source);
        file.and_then(|file| file.set_modified(time)).expect("our own file");
        bench.sandbox.settle();
        bench.compile(&[], "time_macro");
    }
}

fn times_fixed_from_outside(bench: &Bench) {
    bench.code("const char *when(void) { return __DATE__ \" \" __TIME__; }\n");
    let args = ["-c", bench.source, "-o", "x.o"];
    for epoch in ["1", "1000000000", "1000000000"] {
        // Clang learned of it later than GCC did: what it says itself may change between two runs.
        let args =
            [&args[..], bench.by_family(&[], &["-D__DATE__=\"d\"", "-D__TIME__=\"t\"", "-w"])].concat();
        bench.call_with(&[("SOURCE_DATE_EPOCH", epoch)], &args, "time_macro");
    }
    bench.code("int no_time;\n");
    for reason in ["first_seen", "direct_hit"] {
        bench.call_with(&[("SOURCE_DATE_EPOCH", "1")], &args, reason);
    }
    bench.call_with(&[("SOURCE_DATE_EPOCH", "2")], &args, "first_seen");
}
