//! Files that the assembler reads by itself, of which no list tells.

use super::{Bench, with_each_driver};

with_each_driver! {
    what_the_assembler_reads_is_never_kept
}

fn what_the_assembler_reads_is_never_kept(bench: &Bench) {
    files_for_the_assembler(bench);
    bench.begin_anew();
    headers_in_assembly(bench);
}

fn files_for_the_assembler(bench: &Bench) {
    bench.write("data.bin", "one");
    bench.write("part.inc", ".byte 1\n");
    bench.write("embed.h", "#define EMBED(file) __asm__(\".incbin \\\"\" file \"\\\"\")\n");
    let direct = "__asm__(\".data\\n.incbin \\\"data.bin\\\"\\n.text\");\nint x;\n";
    for text in [
        direct,
        "__asm__(\".data\\n.include \\\"part.inc\\\"\\n.text\");\nint x;\n",
        "#include \"embed.h\"\nvoid f(void) { EMBED(\"data.bin\"); }\n",
        "__asm__(\".macro embed f\\n.INCBIN \\\"\\\\f\\\"\\n.endm\\nembed data.bin\\n\");\nint x;\n",
    ] {
        bench.code(text);
        bench.compile(&[], "assembler_input");
    }
    bench.code(direct);
    bench.write("data.bin", "two");
    bench.compile(&[], "assembler_input");
    bench.code("int x;\n");
    bench.compile(&["-DEMBED=\".incbin\""], "assembler_input");
    // Where the assembler looks for what it reads.
    bench.write("elsewhere/data.bin", "far");
    bench.compile(&["-Wa,-Ielsewhere"], "option_uncacheable");
    bench.remove("data.bin");
    bench.code(direct);
    bench.compile(&["-Ielsewhere"], "assembler_input");

    bench.write("x.s", ".data\n.incbin \"elsewhere/data.bin\"\n");
    bench.call(&["-c", "x.s", "-o", "x.o"], "assembler_input");
    bench.write("elsewhere/data.bin", "fur");
    bench.call(&["-c", "x.s", "-o", "x.o"], "assembler_input");
    bench.write("x.S", "#define READ .include\n.data\nREAD \"part.inc\"\n");
    bench.call(&["-c", "x.S", "-o", "x.o"], "assembler_input");
}

fn headers_in_assembly(bench: &Bench) {
    bench.folder("early");
    bench.write("late/part.h", ".byte 1\n");
    bench.write("x.S", "#include \"part.h\"\n");
    let args = ["-Iearly", "-Ilate", "-c", "x.S", "-o", "x.o"];
    bench.call(&args, "first_seen");
    bench.call(&args, "direct_hit");
    bench.write("late/part.h", ".byte 2\n");
    bench.call(&args, "input_changed");
    bench.write("early/part.h", ".byte 3\n");
    bench.call(&args, "input_appeared");
    bench.remove("early/part.h");
    bench.write("late/part.h", ".include \"early/other\"\n");
    bench.write("early/other", ".byte 4\n");
    bench.call(&args, "assembler_input");
    bench.write("late/part.h", ".byte 1\n");
    bench.call(&args, "direct_hit");

    bench.write("x.s", ".byte 1\n");
    bench.call(&["-c", "x.s", "-o", "x.o"], "first_seen");
    bench.write("x.s", ".byte 2\n");
    bench.call(&["-c", "x.s", "-o", "x.o"], "input_changed");
    bench.call(&["-c", "x.s", "-o", "x.o"], "direct_hit");
}
