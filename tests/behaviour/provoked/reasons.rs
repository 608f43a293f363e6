//! Every reason in the table for which nothing is kept, each with a call that gives it.

use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;

use larder_proto::v1::{CompileReply, CompileRequest, Lookup, compile_reply, compile_request};
use larder_service::{Outcome, Reason};
use larder_tests::{Sandbox, in_shell, same_as_alone};
use prost::Message as _;

use super::Bench;

/// A reason, and a call of `gcc` with it.
const CALLS: &[(Reason, &[&str])] = &[
    (Reason::OptionUnknown, &["--no-such-option", "-c", "x.c"]),
    (Reason::OptionUncacheable, &["-save-temps", "-c", "x.c"]),
    (Reason::OptionMalformed, &["-c", "x.c", "-o"]),
    (Reason::SeveralSources, &["-c", "x.c", "warns.c"]),
    (Reason::SourceKindUnknown, &["-c", "x.none"]),
    (Reason::ResponseFile, &["@open.args"]),
    (Reason::OutputToStdout, &["-S", "x.c", "-o", "-"]),
    (Reason::OutputNotAFile, &["-c", "x.c", "-o", "/dev/null"]),
    (Reason::TimeMacro, &["-c", "time.c"]),
    (Reason::IncludeComputed, &["-c", "computed.c"]),
    (Reason::IncludedOnce, &["-c", "twice.c"]),
    (Reason::AssemblerInput, &["-c", "assembly.c"]),
    (Reason::PrecompiledHeader, &["-include", "precompiled.h", "-c", "x.c"]),
    (Reason::InputUnreadable, &["-c", "missing.c"]),
    (Reason::InputNotAFile, &["-x", "c", "-c", "folder", "-o", "x.o"]),
    (Reason::InputsChangedMeanwhile, &["-c", "overwritten.c", "-o", "overwritten.h"]),
    (Reason::ToolFailed, &["-c", "broken.c"]),
    (Reason::StreamsMixed, &["-Wall", "-c", "both.c"]),
    (Reason::StreamsTooLarge, &["-c", "talks.c"]),
    // Assembly has no stack usage to tell of.
    (Reason::OutputMissing, &["-fstack-usage", "-c", "x.S"]),
    (Reason::DependenciesUnreadable, &["-MD", "-MT", "goal: more", "-c", "x.c"]),
];

/// The rest, each with a test of its own: here, with links, with Rust, or with commands of any kind.
const OTHERS: &[Reason] = &[
    Reason::SourceFromStdin,
    Reason::EnvironmentUncacheable,
    Reason::CompilerUnknown,
    Reason::NamesTheRoot,
    Reason::OtherFilesystemView,
    Reason::ArchiveOperationUncacheable,
    Reason::ArchiveNotDeterministic,
    Reason::ArchiverSpoke,
    Reason::LinkTimeOptimization,
    Reason::LinkerUnknown,
    Reason::LibraryPassedBy,
    Reason::ExternUnknown,
    Reason::PackageTooLarge,
    Reason::NativeLibraryUnknown,
    Reason::StreamsLeftOpen,
    Reason::OutputNotWritten,
];

#[test]
fn every_reason_to_keep_nothing_is_provoked() {
    let uncacheable = Reason::ALL.iter().filter(|reason| reason.outcome() == Outcome::Uncacheable);
    let table: BTreeSet<_> = uncacheable.map(|reason| reason.id()).collect();
    let provoked: BTreeSet<_> =
        CALLS.iter().map(|(reason, _)| reason).chain(OTHERS).map(|reason| reason.id()).collect();
    assert_eq!(provoked, table);
    // What is said to have a test of its own is named where those are.
    let tests = [
        include_str!("reasons.rs"),
        include_str!("links.rs"),
        include_str!("../rust/reasons.rs"),
        include_str!("../run.rs"),
    ]
    .concat();
    for reason in OTHERS {
        let name = format!("Reason::{reason:?}");
        let listed = format!("    {name},");
        let id = format!("\"{}\"", reason.id());
        let gives = |line: &str| (line.contains(&name) || line.contains(&id)) && line != listed;
        assert!(tests.lines().any(gives), "{name} has no test");
    }
}

#[test]
fn what_a_call_says_and_what_it_reads_and_makes_are_reasons() {
    let bench = Bench::new("gcc");
    for (name, text) in [
        ("x.c", "int x;\n"),
        ("x.S", ".globl x\nx: ret\n"),
        ("x.none", "int x;\n"),
        ("warns.c", "int f(void) { int unused; return 0; }\n"),
        ("open.args", "-c 'x.c"),
        ("time.c", "unsigned length(void) { return sizeof(__DATE__); }\n"),
        ("computed.c", "#define NAME \"x.h\"\n#if __has_include(NAME)\nint x;\n#endif\n"),
        ("one/once.h", "#pragma once\n"),
        ("two/once.h", "#pragma once\n"),
        ("twice.c", "#include \"one/once.h\"\n#include \"two/once.h\"\n"),
        ("assembly.c", "__asm__(\".data\\n.incbin \\\"x.none\\\"\");\n"),
        ("precompiled.h", "int precompiled;\n"),
        ("folder/x.c", "int x;\n"),
        ("overwritten.h", "int overwritten;\n"),
        ("overwritten.c", "#include \"overwritten.h\"\n"),
        ("broken.c", "int f( {\n"),
        ("both.c", "__asm__(\".print \\\"said\\\"\");\nint f(void) { int unused; return 0; }\n"),
        ("talks.c", "__asm__(\".rept 70000\\n.print \\\"0123456789012345\\\"\\n.endr\");\n"),
    ] {
        bench.write(name, text);
    }
    let made = bench.sandbox.command("gcc").args(["precompiled.h", "-o", "precompiled.h.gch"]).status();
    assert!(made.expect("gcc starts").success());
    bench.sandbox.settle();
    for (reason, args) in CALLS {
        bench.call(args, reason.id());
    }
    assert_eq!(bench.sandbox.counts().hits, 0);
    let shown = String::from_utf8(bench.sandbox.run(&["stats"]).stdout).expect("text");
    for (reason, _) in CALLS {
        assert!(shown.contains(reason.sentence()), "{}: {shown}", reason.id());
    }
}

#[test]
fn where_a_call_comes_from_is_a_reason() {
    let bench = Bench::new("gcc");
    bench.code("int x;\n");
    let from_stdin = ["-x", "c", "-c", "-", "-o", "x.o"];
    let read = |command| in_shell("exec <x.c", &command);
    bench.call_as(&from_stdin, Reason::SourceFromStdin.id(), read);
    let args = ["-c", "x.c"];
    let list = [("DEPENDENCIES_OUTPUT", "x.d")];
    bench.call_with(&list, &args, Reason::EnvironmentUncacheable.id());
    bench.write("warns.c", "void f(void) { int unused; }\n");
    let (root, warns) = (bench.path("."), bench.path("warns.c"));
    let (root, warns) = (root.display().to_string(), warns.display().to_string());
    let root = root.trim_end_matches("/.");
    bench.call_with(&[("LARDER_PORTABLE", root)], &["-Wall", "-c", &warns], Reason::NamesTheRoot.id());
    bench.write("script", "#!/bin/sh\nexec gcc \"$@\"\n");
    bench.set_mode("script", 0o755);
    same_as_alone(&bench.sandbox, &["./script", "-c", "x.c"]);
    assert_eq!(bench.sandbox.last_reason(), Reason::CompilerUnknown.id());
}

#[test]
fn a_caller_with_another_view_of_the_files_is_not_served() {
    let bench = Bench::new("gcc");
    bench.code("int x;\n");
    bench.stores(&[]);
    let endpoint = bench.sandbox.endpoint();
    let stream = UnixStream::connect(endpoint).expect("the daemon listens");
    let mut wire = larder_glue::wire::Wire::new(stream.into()).expect("our own daemon");
    let root = std::fs::metadata("/").expect("a root folder");
    let mut lookup = |inode: u64| {
        use std::os::unix::ffi::OsStringExt as _;
        use std::os::unix::fs::MetadataExt as _;
        let lookup = Lookup {
            cwd: bench.sandbox.work().into_os_string().into_vec(),
            tool: b"/usr/bin/gcc".to_vec(),
            tool_name: b"gcc".to_vec(),
            args: [&b"-c"[..], b"x.c", b"-o", b"x.o"].map(<[u8]>::to_vec).into(),
            root_device: root.dev(),
            root_inode: inode,
            ..Default::default()
        };
        let request = CompileRequest {
            protocol: larder_proto::PROTOCOL_VERSION,
            client_version: larder_proto::LARDER_VERSION.to_owned(),
            request: Some(compile_request::Request::Lookup(lookup)),
        };
        let reply = wire.request(larder_proto::lane::COMPILE, request.encode_to_vec()).expect("a reply");
        CompileReply::decode(reply.as_slice()).expect("a message").reply
    };
    let reply = lookup(1);
    assert!(matches!(reply, Some(compile_reply::Reply::Run(run)) if run.lease == 0));
    assert_eq!(bench.sandbox.last_reason(), Reason::OtherFilesystemView.id());
}

#[test]
fn what_an_archiver_does_is_a_reason() {
    let sandbox = Sandbox::new();
    sandbox.start();
    sandbox.write("slim.s", ".comm __gnu_lto_slim,1,1\n");
    let made = sandbox.command("gcc").args(["-c", "slim.s", "-o", "slim.o"]).status();
    assert!(made.expect("gcc starts").success());
    sandbox.write_settled("x.o", "a member");
    for (args, reason) in [
        (&["ar", "rcT", "thin.a", "x.o"][..], Reason::ArchiveOperationUncacheable),
        (&["ar", "rcU", "timed.a", "x.o"], Reason::ArchiveNotDeterministic),
        // What looks as if only GCC's plugin could read it, and the plugin cannot.
        (&["ar", "rcs", "spoken.a", "slim.o"], Reason::ArchiverSpoke),
    ] {
        same_as_alone(&sandbox, args);
        assert_eq!(sandbox.last_reason(), reason.id(), "{args:?}");
    }
}
