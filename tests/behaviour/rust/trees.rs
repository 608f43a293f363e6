//! Several working trees of one project: they share what does not show where they lie.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use larder_tests::{Cargo, Sandbox, succeed};

const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", "[workspace]\nmembers = [\"leaf\", \"mac\", \"app\"]\nresolver = \"3\"\n"),
    ("leaf/Cargo.toml", "[package]\nname = \"leaf\"\nversion = \"1.0.0\"\nedition = \"2024\"\n"),
    (
        "leaf/src/lib.rs",
        "mod inner;\npub use inner::*;\n#[track_caller]\npub fn place() -> String { std::panic::Location::caller().to_string() }\n",
    ),
    ("leaf/src/inner.rs", "pub fn leaf() -> &'static str { file!() }\n"),
    (
        "mac/Cargo.toml",
        "[package]\nname = \"mac\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n",
    ),
    (
        "mac/src/lib.rs",
        "use proc_macro::TokenStream;\n#[proc_macro]\npub fn answer(_: TokenStream) -> TokenStream { \"42_u32\".parse().unwrap() }\n#[proc_macro]\npub fn package(_: TokenStream) -> TokenStream { format!(\"{:?}\", std::env::var(\"CARGO_MANIFEST_DIR\").unwrap()).parse().unwrap() }\n",
    ),
    (
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[dependencies]\nleaf = { path = \"../leaf\" }\nmac = { path = \"../mac\" }\n",
    ),
    (
        "app/src/main.rs",
        "fn main() { let unused = 1; println!(\"{} {} {}\", leaf::leaf(), leaf::place(), mac::answer!()); }\n",
    ),
];

/// Two trees alike, in folders whose names differ in length.
struct Trees {
    sandbox: Sandbox,
}

const ONE: &str = "one";
const OTHER: &str = "deeper/other";

impl Trees {
    fn new() -> Self {
        let sandbox = Sandbox::started();
        for tree in [ONE, OTHER] {
            std::fs::create_dir_all(sandbox.work().join(tree).join(".git")).expect("our own folder");
        }
        let trees = Self { sandbox };
        for (name, text) in FILES {
            trees.write(name, text);
        }
        trees
    }

    fn root(&self, tree: &str) -> PathBuf {
        self.sandbox.work().join(tree)
    }

    /// Writes the file `name` of both.
    fn write(&self, name: &str, text: &str) {
        for tree in [ONE, OTHER] {
            self.sandbox.write(&format!("{tree}/{name}"), text);
        }
        self.sandbox.settle();
    }

    /// Builds `tree` anew with `shape`d commands, and returns which calls were no hits. What is made is what `alone`
    /// makes without larder.
    fn build(&self, tree: &str, shape: impl Fn(&mut Command), alone: impl Fn(&mut Command)) -> Vec<String> {
        let root = self.root(tree);
        let cargo = Cargo::new(&self.sandbox, &root, &root.join("target"));
        let args = ["build", "--workspace"];
        cargo.clean();
        let mut without = cargo.command(&args);
        alone(&mut without);
        let said = succeed(&mut without).stderr;
        let made = cargo.made();
        cargo.clean();
        let newest = |stats: &serde_json::Value| stats["records"][0]["id"].as_u64().unwrap_or(0);
        let before = newest(&self.sandbox.stats());
        let mut through = cargo.through_larder(&args);
        shape(&mut through);
        let through = succeed(&mut through).stderr;
        assert!(cargo.made() == made, "{tree} differs from an uncached build");
        let warnings = |text: &[u8]| {
            let text = String::from_utf8_lossy(text).into_owned();
            let cargos = ["Finished", "Compiling", "Blocking"];
            let ours = |line: &&str| !cargos.iter().any(|word| line.trim_start().starts_with(word));
            text.lines().filter(ours).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(warnings(&through), warnings(&said), "{tree}");
        let stats = self.sandbox.stats();
        let records = stats["records"].as_array().expect("a list").iter();
        let text =
            |record: &serde_json::Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let mut misses: Vec<String> = records
            .filter(|record| record["id"].as_u64() > Some(before))
            .filter(|record| record["outcome"] != "hit" && record["outcome"] != "bypass")
            .filter(|record| record["reason"] != "source_from_stdin")
            .map(|record| format!("{} {}", text(record, "unit"), text(record, "reason")))
            .collect();
        misses.sort();
        misses
    }

    /// With the root mapped by the caller.
    fn mapped(&self, tree: &str) -> Vec<String> {
        let flags = format!("--remap-path-prefix={}=.", self.root(tree).display());
        let set = |command: &mut Command| {
            command.env("RUSTFLAGS", &flags);
        };
        self.build(tree, set, set)
    }

    /// With `LARDER_PORTABLE`; the compiler alone gets the map from a script.
    fn portable(&self, tree: &str) -> Vec<String> {
        let script = self.sandbox.work().join("mapping");
        let root = self.root(tree);
        let text = format!(
            "#!/bin/sh\ncase \" $* \" in *' --crate-name ___ '*) exec \"$@\" ;; esac\nexec \"$@\" --remap-path-prefix={}=.\n",
            root.display()
        );
        std::fs::write(&script, text).expect("our own file");
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).expect("our own file");
        let through = |command: &mut Command| {
            command.env("LARDER_PORTABLE", "1");
        };
        self.build(tree, through, |command| {
            command.env("RUSTC_WRAPPER", &script);
        })
    }
}

const ALL: [&str; 3] = ["app 1.0.0 first_seen", "leaf 1.0.0 first_seen", "mac 1.0.0 first_seen"];

#[test]
fn trees_whose_root_the_caller_maps_share_all_but_what_macros_may_see() {
    let trees = Trees::new();
    assert_eq!(trees.mapped(ONE), ALL);
    assert_eq!(trees.mapped(ONE), [""; 0]);
    assert_eq!(trees.mapped(OTHER), ["app 1.0.0 surroundings_changed"]);
    assert_eq!(trees.mapped(OTHER), [""; 0]);
    trees.write("leaf/src/inner.rs", "pub fn leaf() -> &'static str { concat!(file!(), 1) }\n");
    assert_eq!(trees.mapped(OTHER), ["app 1.0.0 first_seen", "leaf 1.0.0 input_changed"]);
    assert_eq!(trees.mapped(ONE), ["app 1.0.0 surroundings_changed"]);
    // What names the root is never another's.
    trees.write("leaf/src/inner.rs", "pub fn leaf() -> &'static str { env!(\"CARGO_MANIFEST_DIR\") }\n");
    assert_eq!(trees.mapped(ONE), ["app 1.0.0 first_seen", "leaf 1.0.0 input_changed"]);
    let misses = trees.mapped(OTHER);
    assert_eq!(misses[1..], ["leaf 1.0.0 variable_changed"], "{misses:?}");
}

#[test]
fn portable_trees_share_also_what_macros_made() {
    let trees = Trees::new();
    assert_eq!(trees.portable(ONE), ALL);
    assert_eq!(trees.portable(OTHER), [""; 0]);
    let ran = succeed(&mut trees.sandbox.command(trees.root(OTHER).join("target/debug/app"))).stdout;
    assert_eq!(String::from_utf8_lossy(&ran), "leaf/src/inner.rs app/src/main.rs:1:64 42\n");
    // A macro that shows the root.
    trees.write("app/src/main.rs", "fn main() { println!(\"{}\", mac::package!()); }\n");
    assert_eq!(trees.portable(ONE), ["app 1.0.0 input_changed"]);
    assert_eq!(trees.portable(OTHER), ["app 1.0.0 surroundings_changed"]);
    let program: &Path = &trees.root(OTHER).join("target/debug/app");
    let ran = succeed(&mut trees.sandbox.command(program)).stdout;
    assert_eq!(String::from_utf8_lossy(&ran).trim(), trees.root(OTHER).join("app").to_str().expect("text"));
    // An edit in one tree is that tree's.
    trees.sandbox.write_settled(&format!("{ONE}/leaf/src/inner.rs"), "pub fn leaf() -> u8 { 1 }\n");
    assert_eq!(trees.portable(ONE)[1..], ["leaf 1.0.0 input_changed"]);
    assert_eq!(trees.portable(OTHER), [""; 0]);
}
