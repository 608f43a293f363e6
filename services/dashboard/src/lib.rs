//! The daemon's status server: page, JSON, event stream, metrics, and the actions that a person asks for.
//!
//! Owns: what a browser or a scraper sees of the daemon. Must never: count anything itself, change anything but by an
//! action of [`Actions`], show a service other than by its report, or name another host.

mod actions;
mod api;
mod assets;
mod events;
mod metrics;
mod query;
mod routes;
mod trace;

use std::sync::Arc;

use hyper_util::service::TowerToHyperService;
pub use larder_loopback::Rules;
use larder_service::{Actions, Reports};
use tokio::net::TcpListener;

/// What the routes read from.
#[derive(Clone)]
struct Shown {
    reports: Arc<dyn Reports>,
    actions: Arc<dyn Actions>,
    /// Empty where there are no actions.
    token: Arc<str>,
}

/// Serves the page on `listener` until `shutdown` ends.
///
/// # Errors
/// When `listener` is not bound to the loopback.
pub async fn serve(
    listener: TcpListener,
    reports: Arc<dyn Reports>,
    actions: Arc<dyn Actions>,
    rules: Rules,
    shutdown: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let token = rules.token.clone().unwrap_or_default().into();
    let router = routes::router(Shown { reports, actions, token });
    larder_loopback::serve(listener, TowerToHyperService::new(router), rules, shutdown).await
}
