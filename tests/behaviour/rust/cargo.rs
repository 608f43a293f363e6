//! Whole workspaces under Cargo: libraries, a macro, build scripts, C, programs, tests.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use larder_tests::{Cargo, Sandbox, program, succeed};

/// A workspace with one of everything; each package is small.
const FILES: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"leaf\", \"mac\", \"gen\", \"native\", \"app\"]\nresolver = \"3\"\n",
    ),
    (
        "leaf/Cargo.toml",
        "[package]\nname = \"leaf\"\nversion = \"1.2.3\"\nedition = \"2024\"\n[features]\nloud = []\n",
    ),
    (
        "leaf/src/lib.rs",
        "mod inner;\npub use inner::leaf;\npub const TEXT: &str = include_str!(\"text.txt\");\n#[cfg(test)]\nmod tests { #[test] fn leafs() { assert_eq!(crate::leaf(), crate::leaf()); } }\n",
    ),
    ("leaf/src/inner.rs", "pub fn leaf() -> u32 { if cfg!(feature = \"loud\") { 2 } else { 1 } }\n"),
    ("leaf/src/text.txt", "text"),
    (
        "mac/Cargo.toml",
        "[package]\nname = \"mac\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n",
    ),
    (
        "mac/src/lib.rs",
        "use proc_macro::TokenStream;\n#[proc_macro]\npub fn answer(_: TokenStream) -> TokenStream { \"42_u32\".parse().unwrap() }\n",
    ),
    ("gen/Cargo.toml", "[package]\nname = \"gen\"\nversion = \"1.0.0\"\nedition = \"2024\"\n"),
    (
        "gen/build.rs",
        "fn main() {\n    println!(\"cargo:rerun-if-changed=value\");\n    println!(\"cargo:rustc-env=GENERATED=yes\");\n    let value = std::fs::read_to_string(\"value\").unwrap();\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    std::fs::write(out + \"/code.rs\", format!(\"pub const VALUE: u32 = {value};\")).unwrap();\n}\n",
    ),
    ("gen/value", "7"),
    (
        "gen/src/lib.rs",
        "include!(concat!(env!(\"OUT_DIR\"), \"/code.rs\"));\npub const GENERATED: &str = env!(\"GENERATED\");\n",
    ),
    (
        "native/Cargo.toml",
        "[package]\nname = \"native\"\nversion = \"1.0.0\"\nedition = \"2024\"\n[build-dependencies]\ncc = \"1\"\n",
    ),
    (
        "native/build.rs",
        "fn main() {\n    println!(\"cargo:rerun-if-changed=n.c\");\n    cc::Build::new().file(\"n.c\").compile(\"n\");\n}\n",
    ),
    ("native/n.c", "int n(void) { return 5; }\n"),
    ("native/src/lib.rs", "unsafe extern \"C\" { safe fn n() -> i32; }\npub fn native() -> i32 { n() }\n"),
    (
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[dependencies]\nleaf = { path = \"../leaf\" }\nmac = { path = \"../mac\" }\ngen = { path = \"../gen\", package = \"gen\" }\nnative = { path = \"../native\" }\n[features]\nloud = [\"leaf/loud\"]\n",
    ),
    (
        "app/src/lib.rs",
        "#[unsafe(no_mangle)]\npub extern \"C\" fn app() -> u32 { leaf::leaf() + r#gen::VALUE }\n",
    ),
    (
        "app/src/main.rs",
        "fn main() { println!(\"{} {} {} {} {}\", leaf::leaf(), leaf::TEXT, mac::answer!(), r#gen::VALUE, native::native()); let unused = 1; }\n",
    ),
    ("app/tests/it.rs", "#[test]\nfn it() { assert_eq!(app::app(), leaf::leaf() + r#gen::VALUE); }\n"),
    ("app/examples/ex.rs", "fn main() { println!(\"{}\", leaf::TEXT); }\n"),
];

/// Calls of rustc in a build of everything: five libraries, one of them of two kinds, two build scripts with the crates
/// that one of them needs, a program.
const AT_LEAST: usize = 8;

struct Workspace {
    sandbox: Sandbox,
}

impl Workspace {
    fn new() -> Self {
        let sandbox = Sandbox::started();
        for (name, text) in FILES {
            sandbox.write(&format!("ws/{name}"), text);
        }
        sandbox.settle();
        Self { sandbox }
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.work().join("ws")
    }

    fn cargo(&self, target: &str) -> Cargo<'_> {
        Cargo::new(&self.sandbox, &self.folder(), &self.sandbox.work().join(target))
    }

    /// Runs `command`, and returns how many calls of rustc were hits, and the others' reasons with what they are about.
    /// Questions do not count.
    fn counted(&self, command: &mut Command) -> (usize, Vec<String>) {
        let last = |stats: &serde_json::Value| stats["records"][0]["id"].as_u64().unwrap_or(0);
        let before = last(&self.sandbox.stats());
        succeed(command);
        let stats = self.sandbox.stats();
        let records = stats["records"].as_array().expect("a list");
        let new = records.iter().filter(|record| record["id"].as_u64() > Some(before));
        let text =
            |record: &serde_json::Value, name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let rustc = new.filter(|record| text(record, "tool") != "gcc");
        let (hits, others): (Vec<_>, Vec<_>) = rustc.partition(|record| record["outcome"] == "hit");
        let about = |record: &&serde_json::Value| {
            format!("{}: {} {}", text(record, "unit"), text(record, "reason"), text(record, "detail"))
        };
        let asked = |record: &&&serde_json::Value| {
            record["outcome"] != "bypass" && record["reason"] != "source_from_stdin"
        };
        (hits.len(), others.iter().filter(asked).map(about).collect())
    }
}

fn ran(workspace: &Workspace, target: &str) -> String {
    let program = workspace.sandbox.work().join(target).join("debug/app");
    String::from_utf8(succeed(&mut workspace.sandbox.command(program)).stdout).expect("text")
}

#[test]
fn a_workspace_comes_from_the_cache_and_cargo_finds_it_fresh() {
    let workspace = Workspace::new();
    let cargo = workspace.cargo("t");
    let all = ["build", "--workspace", "--all-targets"];
    succeed(&mut cargo.command(&all));
    let alone = cargo.made();
    cargo.clean();
    let (_, cold) = workspace.counted(&mut cargo.through_larder(&all));
    assert!(cargo.made() == alone, "the first build differs");
    assert!(cold.len() >= AT_LEAST && cold.iter().all(|miss| miss.contains("first_seen")), "{cold:?}");
    for restored in [false, true] {
        let (hits, misses) = workspace.counted(&mut cargo.through_larder(&all));
        assert_eq!(misses, [""; 0]);
        assert_eq!(hits, if restored { cold.len() } else { 0 }, "what is fresh is not compiled");
        let again = succeed(&mut cargo.through_larder(&all));
        assert!(!String::from_utf8_lossy(&again.stderr).contains("Compiling"));
        cargo.clean();
    }
    succeed(&mut cargo.through_larder(&all));
    assert!(cargo.made() == alone, "the restored build differs");
    assert_eq!(ran(&workspace, "t"), "1 text 42 7 5\n");
}

#[test]
fn another_target_folder_shares_what_does_not_show_it() {
    let workspace = Workspace::new();
    workspace.counted(&mut workspace.cargo("t").through_larder(&["build", "--workspace"]));
    let other = workspace.cargo("other");
    succeed(&mut other.command(&["build", "--workspace"]));
    let alone = other.made();
    other.clean();
    let (hits, misses) = workspace.counted(&mut other.through_larder(&["build", "--workspace"]));
    assert!(other.made() == alone, "the other build differs");
    // The generated code's own path is in the library, and so the library is another one to what is made of it.
    let shown = |miss: &String| miss.starts_with("gen ") || miss.starts_with("app ");
    assert!(misses.iter().all(shown), "{misses:?}");
    assert!(hits >= AT_LEAST - 3, "{hits} hits; {misses:?}");
}

#[test]
fn each_change_makes_what_an_uncached_build_makes_of_it() {
    let workspace = Workspace::new();
    let cargo = workspace.cargo("t");
    let build = ["build", "--workspace"];
    workspace.counted(&mut cargo.through_larder(&build));
    let changes: &[(&str, &str, &str)] = &[
        ("leaf/src/inner.rs", "pub fn leaf() -> u32 { 3 }\n", "3 text 42 7 5\n"),
        ("leaf/src/text.txt", "other", "3 other 42 7 5\n"),
        (
            "mac/src/lib.rs",
            "use proc_macro::TokenStream;\n#[proc_macro]\npub fn answer(_: TokenStream) -> TokenStream { \"43_u32\".parse().unwrap() }\n",
            "3 other 43 7 5\n",
        ),
        ("gen/value", "8", "3 other 43 8 5\n"),
        ("native/n.c", "int n(void) { return 6; }\n", "3 other 43 8 6\n"),
    ];
    for (name, text, prints) in changes {
        workspace.sandbox.write_settled(&format!("ws/{name}"), text);
        cargo.clean();
        let (hits, misses) = workspace.counted(&mut cargo.through_larder(&build));
        assert!(hits > 0 && !misses.is_empty(), "{name}: {hits} hits, {misses:?}");
        let through = cargo.made();
        assert_eq!(ran(&workspace, "t"), *prints, "{name}");
        cargo.clean();
        succeed(&mut cargo.command(&build));
        assert!(cargo.made() == through, "after {name}");
    }
    cargo.clean();
    let (_, misses) =
        workspace.counted(&mut cargo.through_larder(&["build", "--workspace", "--features", "app/loud"]));
    assert!(misses.iter().any(|miss| miss.starts_with("leaf ")), "{misses:?}");
    assert!(!misses.iter().any(|miss| miss.starts_with("mac ")), "{misses:?}");
}

#[test]
fn checks_lints_and_tests_come_from_the_cache() {
    let workspace = Workspace::new();
    let cargo = workspace.cargo("t");
    for args in
        [&["check", "--workspace"][..], &["clippy", "--workspace"], &["test", "--workspace", "--no-run"]]
    {
        let (_, cold) = workspace.counted(&mut cargo.through_larder(args));
        let said = |command: &mut Command| {
            let said = String::from_utf8(succeed(command).stderr).expect("text");
            said.lines().filter(|line| line.contains("unused")).map(str::to_owned).collect::<Vec<_>>()
        };
        cargo.clean();
        let (hits, misses) = workspace.counted(&mut cargo.through_larder(args));
        assert_eq!(misses, [""; 0], "{args:?}");
        assert!(hits >= cold.len() && !cold.is_empty(), "{args:?}: {hits} hits, then {cold:?}");
        cargo.clean();
        let through = said(&mut cargo.through_larder(args));
        assert!(!through.is_empty(), "{args:?} warns");
        cargo.clean();
        assert_eq!(said(&mut cargo.command(args)), through, "{args:?}");
        cargo.clean();
    }
    // What Clippy goes by beside the source.
    let lints = |reason: &str| {
        cargo.clean();
        let (_, misses) = workspace.counted(&mut cargo.through_larder(&["clippy", "--workspace"]));
        let told = misses.iter().any(|miss| miss.starts_with("leaf ") && miss.contains(reason));
        assert_eq!(told, !reason.is_empty(), "{reason}: {misses:?}");
    };
    workspace.sandbox.write_settled("ws/clippy.toml", "too-many-arguments-threshold = 1\n");
    lints("input_appeared");
    lints("");
    workspace.sandbox.write_settled("ws/clippy.toml", "too-many-arguments-threshold = 2\n");
    lints("input_changed");
    let tests = succeed(&mut cargo.through_larder(&["test", "--workspace"]));
    assert!(String::from_utf8_lossy(&tests.stdout).contains("test it ... ok"));
}

#[test]
fn two_builds_at_once_share_one_daemon() {
    let workspace = Workspace::new();
    let cargos = [workspace.cargo("one"), workspace.cargo("two")];
    let running = cargos.each_ref().map(|cargo| {
        let mut command = cargo.through_larder(&["build", "--workspace"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("cargo starts")
    });
    for mut child in running {
        assert!(child.wait().expect("our own child").success());
    }
    for (cargo, target) in cargos.iter().zip(["one", "two"]) {
        let through = cargo.made();
        assert_eq!(ran(&workspace, target), "1 text 42 7 5\n");
        cargo.clean();
        succeed(&mut cargo.command(&["build", "--workspace"]));
        assert!(cargo.made() == through, "{target} differs");
    }
    workspace.sandbox.pid("larderd");
}

#[test]
fn c_in_build_scripts_comes_from_the_same_cache() {
    let workspace = Workspace::new();
    let cargo = workspace.cargo("t");
    let built = || {
        cargo.clean();
        let mut command = cargo.through_larder(&["build", "-p", "native"]);
        succeed(command.env("CC", format!("{} gcc", program("larder").display())));
    };
    let of_c = || {
        let stats = workspace.sandbox.stats();
        let records = stats["records"].as_array().cloned().unwrap_or_default();
        let record = records
            .into_iter()
            .find(|record| record["source"].as_str().is_some_and(|name| name.ends_with("n.c")));
        record.expect("the C file was compiled through larder")["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    built();
    assert_eq!(of_c(), "first_seen");
    built();
    assert_eq!(of_c(), "direct_hit");
}

#[test]
fn a_build_through_larder_turns_incremental_compiles_off_and_says_so_once() {
    let workspace = Workspace::new();
    let cargo = workspace.cargo("t");
    let plain = cargo.command(&["build", "-p", "leaf"]);
    let mut command = workspace.sandbox.larder(["build", "--"]);
    command.arg(plain.get_program()).args(plain.get_args()).current_dir(workspace.folder());
    for (name, value) in plain.get_envs().filter(|(name, _)| *name != "CARGO_INCREMENTAL") {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = String::from_utf8(succeed(&mut command).stderr).expect("text");
    assert_eq!(said.matches("larder: ").count(), 1, "{said}");
    assert_eq!(workspace.sandbox.last_reason(), "first_seen");
    cargo.clean();
    let said = succeed(command.env("CARGO_INCREMENTAL", "1")).stderr;
    assert!(!String::from_utf8_lossy(&said).contains("larder: "));
    assert_eq!(workspace.sandbox.last_reason(), "incremental");
}

#[test]
fn the_cached_crates_are_listed_and_the_misses_of_the_last_build_explained() {
    let workspace = Workspace::new();
    let cargo = workspace.cargo("t");
    workspace.counted(&mut cargo.through_larder(&["build", "-p", "leaf", "-p", "mac"]));
    let listed = workspace.sandbox.run(&["rust", "list", "--json"]).stdout;
    let listed: serde_json::Value = serde_json::from_slice(&listed).expect("JSON");
    let leaf = &listed["artifacts"][0];
    assert_eq!(
        (&leaf["name"], &leaf["version"], &leaf["kind"]),
        (&"leaf".into(), &"1.2.3".into(), &"library".into())
    );
    assert!(leaf["outputs"].to_string().contains("libleaf-") && leaf["bytes"].as_u64() > Some(0), "{leaf}");
    assert_eq!(listed["artifacts"][1]["kind"], "proc-macro");
    let text = String::from_utf8(workspace.sandbox.run(&["rust", "list"]).stdout).expect("text");
    assert!(text.contains("leaf 1.2.3"), "{text}");
    workspace.sandbox.write_settled("ws/leaf/src/text.txt", "edited");
    cargo.clean();
    workspace.counted(&mut cargo.through_larder(&["build", "-p", "leaf", "-p", "mac"]));
    let told = String::from_utf8(workspace.sandbox.run(&["explain"]).stdout).expect("text");
    assert!(
        told.contains("leaf 1.2.3") && told.contains("text.txt") && !told.contains("mac 1.0.0"),
        "{told}"
    );
}
