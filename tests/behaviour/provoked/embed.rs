//! Files of any kind that a text takes in by `#embed`, with the oldest compiler of Debian's that knows it.

use super::Bench;

const SOURCE: &str = "const char a[] = {\n#embed \"data.txt\"\n};\n";

#[test]
fn what_is_embedded_counts_to_the_last_byte() {
    let bench = &Bench::new("clang-19");
    bench.code(SOURCE);
    bench.write("data.txt", "one // two");
    bench.stores(&["-std=c23"]);
    // No part of it is a comment, and no white space at its end is nothing.
    for text in ["one // six", "one // six ", "one // six \n", "/**/one", "/* */one", ""] {
        bench.write("data.txt", text);
        bench.compile(&["-std=c23"], "input_changed");
    }
    bench.write("data.txt", "one // two");
    bench.compile(&["-std=c23"], "direct_hit");
    // Nor is it a text that asks for anything.
    bench.write("data.txt", "#include \"nothing.h\"\n__asm__(\"nothing\") \0\u{7f}\n");
    bench.compile(&["-std=c23"], "input_changed");
    bench.compile(&["-std=c23"], "direct_hit");
    bench.remove("data.txt");
    bench.compile(&["-std=c23"], "tool_failed");

    // A header takes it in, in a way that is not seen at once.
    bench.code("#include \"h.h\"\n");
    for directive in ["# /* */ em\\\nbed", "# /*\n */ embed", "%:\\\n\\\nembed"] {
        bench.write(
            "h.h",
            format!("const char a[] = {{\n{directive} \"data.txt\" limit(6) if_empty(0)\n}};\n"),
        );
        bench.write("data.txt", "a /*b*/ c");
        bench.compile(&["-std=c23"], "input_changed");
        bench.compile(&["-std=c23"], "direct_hit");
        bench.write("data.txt", "a /*c*/ c");
        bench.compile(&["-std=c23"], "input_changed");
    }

    // By a macro's name, which Clang lists as another.
    bench.code("#define DATA \"data.txt\"\nconst char a[] = {\n#embed DATA\n};\n");
    bench.compile(&["-std=c23", "-O1"], "include_computed");
    bench.write("data.txt", "a /*d*/ c");
    bench.compile(&["-std=c23", "-O1"], "include_computed");

    // In C++ it is an extension.
    let options = ["-x", "c++", "-c", "x.c", "-o", "x.o"];
    bench.code(SOURCE);
    bench.call(&options, "first_seen");
    bench.write("data.txt", "a /*e*/ c");
    bench.call(&options, "input_changed");
    bench.call(&options, "direct_hit");
}

#[test]
fn where_an_embedded_file_is_looked_for_counts() {
    let bench = &Bench::new("clang-19");
    let options = ["-std=c23", "--embed-dir=early", "--embed-dir=late"];
    bench.folder("early");
    bench.write("late/data.bin", "late");
    for name in ["<data.bin>", "\"data.bin\""] {
        bench.code(&format!("const char a[] = {{\n#embed {name}\n}};\n"));
        bench.compile(&options, if name.starts_with('<') { "first_seen" } else { "input_changed" });
        bench.compile(&options, "direct_hit");
        bench.write("early/data.bin", "early");
        bench.compile(&options, "input_appeared");
        bench.compile(&options, "direct_hit");
        bench.remove("early/data.bin");
        // The first of two results that are kept is right again.
        bench.compile(&options, "direct_hit");
    }
    bench.write("data.bin", "here");
    // Of the results that are kept, the nearest is the one with the file that is gone.
    bench.compile(&options, "input_vanished");
    bench.compile(&options, "direct_hit");

    bench.begin_anew();
    bench.code(
        "#if __has_embed(\"data.bin\")\nint there;\n#elif __has_embed(<other.bin>)\nint other;\n#endif\n",
    );
    bench.folder("late");
    bench.stores(&options);
    for (name, reason) in [("late/other.bin", "input_appeared"), ("late/data.bin", "input_appeared")] {
        bench.write(name, "now");
        bench.compile(&options, reason);
        bench.compile(&options, "direct_hit");
    }
    // Whether there is anything in it is asked as well.
    bench.code("#if __has_embed(\"data.bin\") == __STDC_EMBED_EMPTY__\nint empty;\n#endif\n");
    bench.compile(&options, "input_changed");
    bench.write("late/data.bin", "");
    bench.compile(&options, "input_changed");
    bench.compile(&options, "direct_hit");
}
