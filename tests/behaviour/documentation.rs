//! Every command that the documentation shows is run, and says what the documentation says it does.
//!
//! A `console` block is a person's session: lines that begin with `$ ` are typed, the others are what is then printed.
//! `…` stands for any part of a line, and by itself for any lines. A command without lines below it may print anything.
//! It must succeed, unless `# exit code N` follows it. Each page has a sandbox of its own with the files of
//! `tests/documentation/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use larder_tests::{Sandbox, program, succeed};

/// What is typed, and what is to come of it.
#[derive(Debug, PartialEq, Eq)]
struct Typed {
    command: String,
    code: i32,
    prints: Vec<String>,
}

fn read(page: &str) -> Vec<Typed> {
    let mut typed: Vec<Typed> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        } else if !inside {
        } else if let Some(command) = line.strip_prefix("$ ") {
            let (command, code) = match command.split_once("# exit code ") {
                Some((command, code)) => (command.trim_end(), code.trim().parse().expect("a number")),
                None => (command, 0),
            };
            typed.push(Typed { command: command.to_owned(), code, prints: Vec::new() });
        } else {
            let last = typed.last_mut().expect("a block begins with a command");
            last.prints.push(line.to_owned());
        }
    }
    typed
}

/// Whether `line` is `pattern` with something for each `…`.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}

fn all_fit(patterns: &[String], lines: &[&str]) -> bool {
    match (patterns.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((any, more)), _) if any == "…" => {
            (0..=lines.len()).any(|passed| all_fit(more, &lines[passed..]))
        }
        (Some((pattern, more)), Some((line, rest))) => fits(pattern, line.trim_end()) && all_fit(more, rest),
        _ => false,
    }
}

/// A shell whose variables and folder last from one command to the next.
struct Shell {
    sandbox: Sandbox,
    state: PathBuf,
}

impl Shell {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("documentation/.");
        succeed(Command::new("cp").arg("-R").arg(files).arg(sandbox.work()));
        let state = sandbox.root().join("state");
        let folders = [program("larder"), larder_tests::go_program(), larder_tests::rust_tool("cargo")];
        let folders = folders.iter().map(|program| program.parent().expect("a folder").display().to_string());
        let path: Vec<String> = folders.collect();
        let first = format!("export PATH=\"{}:$PATH\" GOTOOLCHAIN=local GOFLAGS=-mod=mod\n", path.join(":"));
        std::fs::write(&state, first).expect("our own folder");
        Self { sandbox, state }
    }

    fn run(&self, page: &str, typed: &Typed) {
        self.sandbox.settle();
        let state = self.state.display();
        let script = format!(
            ". {state}\n{}\ncode=$?\n{{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > {state}\nexit $code\n",
            typed.command
        );
        let output = self.sandbox.command("bash").args(["-c", &format!("exec 2>&1\n{script}")]).output();
        let output = output.expect("bash starts");
        let printed = String::from_utf8_lossy(&output.stdout);
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            output.status.code() == Some(typed.code)
                && (typed.prints.is_empty() || all_fit(&typed.prints, &lines)),
            "{page}: `{}` ended with {}, and printed\n{printed}\nand not\n{}\n",
            typed.command,
            output.status,
            typed.prints.join("\n")
        );
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace")
}

/// Makes a test of each page, and one that none is forgotten.
macro_rules! pages {
    ($($test:ident $page:literal)+) => {
        $(
            #[test]
            fn $test() {
                let typed = read(&std::fs::read_to_string(root().join($page)).expect("the page"));
                assert!(!typed.is_empty(), "it shows no command");
                let shell = Shell::new();
                for typed in typed {
                    shell.run($page, &typed);
                }
            }
        )+

        #[test]
        fn no_page_is_forgotten() {
            let known = [$($page),+];
            let pages = std::fs::read_dir(root().join("docs")).expect("a folder").flatten();
            let names = pages.map(|page| format!("docs/{}", page.file_name().to_string_lossy()));
            for name in names.filter(|name| name.ends_with(".md")) {
                let text = std::fs::read_to_string(root().join(&name)).expect("the page");
                assert!(known.contains(&name.as_str()) || !text.contains("```console"), "{name}");
            }
        }
    };
}

pages! {
    the_readme "README.md"
    c "docs/c.md"
    rust "docs/rust.md"
    go_ "docs/go.md"
    any_command "docs/run.md"
    fingerprints "docs/fingerprints.md"
    how_it_works "docs/how-it-works.md"
    troubleshooting "docs/troubleshooting.md"
    operations "docs/operations.md"
}

#[test]
fn blocks_are_read_and_compared_as_people_do() {
    let typed = read("```\n$ no\n```\n```console\n$ a  # exit code 2\none …\n…\n$ b\n```\n");
    assert_eq!(typed.len(), 2);
    assert_eq!((typed[0].command.as_str(), typed[0].code), ("a", 2));
    assert!(all_fit(&typed[0].prints, &["one x", "y", "z"]) && all_fit(&typed[0].prints, &["one 1"]));
    assert!(!all_fit(&typed[0].prints, &["two", "y"]));
    assert!(fits("a…c…e", "abcde") && !fits("a…c…e", "abcd") && fits("x", "x") && !fits("x", "xy"));
}
