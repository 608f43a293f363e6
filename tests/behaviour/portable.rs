//! `LARDER_PORTABLE`: working trees of one project share what they compile.

use std::path::PathBuf;
use std::process::{Command, Output};

use larder_tests::Sandbox;

const DRIVERS: [&str; 4] = ["gcc", "g++", "clang", "clang++"];

const ON: &[(&str, &str)] = &[("LARDER_PORTABLE", "1")];
const OFF: &[(&str, &str)] = &[];

/// The usual call, from the folder `build`. `@` stands for the tree.
const CALL: &[&str] = &["-I", "@/inc", "-g", "-MD", "-c", "@/src/x.c", "-o", "x.o"];

const SOURCE: &str = "#include \"x.h\"\nconst char *file(void) { return __FILE__; }\nint x(void) { return header()[0] + X; }\n";
const HEADER: &str = "#define X 1\nstatic inline const char *header(void) { return __FILE__; }\n";

/// A larder, one driver, and two trees of one project, whose names are not alike in length.
struct Trees {
    sandbox: Sandbox,
    driver: &'static str,
}

const ONE: &str = "one";
const OTHER: &str = "another/tree";

impl Trees {
    fn new(driver: &'static str) -> Self {
        let trees = Self { sandbox: Sandbox::new(), driver };
        for tree in [ONE, OTHER] {
            for folder in [".git", "build", "first"] {
                std::fs::create_dir_all(trees.root(tree).join(folder)).expect("our own folder");
            }
        }
        trees.write("src/x.c", SOURCE);
        trees.write("inc/x.h", HEADER);
        trees.sandbox.start();
        trees
    }

    fn root(&self, tree: &str) -> PathBuf {
        self.sandbox.work().join(tree)
    }

    /// Writes a file in both trees.
    fn write(&self, name: &str, text: &str) {
        for tree in [ONE, OTHER] {
            self.write_in(tree, name, text);
        }
    }

    fn write_in(&self, tree: &str, name: &str, text: &str) {
        self.sandbox.write_settled(&format!("{tree}/{name}"), text);
    }

    fn shaped(&self, mut command: Command, tree: &str, env: &[(&str, &str)]) -> Command {
        let root = self.root(tree).display().to_string();
        let folder = self.root(tree).join("build");
        command.env("PWD", &folder).current_dir(folder);
        command.envs(env.iter().map(|(name, value)| (*name, value.replace('@', &root))));
        command
    }

    /// Calls the driver in `build` of `tree`, demands that larder counts the call under `reason`, and that everything
    /// is as the driver makes it under the same prefix map.
    fn call(&self, tree: &str, env: &[(&str, &str)], args: &[&str], reason: &str) {
        let root = self.root(tree).display().to_string();
        let args: Vec<String> = args.iter().map(|arg| arg.replace('@', &root)).collect();
        let argv = std::iter::once(self.driver.to_owned()).chain(args.clone());
        let through = self.run(self.sandbox.larder(argv), tree, env);
        let told = self.sandbox.last_reason();
        let about = format!("{} in {tree}: {args:?}", self.driver);
        assert_eq!(told, reason, "{about}: {}", String::from_utf8_lossy(&through.0.stderr));
        let mut alone = self.sandbox.command(self.driver);
        alone.args(&args);
        if env.iter().any(|(name, _)| *name == "LARDER_PORTABLE") {
            alone.arg(format!("-ffile-prefix-map={root}=."));
        }
        let alone = self.run(alone, tree, env);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&through.0.stderr), text(&alone.0.stderr), "{about}");
        assert_eq!(through.0.status, alone.0.status, "{about}");
        assert_eq!(
            through.1.as_deref().map(text),
            alone.1.as_deref().map(text),
            "dependency file of {about}"
        );
        assert!(through.2.is_some(), "no object of {about}");
        assert!(through.2 == alone.2, "the objects differ: {about}");
    }

    /// What `command` says, and the dependency file and the object that it makes.
    fn run(
        &self,
        command: Command,
        tree: &str,
        env: &[(&str, &str)],
    ) -> (Output, Option<Vec<u8>>, Option<Vec<u8>>) {
        let made = ["x.d", "x.o"].map(|name| self.root(tree).join("build").join(name));
        for file in &made {
            let _ = std::fs::remove_file(file);
        }
        let output = self.shaped(command, tree, env).output().expect("it starts");
        let [list, object] = made.map(|file| std::fs::read(file).ok());
        (output, list, object)
    }
}

#[test]
fn two_trees_share_results_however_files_are_spelled() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        trees.write("inc/forced.h", "#define FORCED\n");
        let list = format!("#include \"x.h\"\n{}", "#include \"a/long/name/of/a/header.h\"\n");
        trees.write("src/list.c", &list);
        trees.write("inc/a/long/name/of/a/header.h", "int header_of_a_long_name;\n");
        for args in [
            CALL,
            &["-I../inc", "-g", "-MD", "-c", "../src/x.c", "-o", "x.o"],
            &["-I", "@/inc", "-c", "@/src/x.c", "-o", "x.o"],
            &[
                "-I@/inc",
                "-g3",
                "-O2",
                "-MMD",
                "-MP",
                "-MF",
                "@/build/x.d",
                "-c",
                "@/src/x.c",
                "-o",
                "@/build/x.o",
            ],
            &["-isystem@/inc", "-g", "-MD", "-MT", "@/build/x.o", "-c", "../src/x.c", "-o", "x.o"],
            &["-iquote", "@/inc", "-include", "@/inc/forced.h", "-MD", "-MP", "-c", "@/src/x.c", "-o", "x.o"],
            &["-I", "@/inc", "-g", "-MD", "-MP", "-c", "@/src/list.c", "-o", "x.o"],
        ] {
            trees.call(ONE, ON, args, "first_seen");
            trees.call(OTHER, ON, args, "direct_hit");
            trees.call(ONE, ON, args, "direct_hit");
        }
    }
}

#[test]
fn an_edit_counts_in_its_own_tree() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        let args = [&["-I", "@/first"], CALL].concat();
        trees.call(ONE, ON, &args, "first_seen");
        trees.call(OTHER, ON, &args, "direct_hit");
        trees.write_in(OTHER, "inc/x.h", &HEADER.replace('1', "2"));
        trees.call(OTHER, ON, &args, "input_changed");
        trees.call(ONE, ON, &args, "direct_hit");
        trees.write_in(ONE, "inc/x.h", &HEADER.replace('1', "2"));
        trees.call(ONE, ON, &args, "direct_hit");
        trees.write_in(OTHER, "first/x.h", &HEADER.replace('1', "3"));
        trees.call(OTHER, ON, &args, "input_appeared");
        trees.call(OTHER, ON, &args, "direct_hit");
        trees.call(ONE, ON, &args, "direct_hit");
        std::fs::remove_file(trees.root(OTHER).join("first/x.h")).expect("our own file");
        trees.call(OTHER, ON, &args, "direct_hit");
    }
}

#[test]
fn where_the_root_is_more_than_a_way_to_files_nothing_is_shared() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        let own = [("LARDER_PORTABLE", "1"), ("CPATH", "@/inc")];
        for (env, option) in [
            (ON, "-DROOT=\"@\""),
            (ON, "-fdebug-prefix-map=@=/elsewhere"),
            (ON, "-fstack-usage"),
            (&own[..], "-DOWN"),
        ] {
            let args = [&[option], CALL].concat();
            trees.call(ONE, env, &args, "first_seen");
            trees.call(ONE, env, &args, "direct_hit");
            trees.call(OTHER, env, &args, "first_seen");
            trees.call(OTHER, env, &args, "direct_hit");
        }
    }
}

#[test]
fn what_names_the_root_is_not_kept() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        let warned = [&["-Wall"], CALL].concat();
        trees.write("src/x.c", &format!("{SOURCE}void f(void) {{ int unused; }}\n"));
        trees.call(ONE, ON, &warned, "names_the_root");
        trees.call(OTHER, ON, &warned, "names_the_root");
        // In words that name no folder there is nothing to keep apart.
        let near = ["-Wall", "-I../inc", "-c", "../src/x.c", "-o", "x.o"];
        trees.call(ONE, ON, &near, "first_seen");
        trees.call(OTHER, ON, &near, "direct_hit");
        let one = trees.root(ONE).display().to_string();
        trees.write("src/x.c", &format!("{SOURCE}const char *tree = \"{one}\";\n"));
        trees.call(ONE, ON, CALL, "names_the_root");
        trees.write("src/x.c", &format!("{SOURCE}#line 1 \"{one}/src/y.c\"\nint y;\n"));
        trees.call(ONE, ON, CALL, "names_the_root");
        trees.call(OTHER, ON, CALL, "names_the_root");
        // Clang names types without a name by where they stand, and maps no root there.
        trees.write(
            "src/x.c",
            &format!("{SOURCE}int length(void) {{ return sizeof(__PRETTY_FUNCTION__); }}\n"),
        );
        let of_family = |gcc, clang| if driver.starts_with("clang") { clang } else { gcc };
        trees.call(ONE, ON, CALL, of_family("first_seen", "names_the_root"));
        trees.call(OTHER, ON, CALL, of_family("direct_hit", "names_the_root"));
    }
}

#[test]
fn a_source_that_includes_itself_finds_the_file_that_the_map_leads_to() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        trees
            .write("src/x.c", "#ifndef AGAIN\n#define AGAIN\n#include __FILE__\n#else\nint again;\n#endif\n");
        trees.write("src/src/x.c", "int mapped;\n");
        for args in [&["-c", "@/src/x.c", "-o", "x.o"][..], &["-MMD", "-c", "@/src/x.c", "-o", "x.o"]] {
            trees.call(ONE, ON, args, "first_seen");
            trees.call(OTHER, ON, args, "direct_hit");
            trees.write_in(OTHER, "src/src/x.c", "int edited;\n");
            trees.call(OTHER, ON, args, "input_changed");
            trees.call(ONE, ON, args, "direct_hit");
            trees.write_in(OTHER, "src/src/x.c", "int mapped;\n");
        }
    }
}

#[test]
fn a_header_of_another_tree_stays_that_trees_header() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        let one = trees.root(ONE).display().to_string();
        trees.write("src/x.c", &SOURCE.replace("x.h", &format!("{one}/inc/x.h")));
        trees.call(OTHER, ON, CALL, "first_seen");
        trees.call(OTHER, ON, CALL, "direct_hit");
        trees.call(ONE, ON, CALL, "names_the_root");
        trees.write_in(ONE, "inc/x.h", &HEADER.replace('1', "2"));
        trees.call(OTHER, ON, CALL, "input_changed");
        // The same with a folder.
        trees.write("src/x.c", SOURCE);
        let args: Vec<String> = CALL.iter().map(|arg| arg.replace("@/inc", &format!("{one}/inc"))).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        trees.call(OTHER, ON, &args, "first_seen");
        trees.call(ONE, ON, &args, "first_seen");
        trees.call(ONE, ON, &args, "direct_hit");
        trees.call(OTHER, ON, &args, "direct_hit");
    }
}

#[test]
fn without_the_setting_trees_are_apart_and_no_result_is_mapped() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        trees.call(ONE, OFF, CALL, "first_seen");
        trees.call(OTHER, OFF, CALL, "first_seen");
        trees.call(ONE, ON, CALL, "first_seen");
        trees.call(OTHER, ON, CALL, "direct_hit");
        trees.call(ONE, OFF, CALL, "direct_hit");
        trees.call(OTHER, OFF, CALL, "direct_hit");
    }
}

#[test]
fn another_name_of_the_working_folder_is_kept_as_it_shows() {
    for driver in DRIVERS {
        let trees = Trees::new(driver);
        let alias = trees.sandbox.work().join("alias");
        let lead_to = |tree: &str| {
            let _ = std::fs::remove_file(&alias);
            std::os::unix::fs::symlink(trees.root(tree), &alias).expect("our own folder");
            trees.sandbox.settle();
        };
        let pwd = alias.join("build").display().to_string();
        let env = [("LARDER_PORTABLE", "1"), ("PWD", pwd.as_str())];
        let near = ["-I../inc", "-g", "-c", "../src/x.c", "-o", "x.o"];
        lead_to(ONE);
        trees.call(ONE, &env, &near, "first_seen");
        // What leads elsewhere is no name of the folder, and does not show.
        trees.call(OTHER, &env, &near, "first_seen");
        lead_to(OTHER);
        trees.call(OTHER, &env, &near, "first_seen");
        trees.call(ONE, &env, &near, "direct_hit");
    }
}

#[test]
fn the_root_may_be_given_as_a_folder() {
    let trees = Trees::new("gcc");
    for tree in [ONE, OTHER] {
        std::fs::remove_dir(trees.root(tree).join(".git")).expect("our own folder");
    }
    let given = [("LARDER_PORTABLE", "@")];
    trees.call(ONE, &given, CALL, "first_seen");
    trees.call(OTHER, &given, CALL, "direct_hit");
    // Where none is found, the call is one like any other.
    let found = trees.shaped(trees.sandbox.larder(["gcc", "-g", "-c", "../src/x.c", "-I../inc"]), ONE, ON);
    for reason in ["first_seen", "direct_hit"] {
        let mut command = Command::new(found.get_program());
        command.args(found.get_args()).current_dir(found.get_current_dir().expect("a folder"));
        command.envs(found.get_envs().filter_map(|(name, value)| Some((name, value?))));
        assert!(command.status().expect("larder starts").success());
        assert_eq!(trees.sandbox.last_reason(), reason);
    }
    let object = std::fs::read(trees.root(ONE).join("build/x.o")).expect("it was made");
    let root = trees.root(ONE).display().to_string();
    assert!(object.windows(root.len()).any(|bytes| bytes == root.as_bytes()));
}
