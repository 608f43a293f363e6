//! A machine that gives a user no more processes or threads.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;

use larder_tests::Sandbox;

/// A user of this test alone: the limit counts all that a user runs.
const USER: u32 = 54_321;

/// With fewer threads than this many something of larder's fails to start: a thread that asks, the broker, the daemon, or
/// one of their threads. They are under the limit too.
const THREADS: usize = 12;

#[test]
fn whatever_cannot_be_started_for_want_of_threads_the_tool_runs_and_one_line_at_most_says_so() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // Where this workspace lies need not be open to that user: the programs are copied to where it is.
    let folder = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    for name in ["larder", "larderd", "larder-broker"] {
        std::fs::copy(larder_tests::program(name), folder.path().join(name)).expect("a copy");
    }
    // A tool that starts nothing itself.
    let argv = ["ar", "rcsD", "x.a", "x"];
    for threads in 1..=THREADS {
        let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
        sandbox.write_settled("x", "member");
        assert!(sandbox.command("ar").args(["rcsD", "alone.a", "x"]).status().expect("it starts").success());
        chown(sandbox.root(), Some(USER), Some(USER)).expect("root may");
        for entry in std::fs::read_dir(sandbox.root()).expect("ours").flatten() {
            chown(entry.path(), Some(USER), Some(USER)).expect("root may");
        }
        let mut prlimit = sandbox.command("prlimit");
        prlimit.arg(format!("--nproc={threads}")).arg(folder.path().join("larder")).args(argv);
        let output = prlimit.uid(USER).gid(USER).output().expect("prlimit is part of every Linux");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.lines().count() <= 1, "{threads}: {said}\n{}", sandbox.log());
        if threads == 1 {
            assert!(said.contains("no thread left"), "{said}");
        }
        let read = |name: &str| std::fs::read(sandbox.work().join(name)).expect("an archive");
        assert!(read("x.a") == read("alone.a"), "{threads}");
    }
}
