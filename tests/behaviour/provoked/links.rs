//! Links: what goes into a program, and what could come to go into it.

use larder_service::Reason;

use super::{Bench, with_each_driver};

with_each_driver! {
    a_program_is_made_of_what_the_linker_finds
    a_shared_library_and_its_dependency_file_are_the_linkers
}

/// A source that all drivers take for C.
fn object(bench: &Bench, name: &str, text: &str) {
    bench.write(&format!("{name}.c"), text);
    let made = bench.sandbox.command("gcc").args(["-fPIC", "-c", &format!("{name}.c")]).status();
    assert!(made.expect("gcc starts").success());
    bench.sandbox.settle();
}

fn archive(bench: &Bench, name: &str, result: u32) {
    object(bench, "one", &format!("int one(void) {{ return {result}; }}\n"));
    let made = bench.sandbox.command("ar").args(["rcs", name, "one.o"]).status();
    assert!(made.expect("ar starts").success());
    bench.sandbox.settle();
}

fn a_program_is_made_of_what_the_linker_finds(bench: &Bench) {
    bench.folder("early");
    object(bench, "main", "int one(void);\nint main(void) { return one(); }\n");
    archive(bench, "libone.a", 1);
    let args = ["main.o", "-Learly", "-L.", "-lone", "-o", "program"];
    let stored = |reason: &str| {
        bench.call(&args, reason);
        bench.call(&args, "direct_hit");
    };
    stored("first_seen");
    let status = bench.sandbox.command(bench.path("program")).status();
    assert_eq!(status.expect("it starts").code(), Some(1), "it comes back with its mode");
    archive(bench, "libone.a", 2);
    stored("input_changed");
    archive(bench, "early/libone.a", 3);
    stored("input_appeared");
    let made =
        bench.sandbox.command("gcc").args(["-shared", "main.o", "one.o", "-o", "early/libone.so"]).status();
    assert!(made.expect("gcc starts").success());
    bench.sandbox.settle();
    stored("input_appeared");
    bench.remove("early/libone.so");
    bench.call(&args, "direct_hit");
    bench.remove("early");
    bench.call(&args, "direct_hit");
    bench.remove("libone.a");
    let output = bench.call(&args, "tool_failed");
    assert_eq!(output.status.code(), Some(1));
}

fn a_shared_library_and_its_dependency_file_are_the_linkers(bench: &Bench) {
    object(bench, "one", "int one(void) { return 1; }\n");
    bench.write("versions", "V1 { global: one; local: *; };\n");
    let args = [
        "-shared",
        "one.o",
        "-Wl,--version-script=versions,--dependency-file=one.d",
        "-Wl,-soname",
        "-Wl,libone.so.1",
        "-o",
        "libone.so.1.2",
    ];
    bench.call(&args, "first_seen");
    bench.remove("one.d");
    bench.call(&args, "direct_hit");
    bench.write("versions", "V2 { global: one; local: *; };\n");
    bench.call(&args, "input_changed");
}

#[test]
fn what_a_linker_meets_is_a_reason() {
    let bench = Bench::new("gcc");
    object(&bench, "main", "int main(void) { return 0; }\n");
    bench.folder("foreign");
    let mut foreign = std::fs::read(bench.path("main.o")).expect("gcc made it");
    // The machine's number in the header of an ELF file.
    foreign[18] = 0xb7;
    bench.write("foreign.o", foreign);
    let made = bench.sandbox.command("ar").args(["rcs", "foreign/libmain.a", "foreign.o"]).status();
    assert!(made.expect("ar starts").success());
    archive(&bench, "libmain.a", 1);
    bench.write("late.c", "int late;\n");
    let made = bench.sandbox.command("gcc").args(["-flto", "-c", "late.c"]).status();
    assert!(made.expect("gcc starts").success());
    bench.write("tools/ld", "#!/bin/sh\nexec /usr/bin/ld \"$@\"\n");
    bench.set_mode("tools/ld", 0o755);
    bench.sandbox.settle();
    let args = ["main.o", "-Lforeign", "-L.", "-lmain", "-o", "program"];
    bench.call(&args, Reason::LibraryPassedBy.id());
    bench.call(&["main.o", "late.o", "-o", "program"], Reason::LinkTimeOptimization.id());
    bench.call(&["-Btools", "main.o", "-o", "program"], Reason::LinkerUnknown.id());
}
