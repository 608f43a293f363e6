//! Real projects, built alone, then cold and warm through larder: the same files, and nothing is done twice.

use std::collections::BTreeMap;
use std::path::Path;

use larder_tests::{Project, Sandbox, program};

/// How a build calls its tools: alone, or through larder.
struct Tools(String);

impl Tools {
    fn call(&self, tool: &str) -> String {
        format!("{}{tool}", self.0)
    }
}

fn runs(sandbox: &Sandbox, argv: &[&str]) {
    let output = sandbox.command(argv[0]).args(&argv[1..]).output().expect("cargo xtask setup installs it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{argv:?}\n{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(!text(&output.stderr).contains("jobserver"), "{}", text(&output.stderr));
}

/// What tools made below `folder`: objects, lists, archives, libraries and programs.
fn made(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if [".o", ".d", ".a", ".so", "/program"].iter().any(|end| name.ends_with(end)) {
                found.insert(name, std::fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

/// `build` makes everything below `b`; of its steps, `steps` are larder's.
fn builds_the_same(sandbox: &Sandbox, steps: u64, build: impl Fn(&Tools)) {
    let folder = sandbox.work().join("b");
    let built = |tools: &str| {
        std::fs::create_dir_all(&folder).expect("our own folder");
        build(&Tools(tools.to_owned()));
        let made = made(&folder);
        std::fs::remove_dir_all(&folder).expect("our own folder");
        made
    };
    let alone = built("");
    let larder = format!("{} ", program("larder").display());
    sandbox.start();
    for (misses, hits) in [(steps, 0), (steps, steps)] {
        let through = built(&larder);
        assert_eq!(through.keys().collect::<Vec<_>>(), alone.keys().collect::<Vec<_>>());
        for (name, content) in &alone {
            assert!(&through[name] == content, "{name} differs");
        }
        let counts = sandbox.counts();
        assert_eq!(
            (counts.misses, counts.hits, counts.uncacheable),
            (misses, hits, 0),
            "{}",
            strays(sandbox)
        );
    }
}

/// The requests that were neither hits nor first of their kind.
fn strays(sandbox: &Sandbox) -> String {
    let stats = sandbox.stats();
    let records = stats["records"].as_array().into_iter().flatten();
    let strays =
        records.filter(|record| record["reason"] != "direct_hit" && record["reason"] != "first_seen");
    strays.map(|record| format!("{record}\n")).collect()
}

fn join<T: AsRef<str>>(words: impl IntoIterator<Item = T>) -> String {
    words.into_iter().fold(String::new(), |line, word| line + " " + word.as_ref())
}

#[test]
fn a_c_library_of_two_hundred_files_with_make() {
    let sandbox = Sandbox::new();
    let project = Project::new(&sandbox, "libgit2");
    let files = project.files();
    assert!(files.len() > 150, "{}", files.len());
    let mut rules = String::new();
    for (source, object) in &files {
        rules += &format!("b/{object}: {}\n\t$(CC) $(CFLAGS) -MD -c $< -o $@\n", source.display());
    }
    let objects = join(files.iter().map(|(_, object)| format!("b/{object}")));
    let flags = join(project.flags().iter().map(|flag| format!("'{flag}'")));
    let makefile = format!(
        "CFLAGS = -g{flags}\nall: b/libgit2.a b/libgit2.so\nb/libgit2.a:{objects}\n\t$(AR) rcs $@ $^\n\
         b/libgit2.so:{objects}\n\t$(CC) -shared -o $@ $^\n{rules}"
    );
    sandbox.write("Makefile", makefile);
    builds_the_same(&sandbox, files.len() as u64 + 2, |tools| {
        runs(
            &sandbox,
            &["make", "-j4", &format!("CC={}", tools.call("gcc")), &format!("AR={}", tools.call("ar"))],
        );
    });
}

#[test]
fn a_c_library_with_assembly_its_archive_and_a_program_with_ninja() {
    let sandbox = Sandbox::new();
    let project = Project::new(&sandbox, "zstd");
    let files = project.files();
    assert!(files.iter().any(|(source, _)| source.extension().is_some_and(|suffix| suffix == "S")));
    sandbox.write_settled(
        "main.c",
        "#include <zstd.h>\n#include <stdio.h>\nint main(void) { return puts(ZSTD_versionString()) < 0; }\n",
    );
    builds_the_same(&sandbox, files.len() as u64 + 4, |tools| {
        let mut rules = format!(
            "rule cc\n  command = {} -g{} -MD -MF $out.d -c $in -o $out\n  depfile = $out.d\n\
             rule ar\n  command = {} rcs $out $in\nrule link\n  command = {} $flags -o $out $in -pthread\n",
            tools.call("gcc"),
            join(project.flags()),
            tools.call("ar"),
            tools.call("gcc"),
        );
        for (source, object) in &files {
            rules += &format!("build b/{object}: cc {}\n", source.display());
        }
        let objects = join(files.iter().map(|(_, object)| format!("b/{object}")));
        rules += "build b/main.o: cc main.c\n";
        rules += &format!("build b/libzstd.a: ar{objects}\n");
        rules += &format!("build b/libzstd.so: link{objects}\n  flags = -shared -Wl,-soname,libzstd.so.1\n");
        rules += "build b/program: link b/main.o b/libzstd.a\n";
        sandbox.write("build.ninja", rules);
        runs(&sandbox, &["ninja"]);
        runs(&sandbox, &["b/program"]);
        for state in [".ninja_deps", ".ninja_log"] {
            let _ = std::fs::remove_file(sandbox.work().join(state));
        }
    });
}

#[test]
fn a_cxx_library_made_of_templates_with_cmake() {
    let sandbox = Sandbox::new();
    let project = Project::new(&sandbox, "harfbuzz");
    let files = project.files();
    let sources = join(files.iter().map(|(source, _)| source.display().to_string()));
    sandbox.write_settled(
        "main.cc",
        "#include <map>\n#include <regex>\nint main() { return std::map<int, std::regex>{}.size(); }\n",
    );
    builds_the_same(&sandbox, files.len() as u64 + 4, |tools| {
        let lists = format!(
            "cmake_minimum_required(VERSION 3.21)\nproject(p CXX)\nadd_compile_options({flags})\n\
             set(CMAKE_CXX_ARCHIVE_CREATE \"{ar} qc <TARGET> <OBJECTS>\")\n\
             set(CMAKE_CXX_ARCHIVE_FINISH \"{ranlib} <TARGET>\")\n\
             add_library(hb STATIC{sources})\nadd_executable(program main.cc)\ntarget_link_libraries(program hb pthread)\n",
            flags = join(project.flags()),
            ar = tools.call("ar"),
            ranlib = tools.call("ranlib"),
        );
        sandbox.write_settled("CMakeLists.txt", lists);
        let mut configure = vec!["cmake", "-S", ".", "-B", "b", "-G", "Unix Makefiles"];
        let launchers = ["COMPILER", "LINKER"]
            .map(|what| format!("-DCMAKE_CXX_{what}_LAUNCHER={}", tools.call("").trim()));
        configure.extend(launchers.iter().map(String::as_str));
        runs(&sandbox, &configure);
        runs(&sandbox, &["cmake", "--build", "b", "-j4"]);
        runs(&sandbox, &["b/program"]);
    });
}
