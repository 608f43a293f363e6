//! Variables that tools read.

use std::path::Path;

use larder_tests::in_shell;

use super::{Bench, with_each_driver};

with_each_driver! {
    variables_that_change_what_is_done_or_said_count
    variables_that_show_nowhere_do_not_count
    libraries_that_come_to_stand_before_the_tools_own_count
    a_terminal_is_the_callers_own
}

fn variables_that_change_what_is_done_or_said_count(bench: &Bench) {
    folders_to_search(bench);
    bench.begin_anew();
    messages_and_lists(bench);
}

fn folders_to_search(bench: &Bench) {
    bench.write("late/x.h", "#define SAYS \"late\"\n");
    bench.folder("early");
    bench.code("#include <x.h>\nconst char *says(void) { return SAYS; }\n");
    let args = ["-c", bench.source, "-o", "x.o"];
    let absolute: Vec<_> =
        ["none", "early", "late"].map(|folder| bench.path(folder).display().to_string()).into();
    let absolute = absolute.join(":");
    let by_language = if bench.is_cxx() { "CPLUS_INCLUDE_PATH" } else { "C_INCLUDE_PATH" };
    for env in [[("CPATH", absolute.as_str())], [(by_language, "early:late")]] {
        bench.call_with(&env, &args, "first_seen");
        bench.write("early/x.h", "#define SAYS \"early\"\n");
        bench.call_with(&env, &args, "input_appeared");
        bench.remove("early/x.h");
        bench.call_with(&env, &args, "direct_hit");
    }
    bench.call(&args, "tool_failed");
    // Of another language.
    let other = if bench.is_cxx() { "C_INCLUDE_PATH" } else { "CPLUS_INCLUDE_PATH" };
    bench.call_with(&[(other, &absolute)], &args, "tool_failed");
    // An empty element is the working folder.
    let env = [("CPATH", ":late")];
    bench.call_with(&env, &args, "first_seen");
    bench.write("x.h", "#define SAYS \"here\"\n");
    bench.call_with(&env, &args, "input_appeared");
}

fn libraries_that_come_to_stand_before_the_tools_own_count(bench: &Bench) {
    bench.folder("libs");
    bench.code("int x;\n");
    let libs = bench.path("libs");
    let args = ["-c", bench.source, "-o", "x.o"];
    let env = [("LD_LIBRARY_PATH", libs.to_str().expect("our own name"))];
    bench.call_with(&env, &args, "first_seen");
    // As build tools do that name the folder they write to.
    bench.write("libs/libother.so.1", "nobody binds it");
    bench.call_with(&env, &args, "direct_hit");
    // One that every compiler proper here binds, and that is another one by what follows it.
    let bound = "ldd \"$(gcc -print-prog-name=cc1)\" | sed -n 's/.*libz\\.so\\.1 => \\([^ ]*\\).*/\\1/p'";
    let found = bench.sandbox.command("sh").args(["-c", bound]).output().expect("sh starts").stdout;
    let found = String::from_utf8(found).expect("a path");
    let mut library = std::fs::read(found.trim()).expect("it is bound");
    library.push(b'\n');
    bench.write("libs/libz.so.1", library);
    bench.call_with(&env, &args, "first_seen");
    bench.call_with(&env, &args, "direct_hit");
    bench.remove("libs/libz.so.1");
    bench.call_with(&env, &args, "direct_hit");
}

fn messages_and_lists(bench: &Bench) {
    bench.code("int f(void) { int unused; return 1 + \"a\"[0]; }\n");
    let args = ["-Wall", "-fdiagnostics-color=always", "-c", bench.source, "-o", "x.o"];
    assert!(!bench.call(&args, "first_seen").stderr.is_empty(), "the source is there to be warned about");
    for env in [
        &[("GCC_COLORS", "warning=01;32")][..],
        &[("GCC_COLORS", "")],
        &[("LC_ALL", ""), ("LANG", "de_DE.UTF-8"), ("LANGUAGE", "de")],
    ] {
        bench.call_with(env, &args, "first_seen");
        bench.call_with(env, &args, "direct_hit");
    }
    // What makes the tool write or do more than the command line says.
    let list = bench.path("all.d").display().to_string();
    for env in [
        [("DEPENDENCIES_OUTPUT", list.as_str())],
        [("DEPENDENCIES_OUTPUT", "all.d target")],
        [("SUNPRO_DEPENDENCIES", &list)],
        [("CCC_OVERRIDE_OPTIONS", "+-DADDED")],
        [("CC_LOG_DIAGNOSTICS", "1")],
        [("CC_PRINT_HEADERS", "1")],
    ] {
        bench.call_with(&env, &args, "environment_uncacheable");
    }
    // Clang writes its messages to a file, too.
    let log = bench.path("messages").display().to_string();
    let logs = [("CC_LOG_DIAGNOSTICS", "1"), ("CC_LOG_DIAGNOSTICS_FILE", log.as_str())];
    bench.call_with(&logs, &["-c", bench.source, "-o", "x.o"], "environment_uncacheable");
    // GCC reads its folders anew from elsewhere.
    let elsewhere = bench.path("elsewhere").display().to_string();
    for name in ["GCC_ROOT", "BINUTILS_ROOT", "G++_ROOT", "LPATH"] {
        bench.call_with(&[(name, elsewhere.as_str())], &args, "first_seen");
    }
    // Where GCC's driver looks for its parts; with nothing there Clang goes on, and so may GCC.
    let nothing = format!("{}/", bench.path("nothing").display());
    let env = [("GCC_EXEC_PREFIX", nothing.as_str())];
    let found = bench.sandbox.command(bench.driver).args(args).envs(env).output().expect("it starts");
    let reason = if found.status.success() { "first_seen" } else { "compiler_unknown" };
    bench.call_with(&env, &args, reason);
}

fn variables_that_show_nowhere_do_not_count(bench: &Bench) {
    bench.code("int f(void) { return 1; }\n");
    bench.link(".", "alias");
    bench.folder("temporary");
    let args = ["-MMD", "-c", bench.source, "-o", "x.o"];
    bench.call(&args, "first_seen");
    let text = |path: &Path| path.display().to_string();
    let (temporary, alias) = (text(&bench.path("temporary")), text(&bench.path("alias")));
    for env in [
        &[("TMPDIR", temporary.as_str())][..],
        &[("TMPDIR", "no/such/folder"), ("TMP", "x"), ("TEMP", "y")],
        &[("PWD", &alias)],
        &[("PWD", "nonsense")],
        &[("TERM", "dumb"), ("COLUMNS", "20")],
        &[("OF_NO_INTEREST", "1")],
    ] {
        bench.call_with(env, &args, "direct_hit");
    }
    // The modes are those of the caller's umask, on a miss as on a hit, over what is there and anew.
    for (output, args) in [
        ("y.o", &["-MMD", "-fstack-usage", "-c", bench.source, "-o", "y.o"][..]),
        ("y.s", &["-S", bench.source, "-o", "y.s"]),
    ] {
        for (umask, reason) in [("077", "first_seen"), ("027", "direct_hit"), ("777", "direct_hit")] {
            for made in [output, "y.d", "y.su"] {
                let _ = std::fs::remove_file(bench.path(made));
            }
            bench.call_as(args, reason, |command| in_shell(&format!("umask {umask}"), &command));
        }
        bench.call_as(args, "direct_hit", |command| in_shell("umask 002", &command));
    }
}

/// Colours, links and the width of what is quoted are for the terminal that the messages go to.
fn a_terminal_is_the_callers_own(bench: &Bench) {
    bench.code(
        "int f(void) { int unused_and_with_a_long_name; return 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1 + 1; }\n",
    );
    let args = ["-Wall", "-c", bench.source, "-o", "x.o"];
    let on_terminal = |columns: &str, env: &[(&str, &str)], reason: &str| {
        // `script` gives what it runs a terminal.
        bench.call_as(&args, reason, |command| {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            let words: Vec<_> = words.map(|word| format!("'{}'", word.display())).collect();
            let line = format!("stty cols {columns}; exec {}", words.join(" "));
            let mut script = bench.sandbox.command("script");
            script.args(["-qec", &line, "/dev/null"]).env("TERM", "xterm-256color").envs(env.iter().copied());
            script
        })
    };
    let output = on_terminal("100", &[], "first_seen");
    assert!(output.stdout.windows(2).any(|pair| pair == b"\x1b["), "there are colours");
    on_terminal("100", &[], "direct_hit");
    for (columns, env) in [
        ("40", &[][..]),
        ("100", &[("COLUMNS", "50")]),
        ("100", &[("TERM", "dumb")]),
        ("100", &[("COLORTERM", "xfce4-terminal")]),
        ("100", &[("TERM_URLS", "bel")]),
        ("100", &[("GCC_COLORS", "warning=01;32")]),
    ] {
        on_terminal(columns, env, "first_seen");
        on_terminal(columns, env, "direct_hit");
    }
    on_terminal("100", &[], "direct_hit");
    // Without one, its variables are nothing.
    bench.call(&args, "first_seen");
    bench.call_with(&[("COLORTERM", "x"), ("TERM", "dumb"), ("COLUMNS", "50")], &args, "direct_hit");
}
