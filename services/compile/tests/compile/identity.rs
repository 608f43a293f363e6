//! Another compiler, or another part of one, is another key.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use crate::sandbox::{Sandbox, settle};

const ARGS: &[&str] = &["-c", "a.c", "-o", "a.o"];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.c", "int a(void) { return 1; }\n");
    sandbox
}

fn executable(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn a_compiler_switched_under_its_path_is_another() {
    let sandbox = sandbox();
    let link = sandbox.work().join("cc");
    symlink("/usr/bin/gcc", &link).unwrap();
    let client = sandbox.client(link.to_str().unwrap());
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    let first = sandbox.read("a.o");
    std::fs::remove_file(&link).unwrap();
    symlink("/usr/bin/clang", &link).unwrap();
    client.compile(ARGS).await.expect_stored("first_seen");
    assert_ne!(sandbox.read("a.o"), first);
    std::fs::remove_file(&link).unwrap();
    symlink("/usr/bin/gcc", &link).unwrap();
    client.compile(ARGS).await.expect_hit();
    assert_eq!(sandbox.read("a.o"), first);
}

#[tokio::test]
async fn an_assembler_that_comes_to_stand_first_in_the_path_is_another() {
    let sandbox = sandbox();
    let bin = sandbox.work().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let client = sandbox.client("gcc").with("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
    client.compile(ARGS).await.expect_stored("first_seen");
    client.compile(ARGS).await.expect_hit();
    let mut other = std::fs::read("/usr/bin/as").unwrap();
    other.push(0);
    std::fs::write(bin.join("as"), other).unwrap();
    executable(&bin.join("as"));
    client.compile(ARGS).await.expect_stored("first_seen");
    std::fs::write(bin.join("as"), "#!/bin/sh\nexec /usr/bin/as \"$@\"\n").unwrap();
    client.compile(ARGS).await.expect_not_stored("compiler_unknown");
    std::fs::remove_file(bin.join("as")).unwrap();
    client.compile(ARGS).await.expect_hit();
}

#[tokio::test]
async fn a_compiler_replaced_while_it_runs_is_not_believed() {
    let sandbox = sandbox();
    let link = sandbox.work().join("cc");
    symlink("/usr/bin/gcc", &link).unwrap();
    let client = sandbox.client(link.to_str().unwrap());
    settle();
    let larder_proto::v1::compile_reply::Reply::Run(run) = client.lookup(ARGS).await else {
        panic!("a hit in an empty store")
    };
    std::fs::remove_file(&link).unwrap();
    symlink("/usr/bin/clang", &link).unwrap();
    let ran = client.run(&run, ARGS);
    assert_eq!(client.publish(&run, &ran).await.reason, "inputs_changed_meanwhile");
}

#[tokio::test]
async fn scripts_and_other_caches_are_not_taken_for_compilers() {
    let sandbox = sandbox();
    let script = sandbox.work().join("gcc");
    std::fs::write(&script, "#!/bin/sh\nexec /usr/bin/gcc \"$@\"\n").unwrap();
    executable(&script);
    let client = sandbox.client(script.to_str().unwrap());
    client.compile(ARGS).await.expect_not_stored("compiler_unknown");
    let wrapper = sandbox.work().join("ccache");
    std::fs::copy("/usr/bin/gcc", &wrapper).unwrap();
    let link = sandbox.work().join("cc");
    symlink("ccache", &link).unwrap();
    let client = sandbox.client(link.to_str().unwrap());
    let larder_proto::v1::compile_reply::Reply::Run(run) = client.lookup(ARGS).await else {
        panic!("a hit in an empty store")
    };
    assert_eq!((run.lease, run.reason.as_str()), (0, "compiler_unknown"));
}

#[tokio::test]
async fn the_name_by_which_a_compiler_is_called_matters() {
    let sandbox = sandbox();
    let client = sandbox.client("gcc");
    client.compile(ARGS).await.expect_stored("first_seen");
    let mut other = sandbox.client("gcc");
    other.name = b"/usr/bin/gcc".to_vec();
    other.compile(ARGS).await.expect_stored("first_seen");
}

#[tokio::test]
async fn options_for_this_processor_are_part_of_the_key() {
    let sandbox = sandbox();
    for tool in ["gcc", "clang"] {
        let client = sandbox.client(tool);
        client.compile(&["-march=native", "-c", "a.c", "-o", "a.o"]).await.expect_stored("first_seen");
        client.compile(&["-march=native", "-c", "a.c", "-o", "a.o"]).await.expect_hit();
    }
}
