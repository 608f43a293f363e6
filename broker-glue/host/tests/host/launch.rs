//! Launching, finding again and forgetting backends.

use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use larder_tests::{signal, wait_until};
use rustix::process::Signal;

use crate::sandbox::{SERVICE, Sandbox, VERSION};

fn sockets(sandbox: &Sandbox) -> Vec<PathBuf> {
    let folder = sandbox.root().join("r/running-process/broker");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()))
        .map(|entry| entry.path())
        .collect()
}

#[test]
fn fifty_first_clients_at_once_get_the_one_backend() {
    let sandbox = Sandbox::new();
    sandbox.define_backend();
    let _broker = sandbox.start();
    let endpoints: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..50).map(|_| scope.spawn(|| sandbox.hello(VERSION))).collect();
        clients.into_iter().map(|client| client.join().expect("no panic")).collect()
    });
    let first = endpoints[0].clone().unwrap_or_else(|reason| panic!("{reason}\n{}", sandbox.log()));
    assert!(endpoints.iter().all(|endpoint| endpoint.as_ref() == Ok(&first)), "{endpoints:?}");
    let pids = sandbox.pids("tiny-backend");
    assert_eq!(pids.len(), 1, "{pids:?}");
    // Where its state lies has come through.
    let environment = std::fs::read(format!("/proc/{}/environ", pids[0])).expect("ours");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    for name in
        ["XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME"]
    {
        let wanted = format!("{name}={}/", sandbox.root().display());
        assert!(
            environment.split('\0').any(|variable| variable.starts_with(&wanted)),
            "{name} in {environment}"
        );
    }
}

#[test]
fn a_backend_is_listed_with_the_page_that_it_tells() {
    let sandbox = Sandbox::new();
    sandbox.define_backend();
    let _broker = sandbox.start();
    let endpoint = sandbox.hello(VERSION).expect("launched");
    let backend = wait_until("the backend to be up", || {
        sandbox.backends().into_iter().find(|backend| backend["state"] == "up")
    });
    assert_eq!((&backend["service"], &backend["name"]), (&SERVICE.into(), &"Tiny".into()));
    assert_eq!((&backend["version"], &backend["endpoint"]), (&VERSION.into(), &endpoint.into()));
    assert_eq!(backend["pid"], sandbox.pids("tiny-backend")[0]);
    assert_eq!(backend["page"], format!("http://127.0.0.1:{}/", backend["port"]));
}

#[test]
fn a_backend_outlives_its_broker_and_the_next_one_finds_it() {
    let sandbox = Sandbox::new();
    sandbox.define_backend();
    let mut broker = sandbox.start();
    let endpoint = sandbox.hello(VERSION).expect("launched");
    let pids = sandbox.pids("tiny-backend");
    for how in [Signal::KILL, Signal::TERM] {
        broker.end(how);
        let _ = std::fs::remove_file(sandbox.port_file());
        broker = sandbox.start();
        assert_eq!(sandbox.hello(VERSION).as_ref(), Ok(&endpoint), "{}", sandbox.log());
        assert_eq!(sandbox.pids("tiny-backend"), pids);
        wait_until("the new broker to learn the page", || {
            sandbox.backends().into_iter().find(|backend| backend["state"] == "up")
        });
    }
    // Another version is not this one, even though the program is the same.
    assert_ne!(sandbox.hello("1.2.4").expect("launched"), endpoint);
    assert!(broker.end(Signal::TERM).success());
}

#[test]
fn a_killed_backend_is_reaped_forgotten_and_replaced() {
    let sandbox = Sandbox::new();
    sandbox.define_backend();
    let mut broker = sandbox.start();
    for _ in 0..8 {
        let endpoint = sandbox.hello(VERSION).expect("launched");
        let pid = sandbox.pids("tiny-backend")[0];
        signal(pid, Signal::KILL);
        wait_until("it to be waited for", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
        wait_until("its socket to be removed", || (!Path::new(&endpoint).exists()).then_some(()));
        wait_until("it to be forgotten", || sandbox.backends().is_empty().then_some(()));
    }
    assert!(sockets(&sandbox).is_empty(), "{:?}", sockets(&sandbox));
    assert!(broker.end(Signal::TERM).success());
}

#[test]
fn a_backend_that_leaves_at_once_is_an_error_that_is_told_soon() {
    let sandbox = Sandbox::new();
    let program = ["/usr/bin/true", "/bin/true"].map(Path::new).into_iter().find(|path| path.is_file());
    sandbox.define(program.expect("true is somewhere"));
    let _broker = sandbox.start();
    let reason = sandbox.hello(VERSION).expect_err("it does not serve");
    assert!(reason.contains("ended at once"), "{reason}");
    assert!(sockets(&sandbox).is_empty());
    sandbox.define(Path::new("/nonexistent/folder/program"));
    let reason = sandbox.hello(VERSION).expect_err("it does not exist");
    assert!(reason.contains("/nonexistent/folder/program"), "{reason}");
}
