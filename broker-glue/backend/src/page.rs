//! The daemon's page: bound to a free port of the loopback, and made known to the broker.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use larder_glue::names;
use larder_service::Reports;
use tokio::net::TcpListener;

use crate::http_ready;
use crate::lifecycle::Lifecycle;
use crate::warnings::Warnings;

/// What the page needs.
pub(crate) struct Page {
    pub(crate) reports: Arc<dyn Reports>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) warnings: Arc<Warnings>,
    /// The broker program that is told the port.
    pub(crate) broker: String,
    /// Set once the port is known.
    pub(crate) port: Arc<OnceLock<u16>>,
}

/// Serves the page for as long as it is polled. Without a page the daemon still does its work.
pub(crate) async fn serve(page: Page) {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let (listener, port) = match bound.and_then(|listener| Ok((listener.local_addr()?.port(), listener))) {
        Ok((port, listener)) => (listener, port),
        Err(error) => return page.warnings.set("page", format!("there is no page: {error}")),
    };
    let _ = page.port.set(port);
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
        served = larder_dashboard::serve(listener, page.reports, ended) => {
            if let Err(error) = served {
                page.warnings.set("page", format!("there is no page: {error}"));
            }
        }
        () = telling => {}
    }
}
