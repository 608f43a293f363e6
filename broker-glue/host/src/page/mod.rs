//! The broker's page: which backends there are, which of them answer, and the way to their dashboards.

mod health;
mod view;

use std::convert::Infallible;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;

use crate::broker::Broker;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

type Answer = Response<Full<Bytes>>;

/// Serves the page on `listener` for as long as it is polled.
pub(crate) async fn serve(broker: Arc<Broker>, listener: TcpListener) {
    let pages = service_fn(move |request| {
        let broker = Arc::clone(&broker);
        async move { Ok::<_, Infallible>(answer(&broker, &request).await) }
    });
    let rules = larder_loopback::Rules { frames: true, ..larder_loopback::Rules::default() };
    if let Err(error) = larder_loopback::serve(listener, pages, rules, std::future::pending()).await {
        tracing::warn!("there is no page: {error}");
    }
}

async fn answer(broker: &Arc<Broker>, request: &Request<Incoming>) -> Answer {
    let mut found = match request.uri().path() {
        "/" => reply(StatusCode::OK, HTML, include_str!("assets/index.html")),
        "/page.css" => reply(StatusCode::OK, CSS, include_str!("assets/page.css")),
        "/page.js" => reply(StatusCode::OK, SCRIPT, include_str!("assets/page.js")),
        "/units.js" => reply(StatusCode::OK, SCRIPT, larder_loopback::UNITS_JS),
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
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
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
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=\"/page.js\"").count()
        );
        assert!(!html.contains("style="));
    }
}
