//! What a person may ask for. `larder-loopback` lets nobody here who has not the token.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::Shown;
use crate::api::{apart, failure};
use crate::query::values;

const ACTIONS: [(&str, &str); 4] = [
    ("pause", "Has every tool run without the cache, until the daemon ends or this is undone"),
    ("resume", "Ends a pause"),
    ("clear", "Removes what is cached; with preview=true, only says what that would be"),
    ("stop", "Ends the daemon, once running requests are answered"),
];

/// `/api/v1/actions`
pub(crate) async fn list() -> impl IntoResponse {
    let action = |(name, does): &(&str, &str)| json!({ "name": name, "does": does });
    Json(json!({ "schema_version": 1, "actions": ACTIONS.iter().map(action).collect::<Vec<_>>() }))
}

/// `/api/v1/token`: only a page of this very origin can read the answer.
pub(crate) async fn token(State(shown): State<Shown>) -> impl IntoResponse {
    Json(json!({ "schema_version": 1, "token": &*shown.token }))
}

/// `/api/v1/actions/{action}`
pub(crate) async fn act(State(shown): State<Shown>, Path(action): Path<String>, uri: Uri) -> Response {
    let preview = match preview(&action, uri.query()) {
        Ok(preview) => preview,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error),
    };
    match action.as_str() {
        "pause" | "resume" => shown.actions.pause(action == "pause"),
        "stop" => shown.actions.stop(),
        "clear" => {
            return match apart(move || shown.actions.clear(preview)).await {
                Some(Ok(cleared)) => Json(json!({
                    "schema_version": 1,
                    "records": cleared.records,
                    "blobs": cleared.blobs,
                    "bytes": cleared.bytes,
                    "blobs_in_use": cleared.blobs_in_use,
                    "preview": preview,
                }))
                .into_response(),
                Some(Err(error)) => failure(StatusCode::SERVICE_UNAVAILABLE, error),
                None => failure(StatusCode::INTERNAL_SERVER_ERROR, "clearing failed; see the log"),
            };
        }
        _ => return failure(StatusCode::NOT_FOUND, "no such action; see /api/v1/actions"),
    }
    Json(json!({ "schema_version": 1 })).into_response()
}

fn preview(action: &str, query: Option<&str>) -> Result<bool, String> {
    if action != "clear" {
        values(query, [])?;
        return Ok(false);
    }
    match values(query, ["preview"])? {
        [None | Some("false")] => Ok(false),
        [Some("true")] => Ok(true),
        // Whoever wanted a preview and misspelled it must not lose the cache.
        [Some(_)] => Err("failed to read preview: it is true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_preview_is_refused() {
        assert_eq!(preview("clear", Some("preview=true")), Ok(true));
        assert_eq!(preview("clear", None), Ok(false));
        for wrong in ["preview=1", "preview", "dry_run=true", "preview="] {
            assert!(preview("clear", Some(wrong)).is_err(), "{wrong}");
        }
        assert!(preview("stop", Some("preview=true")).is_err());
    }
}
