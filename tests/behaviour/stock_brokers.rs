//! larder under running-process's own brokers, as far as they go.

use std::process::{Child, Command, Stdio};

use larder_glue::names::broker_socket;
use larder_tests::{Sandbox, same_as_alone, signal, stock_tool, wait_until};
use rustix::process::Signal;

struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        signal(self.0.id(), Signal::KILL);
        let _ = self.0.wait();
    }
}

fn start(mut command: Command) -> Broker {
    command.env("RUNNING_PROCESS_BROKER_ALLOW_PRIVILEGED", "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Broker(command.spawn().expect("the broker starts"))
}

/// The path that the program's socket has in `sandbox`.
fn socket(sandbox: &Sandbox) -> String {
    let here = broker_socket("larder").expect("a valid name");
    let name = here.rsplit('/').next().expect("a path").to_owned();
    sandbox.runtime().join("running-process/broker-v2").join(name).to_str().expect("plain").to_owned()
}

fn source(sandbox: &Sandbox) {
    sandbox.write_settled("x.c", "int x;\n");
}

const ARGV: [&str; 5] = ["gcc", "-c", "x.c", "-o", "x.o"];

#[test]
fn broker_v1_launches_the_daemon_into_the_sandbox() {
    let sandbox = Sandbox::new();
    source(&sandbox);
    let socket = socket(&sandbox);
    std::fs::create_dir_all(std::path::Path::new(&socket).parent().expect("a folder")).expect("ours");
    let mut command = sandbox.command(stock_tool("running-process-broker-v1"));
    command.args(["--serve-launch", &socket]);
    let _broker = start(command);
    wait_until("the broker to listen", || std::path::Path::new(&socket).exists().then_some(()));
    same_as_alone(&sandbox, &ARGV);
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.last_reason(), "direct_hit", "{}", sandbox.log());
    assert!(sandbox.pids("larder-broker").is_empty(), "the stock broker is the only one");
    let status = sandbox.status().expect("it runs");
    let folder = status["store"]["folder"].as_str().expect("a path");
    assert!(folder.starts_with(sandbox.root().to_str().expect("plain")), "{folder}");
}

#[test]
fn broker_v2_hands_out_the_daemon_that_has_published_its_identity() {
    let sandbox = Sandbox::new();
    source(&sandbox);
    sandbox.start();
    let daemon = sandbox.pid("larderd");
    larder_tests::kill(sandbox.pid("larder-broker"));
    let socket = socket(&sandbox);
    std::fs::remove_file(&socket).ok();
    let mut command = sandbox.command(stock_tool("running-process-broker-v2"));
    command.args(["--program", "larder"]);
    let _broker = start(command);
    wait_until("the broker to listen", || std::path::Path::new(&socket).exists().then_some(()));
    std::fs::remove_file(sandbox.runtime().join("larder/endpoint")).expect("a client has remembered it");
    same_as_alone(&sandbox, &ARGV);
    assert_eq!(sandbox.counts().misses, 1, "{}", sandbox.log());
    assert_eq!(sandbox.pid("larderd"), daemon);
    assert!(sandbox.pids("larder-broker").is_empty(), "the stock broker is the only one");
}
