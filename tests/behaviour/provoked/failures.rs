//! Calls that fail, or make no sense, each time anew.

use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;

use larder_tests::{in_shell, wait_until};

use super::{Bench, with_each_driver};

with_each_driver! {
    a_failure_is_the_tools_each_time
    a_tool_that_is_killed_leaves_nothing_behind
    response_files_are_read_each_time
}

fn a_failure_is_the_tools_each_time(bench: &Bench) {
    failures(bench);
    bench.begin_anew();
    calls_that_make_no_sense(bench);
}

fn failures(bench: &Bench) {
    bench.code("int f( { return; }\n");
    bench.compile(&[], "tool_failed");
    bench.compile(&[], "tool_failed");
    bench.code("int f(void) { int unused; return 0; }\n");
    assert!(!bench.compile(&["-Wall"], "first_seen").stderr.is_empty(), "it is there to be warned about");
    bench.compile(&["-Wall"], "direct_hit");
    bench.compile(&["-Wall", "-Werror"], "tool_failed");
    bench.compile(&["-Wall", "-Werror"], "tool_failed");
    bench.compile(&["-w", "-Wall", "-Werror"], "first_seen");
    // A failure over an object that is there.
    bench.code("#include \"missing.h\"\n");
    bench.compile(&[], "tool_failed");
    bench.write("missing.h", "int here;\n");
    bench.compile(&[], "first_seen");
    bench.remove("missing.h");
    bench.compile(&[], "tool_failed");
    bench.write("missing.h", "int here;\n");
    bench.compile(&[], "direct_hit");
    // No source, a folder in its place, a link to nowhere.
    bench.remove(bench.source);
    bench.compile(&[], "input_unreadable");
    bench.folder(bench.source);
    bench.compile(&[], "input_not_a_file");
    bench.remove(bench.source);
    bench.link("nowhere.c", bench.source);
    bench.compile(&[], "input_unreadable");
    bench.compile(&["-MD", "-MF", "none/x.d"], "input_unreadable");
}

fn calls_that_make_no_sense(bench: &Bench) {
    bench.code("int x;\n");
    bench.stores(&[]);
    for (args, reason) in [
        (&["-c"][..], "not_a_compile"),
        (&["-c", "-o", "x.o"], "not_a_compile"),
        (&["-c", "x.none", "-o", "x.o"], "source_kind_unknown"),
        (&["--no-such-option", "-c", bench.source], "option_unknown"),
        (&["-fno-such-option", "-c", bench.source], "tool_failed"),
        (&["-c", bench.source, "-o"], "option_malformed"),
        (&["-c", bench.source, "-o", ""], "option_malformed"),
        (&["-c", bench.source, "-I"], "option_malformed"),
        (&["-c", bench.source, "-std=none"], "probe_failed"),
        (&["-c", bench.source, "-o", "x.o", "-o", "y.o"], "option_malformed"),
        (&["-c", ""], "source_kind_unknown"),
    ] {
        bench.call(args, reason);
    }
    // The source comes from standard input.
    bench.write("one.in", "int one;\n");
    bench.write("two.in", "int two;\n");
    for input in ["one.in", "two.in"] {
        let language = if bench.is_cxx() { "c++" } else { "c" };
        let read = |command| in_shell(&format!("exec <{input}"), &command);
        bench.call_as(&["-x", language, "-c", "-", "-o", "x.o"], "source_from_stdin", read);
        bench.call_as(&["-x", language, "-c", "/dev/stdin", "-o", "x.o"], "input_not_a_file", read);
    }
}

fn response_files_are_read_each_time(bench: &Bench) {
    bench.code("int value(void) { return VALUE; }\n");
    bench.write("inner.args", "-DVALUE=1");
    bench.write("outer.args", format!("-c @inner.args\n'{}' -o x.o", bench.source));
    let args = ["@outer.args"];
    bench.call(&args, "first_seen");
    bench.call(&args, "direct_hit");
    bench.write("inner.args", "-DVALUE=2");
    bench.call(&args, "first_seen");
    bench.write("inner.args", "-DVALUE=1");
    bench.call(&args, "direct_hit");
    bench.write("outer.args", format!("-c @inner.args\n'{}' -o y.o -DVALUE=3 -w", bench.source));
    bench.call(&args, "first_seen");
    // What is not there stands for itself.
    bench.remove("inner.args");
    let through = bench.sandbox.larder([bench.driver, "@outer.args"]).output().expect("larder starts");
    assert!(!through.status.success());
    bench.write("outer.args", format!("-c \"{}", bench.source));
    bench.call(&args, "response_file");
    bench.write("around.args", "@around.args");
    bench.call(&["@around.args"], "response_file");
}

/// The compiler hangs in a header that is a pipe, and gets the signal that larder got.
fn a_tool_that_is_killed_leaves_nothing_behind(bench: &Bench) {
    bench.write("x.h", "int ready;\n");
    bench.code("#include \"x.h\"\n");
    bench.stores(&[]);
    bench.remove("x.h");
    let made = bench.sandbox.command("mkfifo").arg("x.h").status();
    assert!(made.expect("mkfifo is part of every Linux").success());
    std::fs::remove_file(bench.path("x.o")).expect("our own file");
    let start = || {
        let mut larder = bench.sandbox.larder([bench.driver, "-c", bench.source, "-o", "x.o"]);
        larder.spawn().expect("larder starts")
    };
    let open = || {
        // Without a reader there is nobody to open it for.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
        std::fs::File::options().write(true).custom_flags(nonblocking).open(bench.path("x.h")).ok()
    };
    // The driver alone is killed: larder ends as it ended.
    let mut larder = start();
    let pipe = wait_until("the compiler to read the pipe", open);
    let list = format!("/proc/{0}/task/{0}/children", larder.id());
    let children = std::fs::read_to_string(list).expect("larder runs");
    for driver in children.split_whitespace() {
        larder_tests::signal(driver.parse().expect("a process"), rustix::process::Signal::KILL);
    }
    let status = larder.wait().expect("our own child");
    drop(pipe);
    assert_eq!(status.signal(), Some(9), "{status}");
    // What the driver started may hold the messages open, and so nothing may be known of the end.
    let told = bench.last_record().0;
    assert!(matches!(told.as_str(), "tool_failed" | "lease_lost"), "{told}");
    wait_until("the compiler proper to end", || open().is_none().then_some(()));

    let mut larder = start();
    let pipe = wait_until("the compiler to read the pipe", open);
    larder_tests::signal(larder.id(), rustix::process::Signal::TERM);
    let status = larder.wait().expect("our own child");
    drop(pipe);
    assert!(status.signal() == Some(15) || status.code() == Some(1), "{status}");
    assert!(!bench.path("x.o").exists(), "an object of a compiler that was killed");
    bench.remove("x.h");
    bench.write("x.h", "int changed;\n");
    bench.compile(&[], "input_changed");
    bench.write("x.h", "int ready;\n");
    bench.compile(&[], "direct_hit");
}
