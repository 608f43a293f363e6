//! The page itself: three files that are part of the program.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

const HTML: &str = include_str!("assets/index.html");
const CSS: &str = include_str!("assets/page.css");
const SCRIPT: &str = include_str!("assets/page.js");

/// `/`
pub(crate) async fn html() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], HTML)
}

/// `/assets/page.css`
pub(crate) async fn css() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], CSS)
}

/// `/assets/page.js`
pub(crate) async fn script() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assets_name_no_other_host_and_carry_no_inline_script_or_style() {
        for (name, asset) in [("index.html", HTML), ("page.css", CSS), ("page.js", SCRIPT)] {
            for bad in ["http:", "https:", "//cdn", "@import", "innerHTML", "outerHTML", "onclick", "eval("] {
                assert!(!asset.contains(bad), "{name} contains {bad}");
            }
        }
        assert_eq!(HTML.matches("<script").count(), HTML.matches("<script src=\"/assets/page.js\"").count());
        assert!(!HTML.contains("style="));
    }
}
