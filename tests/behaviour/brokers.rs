//! What larder's own broker host adds.

use larder_tests::{Sandbox, http_get, wait_until};

#[test]
fn stopping_daemon_and_broker_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    sandbox.start();
    sandbox.run(&["stop", "--broker"]);
    wait_until("all processes to be gone", || {
        let left = larder_tests::processes_of(&sandbox.runtime());
        left.iter().all(|(pid, _)| !larder_tests::alive(*pid)).then_some(())
    });
    let sockets: Vec<_> = walk(&sandbox.runtime())
        .into_iter()
        .filter(|path| {
            use std::os::unix::fs::FileTypeExt as _;
            path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
        })
        .collect();
    assert!(sockets.is_empty(), "{sockets:?}");
    assert!(sandbox.status().is_none());
    // And stopping twice is no error.
    sandbox.run(&["stop", "--broker"]);
}

#[test]
fn the_brokers_page_opens_the_daemons() {
    let sandbox = Sandbox::new();
    let status = sandbox.start();
    let page = status["page"].as_str().expect("an address").to_owned();
    let broker_page = wait_until("the broker to publish its page", || {
        let page = sandbox.status()?["broker_page"].as_str()?.to_owned();
        (!page.is_empty()).then_some(page)
    });
    let port = page.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    wait_until("the daemon to be listed", || {
        let reply = http_get(&format!("{broker_page}api/v1/backends"));
        (reply.status == 200 && reply.body.contains(&port)).then_some(())
    });
    assert_eq!(http_get(&broker_page).status, 200);
    assert_eq!(http_get(&format!("{broker_page}health")).status, 200);
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.extend(walk(&path));
        } else {
            found.push(path);
        }
    }
    found
}
