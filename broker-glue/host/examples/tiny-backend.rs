//! The smallest backend that a broker can launch: it answers identity probes and has a page. For the tests.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use prost::Message as _;
use running_process::broker::backend_handle::DaemonProcess;
use running_process::broker::backend_lifecycle::probe::handle_endpoint_probe;
use running_process::broker::backend_sdk::write_daemon_identity_file;
use running_process::broker::broker_owned_bind::recover_from_env;
use running_process::broker::lifecycle::names_v2::daemon_identity_path;
use running_process::broker::protocol::{Endpoint, Frame, encode_framed};
use running_process::broker::protocol_v2::BackendHttpReady;
use running_process::broker::server::{
    BACKEND_ENV_ENDPOINT_NAMESPACE, BACKEND_ENV_ENDPOINT_PATH, BACKEND_ENV_SERVICE_NAME,
};

/// A test that is killed must not leave it behind for long.
const LIFE: Duration = Duration::from_secs(120);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let endpoint = Endpoint {
        namespace_id: std::env::var(BACKEND_ENV_ENDPOINT_NAMESPACE)?,
        path: std::env::var(BACKEND_ENV_ENDPOINT_PATH)?,
    };
    let daemon = DaemonProcess::current_process(endpoint, None)?;
    let listener = recover_from_env()?.ok_or("no listener was handed over")?;
    write_daemon_identity_file(&daemon_identity_path(&std::env::var(BACKEND_ENV_SERVICE_NAME)?), &daemon)?;
    let page = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = page.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in page.incoming().flatten() {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    std::thread::spawn(move || {
        let end = Instant::now() + LIFE;
        while Instant::now() < end {
            // Again and again, so that a broker that was started anew learns it too.
            let _ = tell(port);
            std::thread::park_timeout(Duration::from_millis(100));
        }
        std::process::exit(0);
    });
    loop {
        let mut stream = listener.accept()?;
        let daemon = daemon.clone();
        std::thread::spawn(move || handle_endpoint_probe(&mut stream, &daemon).is_ok());
    }
}

fn tell(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let broker = larder_glue::names::broker_socket(&larder_glue::names::broker_program())?;
    let ready = BackendHttpReady { port: port.into() }.encode_to_vec();
    let frame = Frame::request(larder_proto::lane::HTTP_READY.0, ready).with_request_id(1);
    let mut stream = std::os::unix::net::UnixStream::connect(broker)?;
    stream.write_all(&encode_framed(&frame)?)?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}
