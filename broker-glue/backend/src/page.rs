//! The daemon's page: bound to a free port of the loopback, and made known to the broker.

use std::io::Read as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use larder_dashboard::Rules;
use larder_glue::{names, private};
use larder_service::{Actions, Reports};
use tokio::net::TcpListener;

use crate::http_ready;
use crate::lifecycle::Lifecycle;
use crate::reports;
use crate::warnings::Warnings;

/// What the page needs.
pub(crate) struct Page {
    pub(crate) reports: Arc<dyn Reports>,
    pub(crate) actions: Arc<dyn Actions>,
    /// File with the port that the last daemon had: a page that is still open finds the next one there.
    pub(crate) last_port: PathBuf,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) warnings: Arc<Warnings>,
    /// The broker program that is told the port.
    pub(crate) broker: String,
    /// Set once the port is known.
    pub(crate) port: Arc<OnceLock<u16>>,
}

/// Serves the page for as long as it is polled. Without a page the daemon still does its work.
pub(crate) async fn serve(page: Page) {
    let (listener, port) = match bind(&page.last_port)
        .await
        .and_then(|listener| Ok((listener.local_addr()?.port(), listener)))
    {
        Ok((port, listener)) => (listener, port),
        Err(error) => return page.warnings.set("page", format!("there is no page: {error}")),
    };
    let _ = page.port.set(port);
    // Without it the next daemon takes another port, and nothing else.
    let _ = private::write_atomically(&page.last_port, port.to_string().as_bytes());
    let rules = token().map(|token| {
        let broker = page.broker.clone();
        Rules {
            token: Some(token),
            framed_by: Some(Arc::new(move || reports::broker_page(&broker))),
            frames: false,
        }
    });
    let rules = match rules {
        Ok(rules) => rules,
        Err(error) => return page.warnings.set("page", format!("there is no page: {error}")),
    };
    let telling = async {
        match names::broker_socket(&page.broker) {
            Ok(socket) => http_ready::keep_telling(PathBuf::from(socket), port).await,
            Err(error) => page.warnings.set("broker", error),
        }
        // The page outlives a broker that cannot be told.
        std::future::pending::<()>().await;
    };
    let ended = {
        let lifecycle = Arc::clone(&page.lifecycle);
        async move {
            let _ = lifecycle.drain_asked().await;
        }
    };
    tokio::select! {
        served = larder_dashboard::serve(listener, page.reports, page.actions, rules, ended) => {
            if let Err(error) = served {
                page.warnings.set("page", format!("there is no page: {error}"));
            }
        }
        () = telling => {}
    }
}

/// The port that the last daemon had, or any that is free.
async fn bind(last_port: &Path) -> std::io::Result<TcpListener> {
    let last = private::read_own(last_port, 16).ok().flatten();
    let last = last
        .and_then(|text| std::str::from_utf8(&text).ok()?.parse::<u16>().ok())
        .filter(|port| *port >= 1024);
    if let Some(port) = last
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// What an action on this page must know: another one for each daemon.
fn token() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
