//! Nobody starts anything by hand.

use larder_tests::{Sandbox, same_as_alone, wait_until};

#[test]
fn the_first_client_on_an_empty_machine_is_served() {
    let sandbox = Sandbox::new();
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    assert_eq!(sandbox.counts().misses, 1, "{}", sandbox.log());
    sandbox.pid("larder-broker");
    sandbox.pid("larderd");
}

#[test]
fn fifty_first_clients_at_once_are_served_by_one_broker_and_one_daemon() {
    let sandbox = Sandbox::new();
    for n in 0..50 {
        sandbox.write_settled(&format!("f{n}.c"), format!("int f{n};\n"));
    }
    let children: Vec<_> = (0..50)
        .map(|n| {
            let mut command = sandbox.larder(["gcc", "-c"]);
            command.arg(format!("f{n}.c")).stderr(std::process::Stdio::piped());
            command.spawn().expect("larder starts")
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{stderr}\n{}", sandbox.log());
    }
    // Each client may have started a broker; all but one find that they are not needed, and leave.
    for program in ["larder-broker", "larderd"] {
        wait_until("one of each program to be left", || (sandbox.pids(program).len() == 1).then_some(()));
    }
    let counts = sandbox.counts();
    assert_eq!((counts.misses, counts.errors, counts.bypasses), (50, 0, 0), "{}", sandbox.log());
}

#[test]
fn an_ordinary_user_is_served_as_well_as_root() {
    if !rustix::process::geteuid().is_root() {
        // The other tests run as an ordinary user then.
        return;
    }
    use std::os::unix::fs::{PermissionsExt as _, chown};
    use std::os::unix::process::CommandExt as _;
    const NOBODY: u32 = 65534;
    // Where this workspace lies need not be open to that user: the programs are copied to where it is.
    let folder = tempfile::Builder::new().prefix("ld.").tempdir_in("/tmp").expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    for name in ["larder", "larderd", "larder-broker"] {
        std::fs::copy(larder_tests::program(name), folder.path().join(name)).expect("a copy");
    }
    let sandbox = Sandbox::with_programs(&folder.path().join("larder"));
    sandbox.write_settled("x.c", "int x;\n");
    chown(sandbox.root(), Some(NOBODY), Some(NOBODY)).expect("root may");
    for entry in std::fs::read_dir(sandbox.root()).expect("ours").flatten() {
        chown(entry.path(), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    let as_nobody = |args: &[&str]| {
        let output = sandbox.larder(args).uid(NOBODY).gid(NOBODY).output().expect("larder starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{args:?}: {stderr}\n{}", sandbox.log());
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    as_nobody(&["gcc", "-c", "x.c", "-o", "x.o"]);
    as_nobody(&["gcc", "-c", "x.c", "-o", "x.o"]);
    let stats: serde_json::Value = serde_json::from_str(&as_nobody(&["stats", "--json"])).expect("JSON");
    assert_eq!(stats["services"][0]["hits"], 1, "{stats}");
    // Root is another user, too: it gets nothing from this daemon.
    let output = sandbox.larder(["gcc", "-c", "x.c", "-o", "root.o"]).output().expect("larder starts");
    assert!(output.status.success(), "the compiler runs all the same");
    let stats: serde_json::Value = serde_json::from_str(&as_nobody(&["stats", "--json"])).expect("JSON");
    assert_eq!(stats["services"][0]["hits"], 1, "{stats}");
}
