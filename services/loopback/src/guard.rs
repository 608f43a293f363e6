//! Which requests are answered.

use hyper::header::{CONTENT_LENGTH, HOST, HeaderMap, ORIGIN, TRANSFER_ENCODING};
use hyper::{Method, StatusCode, Uri};

/// A request that gets no page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The answer's status.
    pub(super) status: StatusCode,
    /// Why, for the person at the other end.
    pub(super) reason: &'static str,
}

/// Header that carries the token of an action. A form on another site cannot set it.
const TOKEN: &str = "x-larder-token";

/// Where actions are.
const ACTIONS: &str = "/api/v1/actions/";

/// Names under which a browser on this machine reaches the page.
const NAMES: [&str; 2] = ["127.0.0.1", "localhost"];

/// Checks a request to the page on `port`. A name that only resolves to this machine is another site's, as is any
/// other origin.
///
/// # Errors
/// With the answer, when the request is not for this page, comes from another one, or wants to change something.
pub(super) fn check(
    method: &Method,
    headers: &HeaderMap,
    uri: &Uri,
    port: u16,
    token: Option<&str>,
) -> Result<(), Refused> {
    let refused = |status, reason| Err(Refused { status, reason });
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let named = host.is_some_and(|host| is_own(host, port)) && hosts.next().is_none();
    if !named || uri.authority().is_some_and(|authority| !is_own(authority.as_str(), port)) {
        return refused(StatusCode::MISDIRECTED_REQUEST, "this page has no such name");
    }
    let foreign = |origin: &hyper::header::HeaderValue| {
        let origin = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
        !origin.is_some_and(|origin| is_own(origin, port))
    };
    if headers.get_all(ORIGIN).iter().any(foreign) {
        return refused(StatusCode::FORBIDDEN, "another page may not ask this one");
    }
    // A link on another site may open the page, as a person's click does; a script there may not read it.
    let site = headers.get("sec-fetch-site").map(hyper::header::HeaderValue::as_bytes);
    let opens = headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    if site.is_some_and(|site| site != b"same-origin" && site != b"none") && !opens {
        return refused(StatusCode::FORBIDDEN, "another page may not ask this one");
    }
    if method == Method::GET || method == Method::HEAD {
        return Ok(());
    }
    let Some(token) = token.filter(|_| method == Method::POST && uri.path().starts_with(ACTIONS)) else {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "this page can only be read");
    };
    if !headers.contains_key(ORIGIN) || site.is_some_and(|site| site != b"same-origin") {
        return refused(StatusCode::FORBIDDEN, "an action must be asked for on the page itself");
    }
    let mut given = headers.get_all(TOKEN).iter();
    let is_known = given.next().is_some_and(|given| is_same(given.as_bytes(), token.as_bytes()));
    if !is_known || given.next().is_some() {
        return refused(StatusCode::FORBIDDEN, "an action must carry the page's token");
    }
    let has_body = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body || headers.contains_key(TRANSFER_ENCODING) {
        return refused(StatusCode::PAYLOAD_TOO_LARGE, "an action has no body");
    }
    Ok(())
}

/// Compares in a time that does not tell where the first difference is.
fn is_same(given: &[u8], token: &[u8]) -> bool {
    given.len() == token.len() && given.iter().zip(token).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn is_own(host: &str, port: u16) -> bool {
    host.rsplit_once(':').is_some_and(|(name, number)| {
        NAMES.iter().any(|own| name.eq_ignore_ascii_case(own)) && number.parse() == Ok(port)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn status(method: &Method, headers: &[(&str, &str)]) -> Result<(), u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: hyper::header::HeaderName = name.parse().expect("a name");
            map.append(name, value.parse().expect("a value"));
        }
        check(method, &map, &Uri::from_static("/"), 4000, None).map_err(|refused| refused.status.as_u16())
    }

    #[test]
    fn the_pages_own_names_are_answered() {
        for host in ["127.0.0.1:4000", "localhost:4000", "LocalHost:4000"] {
            assert_eq!(status(&Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        let own = [("host", "127.0.0.1:4000"), ("origin", "http://127.0.0.1:4000")];
        assert_eq!(status(&Method::HEAD, &own), Ok(()));
    }

    #[test]
    fn another_name_or_none_is_misdirected() {
        for host in
            ["evil.example:4000", "127.0.0.1", "127.0.0.1:4001", "[::1]:4000", "127.0.0.1.evil.example:4000"]
        {
            assert_eq!(status(&Method::GET, &[("host", host)]), Err(421), "{host}");
        }
        assert_eq!(status(&Method::GET, &[]), Err(421));
        assert_eq!(status(&Method::GET, &[("host", "localhost:4000"), ("host", "localhost:4000")]), Err(421));
    }

    #[test]
    fn another_origin_and_another_method_are_refused() {
        for origin in ["http://evil.example", "null", "https://127.0.0.1:4000", "http://127.0.0.1:4001"] {
            let headers = [("host", "127.0.0.1:4000"), ("origin", origin)];
            assert_eq!(status(&Method::GET, &headers), Err(403), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            let asked = [("host", "127.0.0.1:4000"), ("sec-fetch-site", site)];
            assert_eq!(status(&Method::GET, &asked), Err(403), "{site}");
            let opened = [asked[0], asked[1], ("sec-fetch-mode", "navigate")];
            assert_eq!(status(&Method::GET, &opened), Ok(()), "{site}");
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            assert_eq!(status(&method, &[("host", "127.0.0.1:4000")]), Err(405), "{method}");
        }
    }

    #[test]
    fn an_action_needs_the_token_the_pages_own_origin_and_no_body() {
        let act = |path: &'static str, headers: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in [("host", "127.0.0.1:4000")].iter().chain(headers) {
                let name: hyper::header::HeaderName = name.parse().expect("a name");
                map.append(name, value.parse().expect("a value"));
            }
            let checked = check(&Method::POST, &map, &Uri::from_static(path), 4000, Some("secret"));
            checked.map_err(|refused| refused.status.as_u16())
        };
        let (origin, token) = (("origin", "http://127.0.0.1:4000"), ("x-larder-token", "secret"));
        let clear = "/api/v1/actions/clear";
        assert_eq!(act(clear, &[origin, token]), Ok(()));
        assert_eq!(act(clear, &[origin, token, ("content-length", "0")]), Ok(()));
        assert_eq!(act(clear, &[origin]), Err(403));
        assert_eq!(act(clear, &[token]), Err(403));
        for wrong in ["", "secre", "secret2", "Secret"] {
            assert_eq!(act(clear, &[origin, ("x-larder-token", wrong)]), Err(403), "{wrong}");
        }
        assert_eq!(act(clear, &[origin, token, token]), Err(403));
        assert_eq!(act(clear, &[("origin", "http://127.0.0.1:4001"), token]), Err(403));
        assert_eq!(act(clear, &[origin, token, ("sec-fetch-site", "same-site")]), Err(403));
        assert_eq!(act(clear, &[origin, token, ("content-length", "1")]), Err(413));
        assert_eq!(act(clear, &[origin, token, ("transfer-encoding", "chunked")]), Err(413));
        assert_eq!(act("/api/v1/stats", &[origin, token]), Err(405));
    }

    proptest! {
        #[test]
        fn no_text_but_the_own_names_is_a_host(host in ".{0,40}") {
            let lower = host.to_ascii_lowercase();
            let own = ["127.0.0.1:", "localhost:"].iter().any(|name| lower.starts_with(name));
            prop_assert!(own || !is_own(&host, 4000));
        }
    }
}
