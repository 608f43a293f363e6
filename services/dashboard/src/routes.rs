//! The one table of routes. The document that describes them is held against it by a test.

use axum::Router;
use axum::routing::{MethodRouter, get, post};

use crate::{Shown, actions, api, assets, events, metrics};

/// Each path, and what answers it.
type Route = (&'static str, fn() -> MethodRouter<Shown>);

const ROUTES: [Route; 20] = [
    ("/health", || get(api::health)),
    ("/metrics", || get(metrics::metrics)),
    ("/api/v1/openapi.json", || get(api::openapi)),
    ("/api/v1/status", || get(api::status)),
    ("/api/v1/stats", || get(api::stats)),
    ("/api/v1/events", || get(events::events)),
    ("/api/v1/overview", || get(api::overview)),
    ("/api/v1/misses", || get(api::misses)),
    ("/api/v1/records/{id}", || get(api::comparison)),
    ("/api/v1/builds", || get(api::builds)),
    ("/api/v1/builds/{id}", || get(api::build)),
    ("/api/v1/builds/{id}/trace", || get(api::trace)),
    ("/api/v1/services", || get(api::lanes)),
    ("/api/v1/store", || get(api::store)),
    ("/api/v1/store/{name}", || get(api::find)),
    ("/api/v1/health", || get(api::health_report)),
    ("/api/v1/settings", || get(api::settings)),
    ("/api/v1/token", || get(actions::token)),
    ("/api/v1/actions/{action}", || post(actions::act)),
    ("/api/v1/actions", || get(actions::list)),
];

pub(crate) fn router(shown: Shown) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, (path, route)| router.route(path, route()));
    assets::routes(routes).fallback(api::not_found).with_state(shown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_description_has_exactly_the_routes_and_their_methods() {
        let document: serde_json::Value = serde_json::from_str(api::OPENAPI).expect("JSON");
        let described = document["paths"].as_object().expect("paths");
        let described: BTreeSet<&str> = described.keys().map(String::as_str).collect();
        let served: BTreeSet<&str> = ROUTES.iter().map(|(path, _)| *path).collect();
        assert_eq!(described, served);
        for (path, route) in ROUTES {
            let item = &document["paths"][path];
            let method = if format!("{:?}", route()).contains("post: BoxedHandler") { "post" } else { "get" };
            let operation = &item[method];
            assert_eq!(item.as_object().expect("an item").len(), 1, "{path}");
            assert!(operation["summary"].is_string() && operation["responses"]["200"].is_object(), "{path}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
            assert_eq!(in_path, path.matches('{').count(), "{path}");
        }
    }
}
