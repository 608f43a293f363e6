//! Clients of each kind. Each knows what is right, and ends the test where it gets something else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Instant;

use larder_tests::{Chance, GoAdapter, Sandbox, rust_tool};

/// Sources of each kind. Most calls are hits, some are not.
const SOURCES: usize = 40;

/// Files of a tree that is checked for changes.
const TREE: usize = 30;

/// Kinds of requests, as they are reported.
pub(crate) const KINDS: [&str; 10] = [
    "c",
    "rust",
    "go get",
    "go put",
    "fingerprint check",
    "fingerprint mark",
    "run",
    "store get",
    "store has",
    "store put",
];

/// Times of each kind of request, microseconds.
pub(crate) type Times = Mutex<BTreeMap<&'static str, Vec<u64>>>;

/// Writes what all clients read, and what the compiler alone makes of the sources.
pub(crate) fn sources(sandbox: &Sandbox) {
    for n in 0..SOURCES {
        sandbox.write(&format!("c{n}.c"), format!("char large{n}[{}] = {{ 1, {n} }};\n", 100 + n * n * 100));
        sandbox.write(&format!("r{n}.rs"), format!("pub fn f{n}() -> u32 {{ {n} }}\n"));
        let mut gcc = sandbox.command("gcc");
        gcc.args(["-c", &format!("c{n}.c"), "-o", &format!("c{n}.o")]);
        assert!(gcc.status().expect("gcc starts").success());
    }
    sandbox.settle();
}

/// One client until `end`.
pub(crate) struct Client<'a> {
    pub(crate) sandbox: &'a Sandbox,
    pub(crate) number: usize,
    pub(crate) chance: Chance,
    pub(crate) times: &'a Times,
    pub(crate) end: Instant,
}

impl Client<'_> {
    /// Of eight clients five compile; the others are one of each other kind.
    pub(crate) fn live(mut self) {
        std::fs::create_dir_all(self.folder()).expect("our own folder");
        match self.number % 8 {
            7 => self.go(),
            6 => self.check_files(),
            5 => self.keep_artifacts(),
            _ => self.compile(),
        }
    }

    /// Where it writes.
    fn folder(&self) -> PathBuf {
        self.sandbox.work().join(format!("out{}", self.number))
    }

    fn note(&self, kind: &'static str, begun: Instant) {
        let took = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.times.lock().expect("no panic").entry(kind).or_default().push(took);
    }

    /// Runs a `command` that ends with one of `codes` and says nothing on standard error, or that nothing is kept, or
    /// that it goes on without a daemon that has not answered for long.
    fn call(&self, kind: &'static str, command: &mut Command, codes: &[i32]) -> Output {
        let begun = Instant::now();
        let output = command.output().expect("larder starts");
        self.note(kind, begun);
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        // Where the machine lets the daemon wait for its turn, whoever waits for it goes on alone after a second.
        let alone = said.contains("it has been silent") && said.lines().count() == 1;
        let fine = said.is_empty() || alone || said.starts_with("larder: nothing is kept under ");
        assert!(
            fine && code.is_some_and(|code| codes.contains(&code)),
            "{command:?}: {code:?} {said}\n{}",
            self.sandbox.log()
        );
        output
    }

    fn compile(&mut self) {
        while Instant::now() < self.end {
            self.compile_once();
        }
    }

    fn compile_once(&mut self) {
        let n = self.chance.below(SOURCES);
        if self.chance.below(4) == 0 {
            let mut command = self.sandbox.larder([rust_tool("rustc")]);
            command.args(["--crate-name", &format!("r{n}"), "--crate-type=lib", "--emit=metadata,dep-info"]);
            command.arg(format!("r{n}.rs")).arg("--out-dir").arg(self.folder());
            self.call("rust", &mut command, &[0]);
            return;
        }
        let object = self.folder().join("x.o");
        let mut command = self.sandbox.larder(["gcc", "-c", &format!("c{n}.c"), "-o"]);
        command.arg(&object);
        // One call in ten is another one.
        if self.chance.below(10) == 0 {
            command.arg(format!("-DN={}", self.chance.below(1000)));
        }
        self.call("c", &mut command, &[0]);
        self.same(&object, &format!("c{n}.o"));
    }

    fn go(&mut self) {
        while Instant::now() < self.end {
            let mut adapter = GoAdapter::start(self.sandbox);
            for _ in 0..100 {
                let n = self.chance.below(SOURCES);
                let (name, body) = (format!("action {n}"), vec![7; 100 + n * 1000]);
                let begun = Instant::now();
                if self.chance.below(4) == 0 {
                    adapter.put_well(&name, &body);
                    self.note("go put", begun);
                } else {
                    adapter.get(&name);
                    self.note("go get", begun);
                }
                if Instant::now() >= self.end {
                    break;
                }
            }
            adapter.close();
        }
    }

    /// Works on a tree of its own, which somebody edits at any time, and is told of each edit.
    fn check_files(&mut self) {
        let (tree, state) = (self.folder().join("tree"), self.folder().join("state"));
        std::fs::create_dir(&tree).expect("our own folder");
        for n in 0..TREE {
            std::fs::write(tree.join(format!("f{n}")), "0").expect("our own folder");
        }
        let fingerprint = |verb: &str| {
            let mut command = self.sandbox.larder(["fingerprint", verb, "--cache"]);
            command.arg(&state);
            command
        };
        let (mut due, mut edits) = (true, 0_u32);
        while Instant::now() < self.end {
            if self.chance.below(3) == 0 {
                edits += 1;
                let file = tree.join(format!("f{}", self.chance.below(TREE)));
                // Of the same size most of the time, and never what it was.
                std::fs::write(file, format!("{edits:04}")).expect("our own folder");
                due = true;
            }
            let mut check = fingerprint("check");
            self.call("fingerprint check", check.arg("--root").arg(&tree), &[i32::from(due)]);
            if due {
                let succeeds = self.chance.below(4) > 0;
                let verb = if succeeds { "success" } else { "failure" };
                self.call("fingerprint mark", &mut fingerprint(verb), &[0]);
                due = !succeeds;
            }
        }
    }

    /// Keeps files under keys, asks for them, and has a command's output cached, in turns. What is there may have been
    /// evicted.
    fn keep_artifacts(&mut self) {
        let folder = self.folder();
        let made = format!("out{}/made", self.number);
        // With four of these clients each kind is asked for at once.
        for turn in self.number / 8.. {
            if Instant::now() >= self.end {
                break;
            }
            let n = self.chance.below(SOURCES);
            let (file, key) = (format!("c{n}.c"), format!("key {n}"));
            let larder = |args: &[&str]| self.sandbox.larder(args);
            match turn % 4 {
                0 => drop(self.call("store put", &mut larder(&["store", "put", &key, &file]), &[0])),
                1 => drop(self.call("store has", &mut larder(&["store", "has", &key]), &[0, 1])),
                2 => {
                    let mut get = larder(&["store", "get", &key, "--into"]);
                    if self.call("store get", get.arg(&folder), &[0, 1]).status.success() {
                        self.same(&folder.join(&file), &file);
                    }
                }
                _ => {
                    let run = ["run", "--input", &file, "--output", &made, "--", "cp", &file, &made];
                    self.call("run", &mut larder(&run), &[0]);
                    self.same(&folder.join("made"), &file);
                }
            }
        }
    }

    /// What was made is what it must be.
    fn same(&self, made: &Path, name: &str) {
        let right = std::fs::read(self.sandbox.work().join(name)).expect("our own file");
        assert!(std::fs::read(made).expect("made") == right, "{} is not {name}", made.display());
    }
}
