//! The ways in which the README says that builds use larder.

use std::path::Path;

use larder_tests::{Sandbox, program};

fn project(sandbox: &Sandbox) {
    sandbox.write(
        "CMakeLists.txt",
        "cmake_minimum_required(VERSION 3.10)\nproject(p C CXX)\nadd_executable(p main.cc one.c two.c)\n",
    );
    sandbox.write_settled("one.h", "int one(void);\nint two(void);\n");
    sandbox.write_settled("one.c", "#include \"one.h\"\n#include <string.h>\nint one(void) { return 1; }\n");
    sandbox.write_settled("two.c", "#include \"one.h\"\n#include <stdio.h>\nint two(void) { return 2; }\n");
    let main = "#include <vector>\nextern \"C\" {\n#include \"one.h\"\n}\n\
        int main() { return std::vector<int>{one(), two()}.size() - 2; }\n";
    sandbox.write_settled("main.cc", main);
}

fn runs(sandbox: &Sandbox, argv: &[&str]) {
    let output = sandbox.command(argv[0]).args(&argv[1..]).output().expect("cargo xtask setup installs it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{argv:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// Builds, removes what was built, and builds again; the second time everything must come from the cache, the program
/// must work, and nothing must be left to do.
fn is_built_from_the_cache(generator: &str, compiler: &str, cxx: &str) {
    let sandbox = Sandbox::started();
    project(&sandbox);
    let launchers = ["C", "CXX"]
        .map(|language| format!("-DCMAKE_{language}_COMPILER_LAUNCHER={}", program("larder").display()));
    let compilers = [format!("-DCMAKE_C_COMPILER={compiler}"), format!("-DCMAKE_CXX_COMPILER={cxx}")];
    let mut hits = 0;
    for round in ["cold", "warm"] {
        let mut configure = vec!["cmake", "-S", ".", "-B", "b", "-G", generator, "-DCMAKE_BUILD_TYPE=Debug"];
        configure.extend(launchers.iter().chain(&compilers).map(String::as_str));
        runs(&sandbox, &configure);
        let before = sandbox.run(&["start"]);
        assert!(before.status.success());
        let misses = sandbox.counts().misses;
        runs(&sandbox, &["cmake", "--build", "b"]);
        let counts = sandbox.counts();
        if round == "warm" {
            assert_eq!(counts.misses, misses, "{}", sandbox.stats());
            assert!(counts.hits >= hits + 3, "{}", sandbox.stats());
        }
        hits = counts.hits;
        runs(&sandbox, &["b/p"]);
        runs(&sandbox, &["cmake", "--build", "b"]);
        assert_eq!(sandbox.counts(), counts, "the depfiles satisfy {generator}: nothing is built again");
        std::fs::remove_dir_all(sandbox.work().join("b")).expect("our own folder");
    }
}

#[test]
fn cmake_with_ninja_and_gcc() {
    is_built_from_the_cache("Ninja", "gcc", "g++");
}

#[test]
fn cmake_with_make_and_clang() {
    is_built_from_the_cache("Unix Makefiles", "clang", "clang++");
}

#[test]
fn ninja_written_by_hand() {
    let sandbox = Sandbox::started();
    project(&sandbox);
    let larder = program("larder");
    let rule = format!(
        "rule cc\n  command = {} gcc -MD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc\n",
        larder.display()
    );
    sandbox.write("build.ninja", format!("{rule}build one.o: cc one.c\nbuild two.o: cc two.c\n"));
    runs(&sandbox, &["ninja"]);
    for object in ["one.o", "two.o", ".ninja_deps", ".ninja_log"] {
        std::fs::remove_file(sandbox.work().join(object)).expect("ninja has made it");
    }
    runs(&sandbox, &["ninja"]);
    let counts = sandbox.counts();
    assert_eq!((counts.misses, counts.hits), (2, 2), "{}", sandbox.stats());
    assert!(Path::new(&sandbox.work().join("one.o")).is_file());
}
