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
    (
        "clear",
        "Removes what is cached, with service=NAME only of that one; with preview=true, only says what that would be",
    ),
    ("stop", "Ends the daemon, once running requests are answered"),
];

/// `/api/v1/actions`
pub(crate) async fn list(State(shown): State<Shown>) -> impl IntoResponse {
    let action = |(name, does): &(&str, &str)| json!({ "name": name, "does": does });
    Json(json!({
        "schema_version": 1,
        "actions": ACTIONS.iter().map(action).collect::<Vec<_>>(),
        "services": shown.actions.keeping(),
    }))
}

/// `/api/v1/token`: only a page of this very origin can read the answer.
pub(crate) async fn token(State(shown): State<Shown>) -> impl IntoResponse {
    Json(json!({ "schema_version": 1, "token": &*shown.token }))
}

/// `/api/v1/actions/{action}`
pub(crate) async fn act(State(shown): State<Shown>, Path(action): Path<String>, uri: Uri) -> Response {
    let Wish { service, preview } = match wish(&action, uri.query()) {
        Ok(wish) => wish,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error),
    };
    match action.as_str() {
        "pause" | "resume" => shown.actions.pause(action == "pause"),
        "stop" => shown.actions.stop(),
        "clear" => {
            return match apart(move || shown.actions.clear(&service, preview)).await {
                Some(Ok(cleared)) => Json(json!({
                    "schema_version": 1,
                    "records": cleared.records,
                    "blobs": cleared.blobs,
                    "bytes": cleared.bytes,
                    "blobs_in_use": cleared.blobs_in_use,
                    "records_unowned": cleared.records_unowned,
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

/// What is to be cleared, and whether that is only to be told.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    /// Empty: everything.
    service: String,
    preview: bool,
}

/// Whoever wanted a preview or one service, and misspelled it, must not lose the cache.
fn wish(action: &str, query: Option<&str>) -> Result<Wish, String> {
    if action != "clear" {
        values(query, [])?;
        return Ok(Wish::default());
    }
    let [preview, service] = values(query, ["preview", "service"])?;
    let preview = match preview {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err("failed to read preview: it is true or false".to_owned()),
    };
    match service {
        Some("") => Err("failed to read service: it is empty".to_owned()),
        service => Ok(Wish { service: service.unwrap_or_default().to_owned(), preview }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelled_wish_is_refused() {
        let read = |query| wish("clear", query).map(|wish| (wish.service, wish.preview));
        assert_eq!(read(Some("preview=true")), Ok((String::new(), true)));
        assert_eq!(read(Some("service=go")), Ok(("go".to_owned(), false)));
        assert_eq!(read(None), Ok((String::new(), false)));
        for wrong in ["preview=1", "preview", "dry_run=true", "preview=", "service=", "service", "Service=go"]
        {
            assert!(read(Some(wrong)).is_err(), "{wrong}");
        }
        assert!(wish("stop", Some("preview=true")).is_err());
    }
}
