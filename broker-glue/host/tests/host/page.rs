//! The page, as a browser or an attacker asks for it.

use crate::sandbox::Sandbox;

#[test]
fn the_page_and_its_parts_are_served_with_what_keeps_others_out() {
    let sandbox = Sandbox::new();
    let _broker = sandbox.start();
    for (path, kind) in [
        ("/", "text/html"),
        ("/page.js", "text/javascript"),
        ("/page.css", "text/css"),
        ("/health", "text/plain"),
    ] {
        let (status, reply) = sandbox.get(path);
        let reply = reply.to_ascii_lowercase();
        assert_eq!(status, 200, "{path}");
        assert!(reply.contains(&format!("content-type: {kind}")), "{reply}");
        assert!(reply.contains("content-security-policy: default-src 'none'"), "{reply}");
    }
    assert_eq!(sandbox.get("/nothing").0, 404);
    assert!(sandbox.backends().is_empty());
}

#[test]
fn other_names_origins_and_methods_are_refused() {
    let sandbox = Sandbox::new();
    let _broker = sandbox.start();
    let port = sandbox.port().expect("published");
    let status = |head: String| sandbox.http(&head).0;
    assert_eq!(status("GET / HTTP/1.1\r\nHost: evil.example".to_owned()), 421);
    assert_eq!(status(format!("GET /api/v1/backends HTTP/1.1\r\nHost: evil.example:{port}")), 421);
    assert_eq!(status(format!("GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}")), 421);
    assert_eq!(status("GET / HTTP/1.0".to_owned()), 421);
    assert_eq!(
        status(format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://evil.example")),
        403
    );
    assert_eq!(status(format!("POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0")), 405);
    let (code, reply) = sandbox.http(&format!("HEAD / HTTP/1.1\r\nHost: localhost:{port}"));
    assert!(code == 200 && reply.ends_with("\r\n\r\n"), "{reply}");
}
