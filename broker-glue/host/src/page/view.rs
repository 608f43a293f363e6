//! What the page and its API show.

use std::sync::Arc;
use std::time::SystemTime;

use larder_proto::LARDER_VERSION;
use running_process::broker::protocol_v2::{HttpServerCapability, ServiceDefinitionLoader};
use serde::Serialize;

use crate::broker::{Backend, Broker};
use crate::page::health;

/// Where a definition does not say which path tells that a page is well.
const HEALTH_PATH: &str = "/health";

/// The answer of `/api/v1/backends`.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    broker: Own,
    backends: Vec<Row>,
}

/// The broker itself.
#[derive(Debug, Serialize)]
struct Own {
    program: String,
    version: &'static str,
    pid: u32,
    socket: String,
    uptime_seconds: u64,
}

/// One backend.
#[derive(Debug, Serialize)]
struct Row {
    service: String,
    name: String,
    version: String,
    pid: u32,
    endpoint: String,
    started_unix_ms: u64,
    uptime_seconds: u64,
    state: State,
    /// Port of its page on the loopback.
    port: Option<u16>,
    /// Address of its page.
    page: Option<String>,
}

/// How a backend's page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It answers.
    Up,
    /// It has been told and does not answer.
    Down,
    /// It has not been told yet.
    Starting,
    /// Its definition says that there is none.
    Pageless,
}

/// The live backends, each asked just now whether its page is well.
pub(super) async fn listing(broker: &Arc<Broker>) -> Listing {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let known = backends(broker).await;
    let asked: Vec<_> =
        known.into_iter().map(|(backend, page)| tokio::spawn(row(backend, page, now))).collect();
    let mut rows = Vec::with_capacity(asked.len());
    for row in asked {
        rows.extend(row.await);
    }
    Listing {
        broker: Own {
            program: broker.program.clone(),
            version: LARDER_VERSION,
            pid: std::process::id(),
            socket: broker.socket.clone(),
            uptime_seconds: broker.started.elapsed().as_secs(),
        },
        backends: rows,
    }
}

async fn backends(broker: &Arc<Broker>) -> Vec<(Backend, Option<HttpServerCapability>)> {
    let broker = Arc::clone(broker);
    let read = tokio::task::spawn_blocking(move || {
        // The library's way to a launch drops what a definition says of a page, so it is read anew.
        let definitions = ServiceDefinitionLoader::new(broker.definitions.root());
        let page =
            |service: &str| definitions.load(service).ok().and_then(|definition| definition.http_server);
        broker
            .list()
            .into_iter()
            .map(|backend| {
                let page = page(&backend.service);
                (backend, page)
            })
            .collect()
    });
    read.await.unwrap_or_default()
}

async fn row(backend: Backend, page: Option<HttpServerCapability>, now_unix_ms: u64) -> Row {
    let health_path = page.as_ref().map(|page| page.health_path.as_str()).filter(|path| !path.is_empty());
    let state = match backend.port {
        Some(port) if health::is_up(port, health_path.unwrap_or(HEALTH_PATH)).await => State::Up,
        Some(_) => State::Down,
        None if page.is_some() => State::Starting,
        None => State::Pageless,
    };
    let name = page.map(|page| page.display_name).filter(|name| !name.is_empty());
    Row {
        name: name.unwrap_or_else(|| backend.service.clone()),
        service: backend.service,
        version: backend.version,
        pid: backend.pid,
        endpoint: backend.endpoint,
        started_unix_ms: backend.started_unix_ms,
        uptime_seconds: now_unix_ms.saturating_sub(backend.started_unix_ms) / 1000,
        state,
        page: backend.port.map(|port| format!("http://127.0.0.1:{port}/")),
        port: backend.port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(port: Option<u16>) -> Backend {
        Backend {
            service: "larder".to_owned(),
            version: "1.2.3".to_owned(),
            pid: 7,
            endpoint: "/r/s".to_owned(),
            started_unix_ms: 1_000,
            port,
        }
    }

    fn page() -> HttpServerCapability {
        HttpServerCapability { display_name: "Larder".to_owned(), ..HttpServerCapability::default() }
    }

    #[tokio::test]
    async fn a_backend_without_a_port_is_starting_or_has_no_page() {
        let starting = row(backend(None), Some(page()), 3_500).await;
        assert_eq!(
            (starting.state, starting.name.as_str(), starting.uptime_seconds),
            (State::Starting, "Larder", 2)
        );
        assert_eq!(starting.page, None);
        let pageless = row(backend(None), None, 0).await;
        assert_eq!(
            (pageless.state, pageless.name.as_str(), pageless.uptime_seconds),
            (State::Pageless, "larder", 0)
        );
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_down_and_shown_as_json() {
        // Bound and dropped: nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        drop(listener);
        let row = row(backend(Some(port)), Some(page()), 3_500).await;
        let json = serde_json::to_value(&row).expect("JSON");
        assert_eq!((&json["state"], &json["port"]), (&"down".into(), &port.into()));
        assert_eq!(json["page"], format!("http://127.0.0.1:{port}/"));
    }
}
