//! The broker's page: which backends there are, which of them answer, and the way to their dashboards.
//!
//! Only this user's processes are served, and only under the names of this machine's own loopback.

mod guard;
mod health;
mod peer;
mod view;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::broker::Broker;

/// Most connections at a time; one more is closed unread.
const CONNECTIONS: usize = 64;

/// How long a browser may take to send a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// How long one connection may last: it carries one request.
const CONNECTION_LIMIT: Duration = Duration::from_secs(15);

/// Pause after a failure to accept: the reason is usually a want of descriptors, which lasts.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Sent with every answer. Everything comes from the page itself, and no other page can show or read it.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];

type Answer = Response<Full<Bytes>>;

/// Serves the page on `listener`, which is bound to `address`, for as long as it is polled.
pub(crate) async fn serve(broker: Arc<Broker>, listener: TcpListener, address: SocketAddr) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("failed to accept a browser: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let broker = Arc::clone(&broker);
        tokio::spawn(async move {
            let _ = timeout(CONNECTION_LIMIT, connection(broker, stream, peer, address)).await;
            drop(permit);
        });
    }
}

async fn connection(broker: Arc<Broker>, stream: TcpStream, peer: SocketAddr, own: SocketAddr) {
    if !peer::is_own(peer, own).await {
        tracing::warn!(%peer, "turned away another user's browser");
        return;
    }
    let service = service_fn(move |request| {
        let broker = Arc::clone(&broker);
        async move { Ok::<_, Infallible>(answer(&broker, &request, own.port()).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, "a browser is gone: {error}");
    }
}

async fn answer(broker: &Arc<Broker>, request: &Request<Incoming>, port: u16) -> Answer {
    if let Err(refused) = guard::check(request.method(), request.headers(), request.uri(), port) {
        let mut refusal = reply(refused.status, TEXT, format!("{}\n", refused.reason));
        if refused.status == StatusCode::METHOD_NOT_ALLOWED {
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        return refusal;
    }
    let mut found = match request.uri().path() {
        "/" => reply(StatusCode::OK, HTML, include_str!("assets/index.html")),
        "/page.css" => reply(StatusCode::OK, CSS, include_str!("assets/page.css")),
        "/page.js" => reply(StatusCode::OK, SCRIPT, include_str!("assets/page.js")),
        "/health" => reply(StatusCode::OK, TEXT, "ok\n"),
        "/api/v1/backends" => match serde_json::to_vec(&view::listing(broker).await) {
            Ok(json) => reply(StatusCode::OK, JSON, json),
            Err(error) => reply(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
        },
        _ => reply(StatusCode::NOT_FOUND, TEXT, "no such page\n"),
    };
    if request.method() == Method::HEAD {
        *found.body_mut() = Full::default();
    }
    found
}

fn reply(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    reply
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_assets_name_no_other_host_and_carry_no_inline_script() {
        for (name, asset) in [
            ("index.html", include_str!("assets/index.html")),
            ("page.css", include_str!("assets/page.css")),
            ("page.js", include_str!("assets/page.js")),
        ] {
            for bad in ["http:", "https:", "//cdn", "@import", "innerHTML", "outerHTML", "onclick", "eval("] {
                assert!(!asset.contains(bad), "{name} contains {bad}");
            }
        }
        let html = include_str!("assets/index.html");
        assert_eq!(html.matches("<script").count(), html.matches("<script src=\"/page.js\"").count());
        assert!(!html.contains("style="));
    }
}
