//! The reports as JSON. Its fields are those of the reports' messages, so the command line prints the same.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::query::{number, values};
use crate::{Shown, trace};

/// Most records in one answer.
const MAX_RECORDS: usize = 1000;

/// What the API is, as OpenAPI.
pub(crate) const OPENAPI: &str = include_str!("assets/openapi.json");

/// Tells that the daemon is there.
#[derive(Serialize)]
struct Health {
    status: &'static str,
    pid: u32,
}

/// What was wrong with a request.
#[derive(Serialize)]
struct Failure {
    error: String,
}

/// An answer that says what was wrong.
pub(crate) fn failure(status: StatusCode, error: impl Into<String>) -> Response {
    (status, Json(Failure { error: error.into() })).into_response()
}

/// `/health`
pub(crate) async fn health() -> impl IntoResponse {
    Json(Health { status: "ok", pid: std::process::id() })
}

/// `/api/v1/openapi.json`
pub(crate) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}

/// `/api/v1/status`
pub(crate) async fn status(State(shown): State<Shown>) -> impl IntoResponse {
    Json(shown.reports.status())
}

/// `/api/v1/stats?records=N`: N of the latest records, 0 to 1000, none unless asked for.
pub(crate) async fn stats(State(shown): State<Shown>, uri: Uri) -> Response {
    match records(&uri, 0) {
        Ok(records) => Json(shown.reports.stats(records)).into_response(),
        Err(error) => failure(StatusCode::BAD_REQUEST, error),
    }
}

/// `/api/v1/overview`
pub(crate) async fn overview(State(shown): State<Shown>) -> impl IntoResponse {
    Json(shown.reports.overview())
}

/// `/api/v1/misses?records=N`: as for statistics, 200 unless asked for.
pub(crate) async fn misses(State(shown): State<Shown>, uri: Uri) -> Response {
    match records(&uri, 200) {
        Ok(records) => Json(shown.reports.misses(records)).into_response(),
        Err(error) => failure(StatusCode::BAD_REQUEST, error),
    }
}

/// `/api/v1/records/{id}`
pub(crate) async fn comparison(State(shown): State<Shown>, Path(id): Path<String>) -> Response {
    let found = id.parse().ok().and_then(|id| shown.reports.comparison(id));
    or_gone(found, "this call is not among the latest that the daemon remembers")
}

/// `/api/v1/builds`
pub(crate) async fn builds(State(shown): State<Shown>) -> impl IntoResponse {
    Json(shown.reports.builds())
}

/// `/api/v1/builds/{id}`
pub(crate) async fn build(State(shown): State<Shown>, Path(id): Path<String>) -> Response {
    or_gone(shown.reports.build(&id), "this build is not among the latest that the daemon remembers")
}

/// `/api/v1/builds/{id}/trace`: for chrome://tracing and Perfetto.
pub(crate) async fn trace(State(shown): State<Shown>, Path(id): Path<String>) -> Response {
    let trace = shown.reports.build(&id).map(|build| trace::of(&build));
    or_gone(trace, "this build is not among the latest that the daemon remembers")
}

/// `/api/v1/services`
pub(crate) async fn lanes(State(shown): State<Shown>) -> impl IntoResponse {
    Json(shown.reports.lanes())
}

/// `/api/v1/store`
pub(crate) async fn store(State(shown): State<Shown>) -> Response {
    match apart(move || shown.reports.store()).await {
        Some(Some(report)) => Json(report).into_response(),
        _ => failure(StatusCode::SERVICE_UNAVAILABLE, "there is no store; see the warnings of the status"),
    }
}

/// `/api/v1/store/{name}`: what has a name that starts so.
pub(crate) async fn find(State(shown): State<Shown>, Path(name): Path<String>) -> Response {
    let name = name.to_ascii_lowercase();
    if !larder_service::is_start_of_name(&name) {
        return failure(StatusCode::BAD_REQUEST, "failed to read the name: it is 6 to 64 hexadecimal digits");
    }
    or_gone(apart(move || shown.reports.find(&name)).await, "the search failed; see the log")
}

/// `/api/v1/health`
pub(crate) async fn health_report(State(shown): State<Shown>) -> Response {
    or_gone(apart(move || shown.reports.health()).await, "looking around failed; see the log")
}

/// `/api/v1/settings`
pub(crate) async fn settings(State(shown): State<Shown>) -> impl IntoResponse {
    Json(shown.reports.settings())
}

/// Every other path.
pub(crate) async fn not_found() -> impl IntoResponse {
    failure(StatusCode::NOT_FOUND, "no such page; see / or /api/v1/openapi.json")
}

/// Runs what may wait for a disk beside the threads that serve clients; `None` where it panicked.
pub(crate) async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn or_gone(found: Option<impl Serialize>, error: &str) -> Response {
    match found {
        Some(found) => Json(found).into_response(),
        None => failure(StatusCode::NOT_FOUND, error),
    }
}

fn records(uri: &Uri, default: usize) -> Result<usize, String> {
    let [records] = values(uri.query(), ["records"])?;
    number("records", records, default, MAX_RECORDS)
}
