//! The accept loop.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::{guard, peer};

/// Most connections at a time; one more is closed unread.
const CONNECTIONS: usize = 64;

/// How long a browser may take to send a request's head.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);

/// How long one connection may last. It carries one request; a stream of events is taken up again by its browser.
const CONNECTION_LIMIT: Duration = Duration::from_mins(10);

/// Most bytes of a request's head.
const HEAD_LIMIT: usize = 16 * 1024;

/// Pause after a failure to accept: the reason is usually a want of descriptors, which lasts.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

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

type Answer<B> = Response<Either<Full<Bytes>, B>>;

/// Answers this user's requests on `listener` with `pages` until `shutdown` ends; open connections end then too.
///
/// Only GET and HEAD come through to `pages`, under the loopback's own names and from no other site.
///
/// # Errors
/// When `listener` is not bound to the loopback, or its address cannot be told.
pub async fn serve<S, B>(
    listener: TcpListener,
    pages: S,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let own = listener.local_addr()?;
    if !own.ip().is_loopback() {
        return Err(std::io::Error::other(format!("{own} is not an address of the loopback")));
    }
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => return Ok(()),
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("failed to accept a browser: {error}");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let pages = pages.clone();
        open.spawn(async move {
            let _ = timeout(CONNECTION_LIMIT, connection(pages, stream, peer, own)).await;
            drop(permit);
        });
    }
}

async fn connection<S, B>(pages: S, stream: TcpStream, peer: SocketAddr, own: SocketAddr)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if !peer::is_own(peer, own).await {
        return tracing::warn!(%peer, "turned away another user's browser");
    }
    let service = service_fn(move |request| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(answer(&pages, request, own.port()).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .keep_alive(false)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, "a browser is gone: {error}");
    }
}

async fn answer<S, B>(pages: &S, request: Request<Incoming>, port: u16) -> Answer<B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    let mut answer = match guard::check(request.method(), request.headers(), request.uri(), port) {
        Err(refused) => refusal(&refused).map(Either::Left),
        Ok(()) => match pages.call(request).await {
            Ok(page) => page.map(Either::Right),
            Err(never) => match never {},
        },
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

fn refusal(refused: &guard::Refused) -> Response<Full<Bytes>> {
    let mut refusal = Response::new(Full::from(format!("{}\n", refused.reason)));
    *refusal.status_mut() = refused.status;
    let headers = refusal.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if refused.status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    refusal
}
