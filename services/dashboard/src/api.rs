//! The reports as JSON. Its fields are those of the reports' messages, so the command line prints the same.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use larder_service::Reports;
use serde::Serialize;

/// Most records in one answer.
const MAX_RECORDS: usize = 1000;

type Source = State<Arc<dyn Reports>>;

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

/// `/health`
pub(crate) async fn health() -> impl IntoResponse {
    Json(Health { status: "ok", pid: std::process::id() })
}

/// `/api/v1/status`
pub(crate) async fn status(State(reports): Source) -> impl IntoResponse {
    Json(reports.status())
}

/// `/api/v1/stats?records=N`: N of the latest records, 0 to 1000, none unless asked for.
pub(crate) async fn stats(State(reports): Source, uri: Uri) -> Response {
    match records(uri.query()) {
        Ok(records) => Json(reports.stats(records)).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(Failure { error })).into_response(),
    }
}

/// Every other path.
pub(crate) async fn not_found() -> impl IntoResponse {
    let error = "no such page; see / or /api/v1/stats".to_owned();
    (StatusCode::NOT_FOUND, Json(Failure { error }))
}

fn records(query: Option<&str>) -> Result<usize, String> {
    let mut records = 0;
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let value = match pair.split_once('=') {
            Some(("records", value)) => value,
            _ => return Err("failed to read the query: the only parameter is records".to_owned()),
        };
        records = value
            .parse()
            .ok()
            .filter(|count| *count <= MAX_RECORDS)
            .ok_or_else(|| format!("failed to read records: it is a number from 0 to {MAX_RECORDS}"))?;
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_of_records_is_bounded() {
        assert_eq!(records(None), Ok(0));
        assert_eq!(records(Some("")), Ok(0));
        assert_eq!(records(Some("records=7")), Ok(7));
        assert_eq!(records(Some("records=1000")), Ok(1000));
        for wrong in ["records", "records=", "records=-1", "records=1001", "records=x", "other=1", "%ff"] {
            assert!(records(Some(wrong)).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_read_or_refused(query in ".{0,60}") {
            if let Ok(count) = records(Some(&query)) {
                prop_assert!(count <= MAX_RECORDS);
            }
        }
    }
}
