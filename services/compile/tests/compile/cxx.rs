//! C++ with real compilers: the standard library's headers, and the drivers that take C for C++.

use crate::sandbox::Sandbox;

const TOOLS: [&str; 4] = ["g++", "clang++", "gcc", "clang"];
const ARGS: &[&str] = &["-O1", "-Iearly", "-Ilate", "-c", "a.cc", "-o", "a.o"];

/// Asks for names without a suffix, deeply nested headers, `__has_include` and templates.
const SOURCE: &str = "#include <algorithm>\n#include <map>\n#include <string>\n#include <v>\n\
    int f(std::map<std::string, int> m) { return std::count_if(m.begin(), m.end(), [](auto& p) { return p.second == V; }); }\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.cc", SOURCE);
    sandbox.write("late/v", "#define V 1\n");
    sandbox
}

/// Compiles through the cache and alone, and demands the same object and diagnostics.
async fn same(sandbox: &Sandbox, tool: &str, args: &[&str]) -> crate::sandbox::Done {
    let client = sandbox.client(tool);
    let done = client.compile(args).await;
    let object = sandbox.read("a.o");
    let alone = client.alone(args);
    assert_eq!(done.seen, alone, "{tool} {args:?}");
    assert!(object == sandbox.read("a.o"), "{tool} {args:?}");
    done
}

#[tokio::test]
async fn sources_with_the_standard_library_hit_with_the_compilers_own_object() {
    for tool in TOOLS {
        let sandbox = sandbox();
        for options in [&["-std=c++17"][..], &["-std=c++20", "-g"], &["-fno-exceptions", "-fno-rtti", "-MMD"]]
        {
            let args = [options, ARGS].concat();
            same(&sandbox, tool, &args).await.expect_stored("first_seen");
            same(&sandbox, tool, &args).await.expect_hit();
        }
    }
}

#[tokio::test]
async fn a_header_without_a_suffix_that_appears_earlier_is_noticed() {
    for tool in TOOLS {
        let sandbox = sandbox();
        same(&sandbox, tool, ARGS).await.expect_stored("first_seen");
        same(&sandbox, tool, ARGS).await.expect_hit();
        sandbox.write("early/v", "#define V 2\n");
        same(&sandbox, tool, ARGS).await.expect_stored("input_appeared");
        // One that shadows what only the standard library's own headers ask for.
        sandbox.write("early/bits/stl_map.h", "#include_next <bits/stl_map.h>\nstatic int shadowed;\n");
        same(&sandbox, tool, ARGS).await.expect_stored("input_appeared");
    }
}

#[tokio::test]
async fn the_folders_that_the_environment_adds_for_cxx_count() {
    for tool in TOOLS {
        let sandbox = sandbox();
        let added = sandbox.work().join("added");
        sandbox.write("added/v", "#define V 3\n");
        let client = sandbox.client(tool).with("CPLUS_INCLUDE_PATH", added.to_str().unwrap());
        same(&sandbox, tool, ARGS).await.expect_stored("first_seen");
        client.compile(ARGS).await.expect_stored("first_seen");
        client.compile(ARGS).await.expect_hit();
    }
}

#[tokio::test]
async fn a_driver_that_takes_c_for_cxx_does_so_through_the_cache() {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "#ifdef __cplusplus\nint cxx;\n#else\nint c;\n#endif\n");
    let args = &["-c", "a.c", "-o", "a.o"];
    let mut objects = Vec::new();
    for tool in ["gcc", "g++"] {
        same(&sandbox, tool, args).await.expect_stored("first_seen");
        same(&sandbox, tool, args).await.expect_hit();
        objects.push(sandbox.read("a.o"));
    }
    assert_ne!(objects[0], objects[1]);
    let as_cxx = &["-x", "c++", "-c", "a.c", "-o", "a.o"];
    same(&sandbox, "gcc", as_cxx).await.expect_stored("first_seen");
    assert_eq!(sandbox.read("a.o"), objects[1]);
}

#[tokio::test]
async fn modules_are_not_cached() {
    let sandbox = Sandbox::new();
    sandbox.write("a.cc", "int x;\n");
    for options in [&["-fmodules-ts"][..], &["-std=c++20", "-fmodules-ts"]] {
        let args = [options, &["-c", "a.cc", "-o", "a.o"]].concat();
        sandbox.client("g++").compile(&args).await.expect_not_stored("option_uncacheable");
    }
}
