//! The daemon that runs already, found without launching one.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use larder_glue::names;
use larder_glue::wire::Wire;
use larder_proto::v1::{ControlReply, ControlRequest, StatusRequest, control_reply, control_request};
use larder_proto::{LARDER_VERSION, PROTOCOL_VERSION, SERVICE_NAME, lane};
use prost::Message as _;
use running_process::broker::backend_sdk::read_daemon_identity_file;
use running_process::broker::client::connect_local_socket;
use running_process::broker::lifecycle::names_v2::daemon_identity_path;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// A live daemon, proven by its identity, and a connection to its control lane.
pub(crate) struct Running {
    wire: Wire,
    /// Its process id.
    pub(crate) pid: u32,
}

impl Running {
    /// The daemon whose identity file says that it runs, and which says so itself.
    ///
    /// Its executable is not compared: after an upgrade it is the old one that must be found.
    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        let Some(identity) = read_daemon_identity_file(&daemon_identity_path(SERVICE_NAME)) else {
            return Ok(None);
        };
        let stream = match connect_local_socket(&identity.ipc_endpoint.path) {
            Ok(stream) => stream,
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut wire = Wire::new(stream.into_owned_fd())?;
        let request = control_request::Request::Status(StatusRequest {});
        let control_reply::Reply::Status(status) = control(&mut wire, request)? else {
            anyhow::bail!("the daemon's answer makes no sense");
        };
        Ok((status.pid == identity.pid).then_some(Self { wire, pid: identity.pid }))
    }

    /// One control request.
    pub(crate) fn control(
        &mut self,
        request: control_request::Request,
    ) -> anyhow::Result<control_reply::Reply> {
        control(&mut self.wire, request)
    }
}

impl Running {
    /// The connection, for other lanes.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// One request on another lane than the control lane.
    pub(crate) fn request(&mut self, lane: lane::Lane, payload: Vec<u8>) -> anyhow::Result<Vec<u8>> {
        Ok(self.wire.request(lane, payload)?)
    }
}

fn gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// One control request over `wire`.
pub(crate) fn control(
    wire: &mut Wire,
    request: control_request::Request,
) -> anyhow::Result<control_reply::Reply> {
    let message = ControlRequest {
        protocol: PROTOCOL_VERSION,
        client_version: LARDER_VERSION.to_owned(),
        request: Some(request),
    };
    let reply = ControlReply::decode(wire.request(lane::CONTROL, message.encode_to_vec())?.as_slice())?;
    match reply.reply {
        Some(control_reply::Reply::NotSupported(no)) => {
            anyhow::bail!(
                "the daemon (version {}) does not know this request: {}\nhint: larder stop && larder start",
                reply.daemon_version,
                no.sentence
            )
        }
        Some(control_reply::Reply::Failure(failure)) => anyhow::bail!("{}", failure.sentence),
        Some(reply) => Ok(reply),
        None => anyhow::bail!("the daemon's answer is empty"),
    }
}

/// Waits until the process `pid` is gone; `false` when it is still there after `limit`.
pub(crate) fn wait_gone(pid: u32, limit: Duration) -> io::Result<bool> {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(true) };
    let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(rustix::io::Errno::SRCH) => return Ok(true),
        Err(error) => return Err(error.into()),
    };
    let limit = Timespec { tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    let ready = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit))?;
    Ok(ready > 0)
}

/// Ends the broker host, which then cleans up after itself. `None` when none runs.
pub(crate) fn stop_broker(limit: Duration) -> anyhow::Result<Option<u32>> {
    let socket = names::broker_socket(&names::broker_program())?;
    let stream = match connect_local_socket(&socket) {
        Ok(stream) => stream,
        Err(error) if gone(&error) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // The kernel tells who listens there; no file is believed.
    let peer = rustix::net::sockopt::socket_peercred(stream.into_owned_fd())?;
    let raw = u32::try_from(peer.pid.as_raw_nonzero().get())?;
    let program: PathBuf = std::fs::read_link(format!("/proc/{raw}/exe")).unwrap_or_default();
    kill_process(peer.pid, Signal::TERM)?;
    if !wait_gone(raw, limit)? {
        anyhow::bail!("the broker (pid {raw}, {}) is still running\nhint: kill -9 {raw}", program.display());
    }
    Ok(Some(raw))
}
