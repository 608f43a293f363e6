//! The page itself: files that are part of the program.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;

use crate::Shown;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! script {
    ($name:literal) => {
        (concat!("/assets/", $name), SCRIPT, include_str!(concat!("assets/", $name)))
    };
}

/// Path, type and content.
const ASSETS: [(&str, &str, &str); 18] = [
    ("/", HTML, include_str!("assets/index.html")),
    ("/assets/page.css", CSS, include_str!("assets/page.css")),
    ("/assets/parts.css", CSS, include_str!("assets/parts.css")),
    script!("page.js"),
    script!("dom.js"),
    ("/assets/units.js", SCRIPT, larder_loopback::UNITS_JS),
    script!("live.js"),
    script!("charts.js"),
    script!("parts.js"),
    script!("overview.js"),
    script!("builds.js"),
    script!("misses.js"),
    script!("services.js"),
    script!("store.js"),
    script!("activity.js"),
    script!("health.js"),
    script!("settings.js"),
    script!("actions.js"),
];

/// Adds them to `router`.
pub(crate) fn routes(router: Router<Shown>) -> Router<Shown> {
    ASSETS.into_iter().fold(router, |router, (path, kind, content)| {
        router.route(path, get(move || async move { ([(CONTENT_TYPE, kind)], content) }))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assets_name_no_other_host_and_carry_no_inline_script_or_style() {
        for (name, _, asset) in ASSETS {
            for bad in ["http:", "https:", "//cdn", "@import", "innerHTML", "outerHTML", "onclick", "eval("] {
                // The name of SVG's vocabulary is no address that anything is fetched from.
                let asset = asset.replace("http://www.w3.org/2000/svg", "");
                assert!(!asset.contains(bad), "{name} contains {bad}");
            }
        }
        let html = ASSETS[0].2;
        assert_eq!(
            html.matches("<script").count(),
            html.matches("<script type=\"module\" src=\"/assets/page.js\"").count()
        );
        assert!(!html.contains("style="));
    }
}
