//! What brokers and running-process's own tooling see of the daemon.

use std::collections::BTreeSet;
use std::time::Duration;

use larder_tests::{Sandbox, alive, program, wait_until};
use running_process::broker::protocol_v2::{CacheManifest, ServiceDefinitionLoader};

#[test]
fn the_definition_reads_back_with_running_processs_own_loader() {
    let sandbox = Sandbox::new();
    sandbox.start();
    let definition =
        ServiceDefinitionLoader::new(sandbox.definitions()).load("larder").expect("a definition");
    assert_eq!(
        definition.binary_path,
        program("larderd").canonicalize().expect("built").to_str().expect("plain")
    );
    let http = definition.http_server.expect("an HTTP capability");
    assert_eq!((http.bind_addr.as_str(), http.health_path.as_str()), ("127.0.0.1", "/health"));
    assert!(!http.display_name.is_empty());
}

#[test]
fn a_definition_that_was_removed_is_registered_again_at_the_next_start() {
    let sandbox = Sandbox::new();
    sandbox.start();
    sandbox.run(&["stop"]);
    std::fs::remove_file(sandbox.definitions().join("larder.servicedef.v2")).expect("registered");
    sandbox.start();
    ServiceDefinitionLoader::new(sandbox.definitions()).load("larder").expect("a definition");
}

#[test]
fn every_service_with_folders_publishes_a_manifest_and_all_share_one_bundle() {
    use prost::Message as _;
    let sandbox = Sandbox::new();
    sandbox.start();
    let manifests: Vec<CacheManifest> = wait_until("the manifests", || {
        let read: Vec<_> = std::fs::read_dir(sandbox.manifests())
            .ok()?
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(".v2.pb"))
            .filter_map(|entry| CacheManifest::decode(std::fs::read(entry.path()).ok()?.as_slice()).ok())
            .collect();
        (read.len() >= 2).then_some(read)
    });
    let bundles: BTreeSet<_> = manifests.iter().map(|manifest| manifest.bundle_id.clone()).collect();
    assert_eq!(bundles.len(), 1, "{bundles:?}");
    let roots: BTreeSet<String> =
        manifests.iter().flat_map(|manifest| manifest.roots.iter().map(|root| root.path.clone())).collect();
    let store = sandbox.store();
    for name in ["blobs", "index", "logs", "locks", "tmp"] {
        assert!(roots.contains(store.join(name).to_str().expect("plain")), "{name} in {roots:?}");
    }
}

#[test]
fn running_processs_cleanup_tool_lists_the_daemon_and_finds_nothing_wrong() {
    let sandbox = Sandbox::new();
    sandbox.start();
    let output = wait_until("the tool to list larder", || {
        let output =
            sandbox.command(larder_tests::stock_tool("running-process-cleanup")).arg("list").output().ok()?;
        String::from_utf8_lossy(&output.stdout).contains("larder").then_some(output)
    });
    assert!(output.status.success());
}

/// Runs the part of a test that reads this process's environment in a process of its own, in the sandbox.
fn in_sandbox(sandbox: &Sandbox, test: &str) -> bool {
    let own = std::env::current_exe().expect("a path");
    let mut command = sandbox.command(own);
    let output = command.args(["--exact", test, "--nocapture"]).env("LARDER_TEST_INSIDE", "1").output();
    let output = output.expect("this test starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    true
}

fn inside() -> bool {
    std::env::var_os("LARDER_TEST_INSIDE").is_some()
}

fn handle() -> running_process::broker::backend_handle::BackendHandle {
    use running_process::broker::backend_handle::BackendHandle;
    use running_process::broker::manifest::{central_registry_dir, enumerate_central};
    enumerate_central(&central_registry_dir())
        .iter()
        .find_map(BackendHandle::probe_manifest)
        .expect("one manifest has a live daemon behind it")
}

#[test]
fn a_backend_handle_probes_connects_and_shuts_down() {
    if inside() {
        let handle = handle();
        assert!(handle.is_alive());
        let pid = handle.daemon_process.pid;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            handle.connect().await.expect("a connection");
            handle.shutdown(Duration::from_secs(20)).await.expect("it ends");
        });
        assert!(!alive(pid));
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.start();
    in_sandbox(&sandbox, "registration::a_backend_handle_probes_connects_and_shuts_down");
    wait_until("the daemon to be gone", || sandbox.pids("larderd").is_empty().then_some(()));
    assert!(sandbox.status().is_none(), "what it published is withdrawn");
}

#[test]
fn a_daemon_killed_by_force_is_replaced_at_the_next_call() {
    if inside() {
        handle().force_kill().expect("it is killed");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.start();
    let old = sandbox.pid("larderd");
    in_sandbox(&sandbox, "registration::a_daemon_killed_by_force_is_replaced_at_the_next_call");
    wait_until("the daemon to be gone", || (!alive(old)).then_some(()));
    sandbox.start();
    assert_ne!(sandbox.pid("larderd"), old);
}
