//! What a daemon knows at its end of files and tools, and what the next one makes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use larder_tests::{Sandbox, alive, same_as_alone, signal, wait_until};
use rustix::process::Signal;

/// A compiler that counts how often it is run, in a file.
struct Counting {
    program: PathBuf,
    count: PathBuf,
}

impl Counting {
    /// One that compiles with `option`, a C string and a comma, or nothing.
    fn new(sandbox: &Sandbox, option: &str) -> Self {
        let (program, count) = (sandbox.work().join("bin/gcc"), sandbox.root().join("count"));
        let source = sandbox.root().join("gcc.c");
        let text = format!(
            "#include <fcntl.h>\n#include <unistd.h>\n\
             int main(int count, char **words) {{\n\
               char *all[99] = {{\"/usr/bin/gcc\", {option}}};\n\
               int own = all[1] ? 2 : 1, file = open(\"{}\", O_WRONLY | O_APPEND | O_CREAT, 0600);\n\
               for (int at = 1; at < count; at++) all[own++] = words[at];\n\
               return write(file, \"x\", 1) != 1 || execv(all[0], all);\n\
             }}\n",
            count.display()
        );
        fs::create_dir_all(program.parent().expect("it lies in a folder")).expect("our own folder");
        fs::write(&source, text).expect("our own folder");
        let made = sandbox.command("gcc").arg(&source).arg("-o").arg(&program).output().expect("gcc starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        sandbox.settle();
        Self { program, count }
    }

    fn argv(&self) -> [&str; 5] {
        [self.program.to_str().expect("text"), "-c", "x.c", "-o", "x.o"]
    }

    fn runs(&self) -> usize {
        fs::read(&self.count).map_or(0, |all| all.len())
    }

    /// How often a call of larder's runs it, which is to be counted under `reason`.
    fn runs_of_a_call(&self, sandbox: &Sandbox, reason: &str) -> usize {
        let before = self.runs();
        sandbox.run(&self.argv());
        assert_eq!(sandbox.last_reason(), reason, "{}", sandbox.log());
        self.runs() - before
    }
}

fn notes(sandbox: &Sandbox) -> [PathBuf; 2] {
    ["digests", "tools"].map(|name| sandbox.runtime().join("larder").join(name))
}

/// A daemon that has come to know the compiler, and knows a result.
fn known(sandbox: &Sandbox) -> Counting {
    let compiler = Counting::new(sandbox, "");
    sandbox.write_settled("x.c", "int x = 1\n#ifdef TWO\n+ 1\n#endif\n;\n");
    sandbox.start();
    same_as_alone(sandbox, &compiler.argv());
    assert_eq!(compiler.runs_of_a_call(sandbox, "direct_hit"), 0);
    compiler
}

fn damage(file: &Path) {
    let mut bytes = fs::read(file).expect("it was left");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).expect("our own file");
}

#[test]
fn a_compiler_that_an_earlier_daemon_knew_is_not_asked_again() {
    let sandbox = Sandbox::new();
    let compiler = known(&sandbox);
    for _ in 0..2 {
        sandbox.run(&["stop"]);
        for note in notes(&sandbox) {
            let mode = note.metadata().expect("it is left").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{}", note.display());
        }
        sandbox.start();
        assert_eq!(compiler.runs_of_a_call(&sandbox, "direct_hit"), 0, "{}", sandbox.log());
    }
}

#[test]
fn a_compiler_that_is_another_by_the_next_daemon_is_asked_and_its_result_made_anew() {
    let sandbox = Sandbox::new();
    let compiler = known(&sandbox);
    sandbox.run(&["stop"]);
    let dated = compiler.program.metadata().expect("there").modified().expect("a time");
    let other = Counting::new(&sandbox, "\"-DTWO\"");
    // Of the same size, most likely, and dated the same.
    let opened = fs::File::options().write(true).open(&other.program).expect("our own file");
    opened.set_modified(dated).expect("our own file");
    drop(opened);
    sandbox.settle();
    sandbox.start();
    same_as_alone(&sandbox, &other.argv());
    assert_eq!(sandbox.last_reason(), "first_seen");
    assert_eq!(other.runs_of_a_call(&sandbox, "direct_hit"), 0);
}

#[test]
fn notes_that_are_damaged_or_gone_cost_time_alone() {
    let sandbox = Sandbox::new();
    let compiler = known(&sandbox);
    let spoil: [fn(&Path); 4] = [
        damage,
        |note| fs::remove_file(note).expect("it was left"),
        |note| fs::write(note, "").expect("our own file"),
        |note| {
            fs::remove_file(note).expect("it was left");
            fs::create_dir(note).expect("our own folder");
        },
    ];
    for spoil in spoil {
        sandbox.run(&["stop"]);
        notes(&sandbox).iter().for_each(|note| spoil(note));
        let status = sandbox.start();
        assert_eq!(status["warnings"].to_string(), "[]");
        assert!(compiler.runs_of_a_call(&sandbox, "direct_hit") > 0, "{}", sandbox.log());
        same_as_alone(&sandbox, &compiler.argv());
        assert_eq!(sandbox.last_reason(), "direct_hit");
    }
}

#[test]
fn what_is_cleared_is_not_known_to_the_next_daemon_either() {
    let sandbox = Sandbox::new();
    let compiler = known(&sandbox);
    sandbox.run(&["clear"]);
    sandbox.run(&["stop"]);
    for note in notes(&sandbox) {
        let known = fs::read(&note).expect("it is left").len();
        assert_eq!(known, larder_service::Note::FRAME_BYTES, "{}", note.display());
    }
    sandbox.start();
    same_as_alone(&sandbox, &compiler.argv());
    assert_eq!(sandbox.last_reason(), "first_seen");
}

#[test]
fn a_daemon_that_is_killed_leaves_the_notes_of_the_one_before() {
    let sandbox = Sandbox::new();
    let compiler = known(&sandbox);
    sandbox.run(&["stop"]);
    sandbox.start();
    let daemon = sandbox.pid("larderd");
    signal(daemon, Signal::KILL);
    wait_until("the daemon to be gone", || (!alive(daemon)).then_some(()));
    sandbox.start();
    assert_eq!(compiler.runs_of_a_call(&sandbox, "direct_hit"), 0, "{}", sandbox.log());
}
