//! larder switched off.

use larder_tests::{Sandbox, processes_of};

#[test]
fn disabled_the_compiler_runs_and_nothing_is_started() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    let output = sandbox
        .larder(["gcc", "-c", "x.c", "-o", "x.o"])
        .env("RUNNING_PROCESS_DISABLE", "1")
        .output()
        .expect("larder starts");
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(sandbox.work().join("x.o").is_file());
    assert_eq!(processes_of(&sandbox.runtime()), []);
    assert_eq!(std::fs::read_dir(sandbox.root().join("c")).expect("ours").count(), 0);
}

#[test]
fn a_malformed_switch_is_named_and_the_compiler_runs() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    let output = sandbox
        .larder(["gcc", "-c", "x.c", "-o", "x.o"])
        .env("RUNNING_PROCESS_DISABLE", "maybe")
        .output()
        .expect("larder starts");
    assert!(output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.lines().count() == 1 && stderr.contains("RUNNING_PROCESS_DISABLE"), "{stderr}");
}
