//! Every command that the documentation shows is run, and says what the documentation says it does.
//!
//! A `console` block is a person's session: lines that begin with `$ ` are typed, the others are what is then printed.
//! `…` stands for any part of a line, and by itself for any lines. A command without lines below it may print anything.
//! It must succeed, unless `# exit code N` follows it. Each page has a sandbox of its own with the files of
//! `tests/documentation/`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

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

/// One shell for all commands of a page, as a person has one: a session ends with the shell that started it.
struct Shell {
    sandbox: Sandbox,
    bash: Child,
    output: BufReader<ChildStdout>,
    next: PathBuf,
}

/// What the shell prints after each command; no command does.
const DONE: &str = "\u{1}done ";

impl Shell {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("documentation/.");
        succeed(Command::new("cp").arg("-R").arg(files).arg(sandbox.work()));
        let folders = [program("larder"), larder_tests::go_program(), larder_tests::rust_tool("cargo")];
        let folders = folders.iter().map(|program| program.parent().expect("a folder").display().to_string());
        let path: Vec<String> = folders.collect();
        let mut command = sandbox.command("bash");
        let mut bash = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash starts");
        let output = BufReader::new(bash.stdout.take().expect("a pipe"));
        let next = sandbox.root().join("next");
        let mut shell = Self { sandbox, bash, output, next };
        shell.say(&format!(
            "exec 2>&1\nexport PATH=\"{}:$PATH\" GOTOOLCHAIN=local GOFLAGS=-mod=mod\n",
            path.join(":")
        ));
        shell
    }

    fn say(&mut self, line: &str) {
        self.bash.stdin.as_mut().expect("a pipe").write_all(line.as_bytes()).expect("bash listens");
    }

    /// What `command` prints, and how it ends.
    fn type_in(&mut self, command: &str) -> (String, i32) {
        std::fs::write(&self.next, command).expect("our own folder");
        let next = self.next.display().to_string();
        // What is to be typed next is not the command's to read.
        self.say(&format!("eval \"$(cat {next})\" </dev/null; printf '{DONE}%d\\n' $?\n"));
        let mut printed = Vec::new();
        loop {
            let before = printed.len();
            let read = self.output.read_until(b'\n', &mut printed).expect("bash prints");
            assert!(read > 0, "bash ended at {command:?}");
            let line = String::from_utf8_lossy(&printed[before..]).into_owned();
            // Its last line may have no end.
            if let Some((rest, code)) = line.trim_end().split_once(DONE) {
                let code = code.parse().expect("a number");
                printed.truncate(before);
                return (String::from_utf8_lossy(&printed).into_owned() + rest, code);
            }
        }
    }

    fn run(&mut self, page: &str, typed: &Typed) {
        self.sandbox.settle();
        let (printed, code) = self.type_in(&typed.command);
        let lines: Vec<&str> = printed.lines().collect();
        assert!(
            code == typed.code && (typed.prints.is_empty() || all_fit(&typed.prints, &lines)),
            "{page}: `{}` ended with {code}, and printed\n{printed}\nand not\n{}\n",
            typed.command,
            typed.prints.join("\n")
        );
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.bash.stdin.take());
        let _ = self.bash.wait();
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
                let mut shell = Shell::new();
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
