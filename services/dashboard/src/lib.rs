//! The daemon's status server: page, JSON, event stream, metrics.
//!
//! Owns: what a browser or a scraper sees of the daemon. Must never: change anything, count anything itself, show a
//! service other than by its report, or name another host.

mod api;
mod events;
mod metrics;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use hyper_util::service::TowerToHyperService;
use larder_service::Reports;
use tokio::net::TcpListener;

/// Serves the page on `listener` until `shutdown` ends.
///
/// # Errors
/// When `listener` is not bound to the loopback.
pub async fn serve(
    listener: TcpListener,
    reports: Arc<dyn Reports>,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/", get(page::html))
        .route("/assets/page.css", get(page::css))
        .route("/assets/page.js", get(page::script))
        .route("/health", get(api::health))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/stats", get(api::stats))
        .route("/api/v1/events", get(events::events))
        .route("/metrics", get(metrics::metrics))
        .fallback(api::not_found)
        .with_state(reports);
    larder_loopback::serve(listener, TowerToHyperService::new(router), shutdown).await
}
