//! The daemon's page, over HTTP and in a browser.

use larder_tests::{Browser, Sandbox, http_get, http_request, same_as_alone, wait_until};

fn page(sandbox: &Sandbox) -> String {
    sandbox.start()["page"].as_str().expect("an address").to_owned()
}

#[test]
fn the_page_shows_what_the_command_line_shows() {
    let sandbox = Sandbox::new();
    let page = page(&sandbox);
    sandbox.write_settled("x.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    same_as_alone(&sandbox, &["gcc", "-c", "x.c"]);
    let reply = http_get(&format!("{page}api/v1/stats?records=10"));
    assert_eq!(reply.status, 200);
    let from_page: serde_json::Value = serde_json::from_str(&reply.body).expect("JSON");
    let from_command = sandbox.stats();
    assert_eq!(from_page["services"], from_command["services"]);
    assert_eq!(from_page["services"][0]["hits"], 1);
    assert_eq!(http_get(&format!("{page}health")).status, 200);
    assert_eq!(http_get(&page).status, 200);
}

#[test]
fn another_host_name_and_another_site_get_nothing() {
    let sandbox = Sandbox::new();
    let page = page(&sandbox);
    let host = page.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let get = |headers: &str| {
        http_request(&host, &format!("GET /api/v1/stats HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"))
            .status
    };
    assert_eq!(get(&format!("Host: {host}\r\n")), 200);
    assert_eq!(get("Host: evil.example\r\n"), 421);
    assert_eq!(get(&format!("Host: {host}\r\nOrigin: http://evil.example\r\n")), 403);
    assert_eq!(get(&format!("Host: {host}\r\nSec-Fetch-Site: cross-site\r\n")), 403);
    let post = format!(
        "POST /api/v1/stats HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(http_request(&host, &post).status, 405);
}

#[test]
fn another_user_of_this_machine_gets_no_page() {
    use std::os::unix::process::CommandExt as _;
    if !rustix::process::geteuid().is_root() {
        // Only root can play another user.
        return;
    }
    let sandbox = Sandbox::new();
    let page = page(&sandbox);
    let port = page.trim_end_matches('/').rsplit(':').next().expect("a port").to_owned();
    let ask = |uid: u32| {
        let request = format!("GET /health HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\n\\r\\n");
        let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; cat <&3");
        let mut bash = sandbox.command("bash");
        let output = bash.current_dir("/").args(["-c", &script]).uid(uid).output().expect("bash starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(ask(0).starts_with("HTTP/1.1 200"), "this user is answered");
    assert_eq!(ask(65534), "", "another one is not");
}

#[test]
fn the_page_is_seen_in_a_browser_with_this_daemons_figures() {
    let sandbox = Sandbox::new();
    let page = page(&sandbox);
    sandbox.write_settled("seen_in_browser.c", "int x;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "seen_in_browser.c"]);
    same_as_alone(&sandbox, &["gcc", "-c", "seen_in_browser.c"]);
    let browser = Browser::start(&sandbox);
    browser.open(&format!("{page}#/activity"));
    wait_until("the latest request and its reason to be on the page", || {
        let content = browser.content();
        (content.contains("seen_in_browser.c") && content.contains("every recorded input is unchanged"))
            .then_some(())
    });
}

#[test]
fn the_brokers_page_shows_the_daemon_as_up_in_a_browser() {
    let sandbox = Sandbox::new();
    let status = sandbox.start();
    let page = status["broker_page"].as_str().expect("an address").to_owned();
    let dashboard = status["page"].as_str().expect("an address").to_owned();
    let browser = Browser::start(&sandbox);
    browser.open(&page);
    wait_until("the daemon to be shown with the way to its page", || {
        let content = browser.content();
        (content.contains("Open dashboard") && content.contains(&dashboard)).then_some(())
    });
}
