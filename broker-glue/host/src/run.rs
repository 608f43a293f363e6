//! From bind to exit.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use larder_glue::folders::Folders;
use larder_glue::logging::{self, Format};
use larder_glue::{names, private};
use running_process::broker::broker_http_discovery::{publish_http_port, unpublish_http_port};
use running_process::broker::server::PeerIdentity;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::broker::Broker;
use crate::connection::{self, ConnectionError};
use crate::page;
use crate::socket::Socket;

/// Most connections at a time; one more is closed unread.
const CONNECTIONS: usize = 256;

/// How often ended daemons are looked for, beside whenever a child ends.
const TIDY_INTERVAL: Duration = Duration::from_secs(5);

/// Pause after a failure to accept: the reason is usually a want of descriptors, which lasts.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How long answers under way may hold up the exit.
const LAST_WAIT: Duration = Duration::from_millis(500);

/// Serves until told to end; returns at once when another broker of the same name serves already.
///
/// # Errors
/// When the folders cannot be used or the socket cannot be bound.
pub(crate) fn run() -> anyhow::Result<()> {
    let program = names::broker_program();
    let path = names::broker_socket(&program)?;
    let folders = Folders::from_env()?;
    private::ensure_folder(&names::broker_runtime_dir())?;
    let Some(mut socket) = Socket::bind(&path)? else { return Ok(()) };
    // The folder it was started in could not be removed or unmounted otherwise.
    std::env::set_current_dir("/").context("failed to leave the current folder")?;
    match logging::start(&folders.state, "broker.log", Format::from_env()) {
        Ok(Ok(())) => {}
        Ok(Err(complaint)) => tracing::warn!("{complaint}"),
        Err(error) => {
            // A broker without a log does its work all the same; who started it by hand may want to know.
            let error = anyhow::Error::from(error);
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("larder-broker: nothing is logged: {error:#}\n"),
            );
        }
    }
    let broker = Arc::new(Broker::new(program, path)?);
    // A daemon whose listener cannot be bound for it would bind none at all.
    private::ensure_folder(broker.backend_folder())?;
    tracing::info!(
        pid = std::process::id(),
        version = larder_proto::LARDER_VERSION,
        program = broker.program,
        socket = broker.socket,
        "listening"
    );
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .thread_name("larder-broker")
        .enable_all()
        .build()
        .context("failed to start the broker's threads")?;
    let listener = socket.take_listener().context("failed to listen: the socket is in use")?;
    let ended = runtime.block_on(live(&broker, listener));
    drop(socket);
    runtime.shutdown_timeout(LAST_WAIT);
    tracing::info!("gone");
    ended
}

async fn live(broker: &Arc<Broker>, listener: std::os::unix::net::UnixListener) -> anyhow::Result<()> {
    heed_signals(broker)?;
    let listener = UnixListener::from_std(listener).context("failed to listen on the broker's socket")?;
    let searching = Arc::clone(broker);
    // Clients queue meanwhile: they are to be sent to a daemon that runs already.
    tokio::task::spawn_blocking(move || searching.find_again()).await?;
    if let Err(error) = open_page(broker).await {
        tracing::warn!("there is no page: {error:#}");
    }
    tokio::spawn(keep_tidy(Arc::clone(broker)));
    tokio::select! {
        () = accept(broker, &listener) => {}
        () = broker.stopped() => {}
    }
    let unpublished = unpublish_http_port(&names::broker_runtime_dir(), &broker.program);
    unpublished.context("failed to remove the file that names the page's port")
}

fn heed_signals(broker: &Arc<Broker>) -> anyhow::Result<()> {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let mut signals = signal(kind).context("failed to listen for signals")?;
        let broker = Arc::clone(broker);
        tokio::spawn(async move {
            if signals.recv().await.is_some() {
                tracing::info!(signal = kind.as_raw_value(), "told to end");
                broker.stop();
            }
        });
    }
    Ok(())
}

async fn open_page(broker: &Arc<Broker>) -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to bind a port")?;
    let address = listener.local_addr()?;
    let _ = broker.page.set(address.port());
    publish_http_port(&names::broker_runtime_dir(), &broker.program, address.ip(), address.port())
        .context("failed to publish the port")?;
    tracing::info!(%address, "the page is open");
    tokio::spawn(page::serve(Arc::clone(broker), listener));
    Ok(())
}

async fn keep_tidy(broker: Arc<Broker>) {
    let mut tick = interval(TIDY_INTERVAL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            () = broker.reaper.ended.notified() => {}
        }
        let tidying = Arc::clone(&broker);
        if let Err(error) = tokio::task::spawn_blocking(move || tidying.tidy()).await {
            tracing::warn!("failed to tidy up: {error}");
        }
    }
}

async fn accept(broker: &Arc<Broker>, listener: &UnixListener) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("failed to accept a client: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(peer) = own_peer(&stream) else { continue };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
            tracing::warn!(pid = peer.pid, "turned away a client: {CONNECTIONS} are being served");
            continue;
        };
        let broker = Arc::clone(broker);
        tokio::spawn(async move {
            broker.open.fetch_add(1, Ordering::Relaxed);
            let pid = peer.pid;
            match connection::serve(&broker, stream, peer).await {
                Ok(()) => {}
                Err(ConnectionError::Io(error)) => tracing::debug!(pid, "a client is gone: {error}"),
                Err(error) => tracing::info!(pid, "gave up on a client: {error}"),
            }
            broker.open.fetch_sub(1, Ordering::Relaxed);
            drop(permit);
        });
    }
}

/// Who is at the other end, as the kernel tells; `None` unless it is this user.
fn own_peer(stream: &UnixStream) -> Option<PeerIdentity> {
    let peer = stream.peer_cred().ok()?;
    if peer.uid() != rustix::process::geteuid().as_raw() {
        tracing::warn!(uid = peer.uid(), "turned away another user's process");
        return None;
    }
    let pid = u32::try_from(peer.pid()?).ok()?;
    Some(PeerIdentity { pid, uid_or_sid: peer.uid().to_string() })
}
