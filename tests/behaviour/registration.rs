//! What brokers and running-process's own tooling see of the daemon.

use std::collections::BTreeSet;
use std::time::Duration;

use larder_proto::{LARDER_VERSION, SERVICE_NAME, lane};
use larder_tests::{Sandbox, alive, program, wait_until};
use running_process::broker::backend_handle::DaemonProcess;
use running_process::broker::protocol::Frame;
use running_process::broker::protocol_v2::{CacheManifest, ServiceDefinitionLoader};
use running_process::test_support::conformance::{
    assert_framed_bytes_decode_to, assert_framed_frame_matches_golden, probe_responds_correctly,
};

/// A framed request as it goes over the wire: version 1, length, frame.
const GOLDEN_CONTROL: &[u8] = b"\x01\x0d\0\0\0\x08\x01\x18\xa0\xe3\x03\x22\x03ask\x28\x01";
const GOLDEN_COMPILE: &[u8] = b"\x01\x0d\0\0\0\x08\x01\x18\xa1\xe3\x03\x22\x03ask\x28\x02";

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
    // Published once the daemon is ready, and not before it says so.
    wait_until("a manifest with a live daemon behind it", || {
        enumerate_central(&central_registry_dir()).iter().find_map(BackendHandle::probe_manifest)
    })
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

#[test]
fn the_daemon_passes_the_conformance_kits_live_probe() {
    if inside() {
        let expected = handle().daemon_process;
        let endpoint = expected.ipc_endpoint.clone();
        probe_responds_correctly(SERVICE_NAME, LARDER_VERSION, &endpoint, &expected)
            .expect("it answers as it should");
        let recycled = DaemonProcess { pid: std::process::id(), ..expected };
        probe_responds_correctly(SERVICE_NAME, LARDER_VERSION, &endpoint, &recycled)
            .expect_err("another process is not taken for the daemon");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.start();
    in_sandbox(&sandbox, "registration::the_daemon_passes_the_conformance_kits_live_probe");
}

#[test]
fn the_frames_of_every_lane_keep_their_bytes() {
    let golden: [(Frame, &[u8]); 2] = [
        (Frame::request(lane::CONTROL.0, b"ask".to_vec()).with_request_id(1), GOLDEN_CONTROL),
        (Frame::request(lane::COMPILE.0, b"ask".to_vec()).with_request_id(2), GOLDEN_COMPILE),
    ];
    for (frame, golden) in golden {
        assert_framed_frame_matches_golden(&frame, golden).expect("the recorded bytes");
        assert_framed_bytes_decode_to(golden, &frame).expect("the same frame");
    }
}
