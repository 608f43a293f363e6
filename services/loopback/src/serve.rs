//! The accept loop.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_FRAME_OPTIONS,
};
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

/// The policy of every answer. Everything comes from the page itself, and no other page can show or read it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'none'";

/// Sent with every answer as they are.
const HEADERS: [(&str, &str); 4] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// Tells the address of the page that may show another one in a frame, while there is such a page.
pub type FramedBy = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What a page allows beyond being read by its user.
#[derive(Clone, Default)]
pub struct Rules {
    /// What actions must carry; without one there are none.
    pub token: Option<String>,
    /// The one page that may show this one in a frame.
    pub framed_by: Option<FramedBy>,
    /// Whether it may show other pages of the loopback in frames.
    pub frames: bool,
}

type Answer<B> = Response<Either<Full<Bytes>, B>>;

/// Answers this user's requests on `listener` with `pages` until `shutdown` ends; open connections end then too.
///
/// Only GET and HEAD come through to `pages`, and what `rules` allow, under the loopback's own names and from no other site.
///
/// # Errors
/// When `listener` is not bound to the loopback, or its address cannot be told.
pub async fn serve<S, B>(
    listener: TcpListener,
    pages: S,
    rules: Rules,
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
    let rules = Arc::new(rules);
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
        let (pages, rules) = (pages.clone(), Arc::clone(&rules));
        open.spawn(async move {
            let _ = timeout(CONNECTION_LIMIT, connection(pages, rules, stream, peer, own)).await;
            drop(permit);
        });
    }
}

async fn connection<S, B>(pages: S, rules: Arc<Rules>, stream: TcpStream, peer: SocketAddr, own: SocketAddr)
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
        let (pages, rules) = (pages.clone(), Arc::clone(&rules));
        async move { Ok::<_, Infallible>(answer(&pages, &rules, request, own.port()).await) }
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

async fn answer<S, B>(pages: &S, rules: &Rules, request: Request<Incoming>, port: u16) -> Answer<B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    let token = rules.token.as_deref();
    let mut answer = match guard::check(request.method(), request.headers(), request.uri(), port, token) {
        Err(refused) => refusal(&refused).map(Either::Left),
        Ok(()) => match pages.call(request).await {
            Ok(page) => page.map(Either::Right),
            Err(never) => match never {},
        },
    };
    let headers = answer.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let framer = rules.framed_by.as_ref().and_then(|framed_by| origin(&framed_by()?));
    if framer.is_none() {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    let frames = if rules.frames { "; frame-src http://127.0.0.1:*" } else { "" };
    let policy = format!("{POLICY}{frames}; frame-ancestors {}", framer.as_deref().unwrap_or("'none'"));
    headers.insert(CONTENT_SECURITY_POLICY, value(&policy));
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// A header of text that is always one.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"))
}

/// The origin of a page on the loopback, such as `http://127.0.0.1:4000`; `None` for any other address.
fn origin(page: &str) -> Option<String> {
    let address: SocketAddr = page.strip_prefix("http://")?.trim_end_matches('/').parse().ok()?;
    address.ip().is_loopback().then(|| format!("http://{address}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_on_the_loopback_can_be_a_framer() {
        assert_eq!(origin("http://127.0.0.1:4000/"), Some("http://127.0.0.1:4000".to_owned()));
        let elsewhere = format!("http://{}:4000/", std::net::Ipv4Addr::UNSPECIFIED);
        for other in [&elsewhere, "https://127.0.0.1:1/", "http://a.example:1/", "*", "http://127.0.0.1:1/ *"]
        {
            assert_eq!(origin(other), None, "{other}");
        }
    }
}
