//! Every page of the dashboard in a browser, with data of builds that the test runs.

use std::path::PathBuf;

use larder_tests::{
    Browser, Sandbox, fetched, http_get, http_request, kill, prometheus_python, same_as_alone, wait_until,
};

const PAGES: [(&str, &str); 8] = [
    ("overview", "Hit rate by time"),
    ("builds", "Builds"),
    ("misses", "Causes, costliest first"),
    ("services", "In flight"),
    ("store", "Dedup ratio"),
    ("activity", "Filter by file, tool or reason"),
    ("health", "What to do"),
    ("settings", "size_limit"),
];

/// A sandbox with hits, misses, a changed option and a failure, and its page.
fn built() -> (Sandbox, String) {
    let sandbox = Sandbox::new();
    let page = sandbox.start()["page"].as_str().expect("an address").to_owned();
    for (name, text) in [("seen.c", "int x;\n"), ("other.c", "int y;\n"), ("bad.c", "int\n")] {
        sandbox.write_settled(name, text);
    }
    for args in [
        &["gcc", "-c", "seen.c"][..],
        &["gcc", "-c", "seen.c"],
        &["gcc", "-O2", "-DDEBUG", "-c", "seen.c"],
        &["gcc", "-c", "other.c"],
        &["gcc", "-c", "bad.c"],
    ] {
        same_as_alone(&sandbox, args);
    }
    (sandbox, page)
}

fn see(browser: &Browser, what: &str) {
    wait_until(&format!("{what:?} to be seen"), || browser.text().contains(what).then_some(()));
}

fn open(browser: &Browser, page: &str, name: &str) {
    browser.open(&format!("{page}#/{name}"));
}

fn keep(browser: &Browser, name: &str) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(format!("{name}.png")), browser.picture()).expect("written");
}

#[test]
fn every_page_shows_its_figures_in_a_browser_light_dark_and_narrow() {
    let (sandbox, page) = built();
    for _ in 0..40 {
        assert!(sandbox.larder(["gcc", "-c", "seen.c"]).status().expect("it runs").success());
    }
    let browser = Browser::start(&sandbox);
    for (scheme, width, height) in [("light", 1200, 1000), ("dark", 1200, 1000), ("light", 320, 1400)] {
        browser.prefer(scheme);
        browser.resize(width, height);
        for (name, what) in PAGES {
            open(&browser, &page, name);
            see(&browser, what);
            see(&browser, "live");
            let wide = browser.script("return document.documentElement.scrollWidth - innerWidth");
            assert!(wide.as_i64().is_some_and(|wide| wide <= 0), "{name} is wider than {width}: {wide}");
            keep(&browser, &format!("{name}-{scheme}-{width}"));
        }
    }
    let errors = browser.script("return document.querySelectorAll('[role=alert]').length");
    assert_eq!(errors, 0);
}

#[test]
fn a_miss_is_shown_in_a_browser_beside_the_earlier_call_with_the_difference_marked() {
    let (sandbox, page) = built();
    let stats = sandbox.larder(["stats", "--json", "--records", "20"]).output().expect("it runs");
    let stats: serde_json::Value = serde_json::from_slice(&stats.stdout).expect("JSON");
    let records = stats["records"].as_array().expect("records");
    let with_options = records.iter().find(|record| record["source"] == "seen.c").expect("the latest");
    let id = with_options["id"].as_u64().expect("a number");
    let browser = Browser::start(&sandbox);
    browser.resize(1200, 1000);
    open(&browser, &page, &format!("misses/{id}"));
    see(&browser, "Inputs beside the nearest earlier call");
    let marked = browser
        .script("return [...document.querySelectorAll('tr.differs')].map(row => row.innerText).join('\\n')");
    let marked = marked.as_str().expect("text");
    assert!(marked.contains("-O2") && marked.contains("-DDEBUG") && marked.contains("differs"), "{marked}");
    assert!(!marked.contains("seen.c"), "the source is the same: {marked}");
    keep(&browser, "miss-light-1200");
    open(&browser, &page, "misses");
    see(&browser, "Calls, latest first");
    // From a build to its calls.
    let build = ["build", "--", "make", "TOKEN=secret", "all"];
    sandbox.write_settled("Makefile", "all:\n\t$(CC) -c other.c\n");
    assert!(sandbox.larder(build).status().expect("it runs").success());
    open(&browser, &page, "builds");
    see(&browser, "make 'TOKEN=…' all");
    assert!(!browser.text().contains("secret"), "{}", browser.text());
    keep(&browser, "builds-command-light-1200");
    let link = wait_until("a build to be listed", || {
        let link = browser.script("return document.querySelector('tbody a')?.getAttribute('href') ?? null");
        link.as_str().map(str::to_owned)
    });
    browser.open(&format!("{page}{link}"));
    see(&browser, "Export as Chrome trace");
    keep(&browser, "build-light-1200");
}

#[test]
fn the_page_in_a_browser_goes_stale_with_the_daemon_and_comes_back_by_itself() {
    let (sandbox, page) = built();
    let browser = Browser::start(&sandbox);
    open(&browser, &page, "overview");
    see(&browser, "Hit rate by time");
    see(&browser, "live");
    kill(sandbox.pid("larderd"));
    see(&browser, "stale since");
    assert!(browser.text().contains("Hit rate by time"), "what was shown stays");
    keep(&browser, "stale-light-1200");
    let again = sandbox.start()["page"].as_str().expect("an address").to_owned();
    assert_eq!(again, page, "the next daemon is found under the same address");
    wait_until("the page to be live again", || (!browser.text().contains("stale since")).then_some(()));
    sandbox.write_settled("later.c", "int z;\n");
    same_as_alone(&sandbox, &["gcc", "-c", "later.c"]);
    open(&browser, &page, "activity");
    see(&browser, "later.c");
}

#[test]
fn the_page_is_used_in_a_browser_with_the_keyboard_alone_and_an_action_asks_first() {
    let (sandbox, page) = built();
    let browser = Browser::start(&sandbox);
    open(&browser, &page, "overview");
    see(&browser, "Pause caching");
    browser.press("\u{e004}");
    let focused = || {
        browser.script("return document.activeElement.textContent").as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(focused(), "Skip to content");
    let mut reached = Vec::new();
    while focused() != "Pause caching…" {
        assert!(reached.len() < 60, "Tab does not reach it: {reached:?}");
        browser.press("\u{e004}");
        reached.push(focused());
    }
    assert!(reached.iter().any(|text| text == "Settings"), "{reached:?}");
    browser.press("\u{e007}");
    see(&browser, "Pause caching?");
    keep(&browser, "ask-light-1200");
    let overview = || -> serde_json::Value {
        serde_json::from_str(&http_get(&format!("{page}api/v1/overview")).body).expect("JSON")
    };
    assert_eq!(overview()["paused"], false, "it asks first");
    browser.press("\u{e004}\u{e007}");
    see(&browser, "Caching is paused");
    assert_eq!(overview()["paused"], true);
    let hits = sandbox.counts().hits;
    same_as_alone(&sandbox, &["gcc", "-c", "seen.c"]);
    assert_eq!(sandbox.counts().hits, hits, "no call is served while caching is paused");
    assert_eq!(sandbox.last_reason(), "paused");
}

#[test]
fn one_service_is_chosen_in_a_browser_its_preview_shown_and_it_alone_cleared() {
    let (sandbox, page) = built();
    sandbox.run(&["store", "put", "k", "other.c"]);
    let browser = Browser::start(&sandbox);
    open(&browser, &page, "overview");
    see(&browser, "Clear the cache");
    browser.script("document.getElementById('clear').click()");
    see(&browser, "This removes");
    let choose = |service: &str| {
        browser.script(&format!(
            "const of = document.getElementById('clear-of'); of.value = '{service}'; of.dispatchEvent(new Event('change'))"
        ));
        wait_until("its preview", || {
            let chosen = browser.script("return document.querySelector('#clear-of option[selected]')?.value");
            (chosen == service).then_some(())
        });
    };
    choose("go");
    see(&browser, "This removes 0 records and 0 blobs");
    choose("artifact");
    see(&browser, "This removes 1 record and 1 blob");
    keep(&browser, "clear-light-1200");
    browser.script("document.querySelector('#ask .danger').click()");
    see(&browser, "Cleared: 1 record and 1 blob");
    let gone = sandbox.larder(["store", "has", "k"]).status().expect("larder starts");
    assert_eq!(gone.code(), Some(1));
    same_as_alone(&sandbox, &["gcc", "-c", "seen.c"]);
    assert_eq!(sandbox.last_reason(), "direct_hit");
}

#[test]
fn an_action_without_the_token_changes_nothing() {
    let (sandbox, page) = built();
    let host = page.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let act = |headers: &str| {
        let head = format!("POST /api/v1/actions/clear HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n");
        http_request(&host, &format!("{head}{headers}Connection: close\r\n\r\n")).status
    };
    let blobs = || sandbox.status().expect("it runs")["store"]["blobs"].as_u64().expect("a number");
    assert!(blobs() > 0);
    let own = format!("Origin: http://{host}\r\n");
    assert_eq!(act(""), 403);
    assert_eq!(act(&own), 403);
    assert_eq!(act(&format!("{own}X-Larder-Token: 00000000000000000000000000000000\r\n")), 403);
    assert!(blobs() > 0, "nothing was cleared");
    let token: serde_json::Value =
        serde_json::from_str(&http_get(&format!("{page}api/v1/token")).body).expect("JSON");
    let token = token["token"].as_str().expect("a token");
    let foreign = format!("Origin: http://evil.example\r\nX-Larder-Token: {token}\r\n");
    assert_eq!(act(&foreign), 403);
    assert_eq!(act(&format!("{own}X-Larder-Token: {token}\r\n")), 200);
    assert_eq!(blobs(), 0);
}

#[test]
fn the_brokers_page_alone_may_frame_the_dashboard() {
    let (sandbox, page) = built();
    let broker = sandbox.status().expect("it runs")["broker_page"].as_str().expect("an address").to_owned();
    let head = http_get(&page).head.to_ascii_lowercase();
    assert!(head.contains(&format!("frame-ancestors {}", broker.trim_end_matches('/'))), "{head}");
    let frame = format!(
        "const frame = document.createElement('iframe'); frame.src = '{page}'; frame.width = 900; frame.height = 600;
         document.body.append(frame);"
    );
    let browser = Browser::start(&sandbox);
    browser.open(&broker);
    see(&browser, "Open dashboard");
    browser.script(&frame);
    // While it loads, the frame may become another one.
    let again = || {
        browser.leave_frames();
        browser.enter_frame();
    };
    wait_until("the dashboard in the frame", || {
        again();
        browser.text().contains("Misses").then_some(())
    });
    assert_eq!(browser.script("return location.origin + '/'"), page.as_str());
    // Another port of the same machine is another site.
    let other = Elsewhere::serve();
    browser.open(&other.address);
    see(&browser, "elsewhere");
    browser.script(&frame);
    wait_until("the browser to refuse the frame", || {
        again();
        let address = browser.script("return document.URL");
        address.as_str().is_some_and(|address| address.starts_with("chrome-error:")).then_some(())
    });
    assert!(!browser.text().contains("Misses"), "{}", browser.text());
}

/// A page of somebody else's on this machine, without any rules.
struct Elsewhere {
    address: String,
}

impl Elsewhere {
    /// For as long as the test's process lives.
    fn serve() -> Self {
        use std::io::{Read as _, Write as _};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 16\r\nConnection: close\r\n\r\n<body>elsewhere\n",
                );
            }
        });
        Self { address }
    }
}

#[test]
fn statistics_by_day_survive_the_daemon() {
    let (sandbox, page) = built();
    let today = |page: &str| -> serde_json::Value {
        let body = http_get(&format!("{page}api/v1/overview")).body;
        serde_json::from_str::<serde_json::Value>(&body).expect("JSON")["today"].clone()
    };
    let before = today(&page);
    assert_eq!(before["hits"], 1, "{before}");
    assert!(sandbox.larder(["restart"]).status().expect("it runs").success());
    let page = sandbox.start()["page"].as_str().expect("an address").to_owned();
    assert_eq!(today(&page)["hits"], 1);
    same_as_alone(&sandbox, &["gcc", "-c", "seen.c"]);
    assert_eq!(today(&page)["hits"], 2);
}

#[test]
fn prometheuss_own_reader_takes_the_metrics() {
    let (sandbox, page) = built();
    sandbox.write("metrics", http_get(&format!("{page}metrics")).body);
    let script = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open('metrics').read()):
    for sample in family.samples:
        if sample.name == 'larder_requests_total':
            print(sample.labels['outcome'], sample.labels['reason'], int(sample.value))
";
    let output = sandbox.command(prometheus_python()).args(["-c", script]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = String::from_utf8_lossy(&output.stdout);
    for line in ["hit direct_hit 1", "miss first_seen 3", "uncacheable tool_failed 1"] {
        assert!(read.lines().any(|found| found == line), "{line} is not in\n{read}");
    }
}

#[test]
fn no_answer_holds_a_variables_value() {
    let sandbox = Sandbox::new();
    let page = sandbox.start()["page"].as_str().expect("an address").to_owned();
    sandbox.write_settled("x.c", "int x;\n");
    for value in ["/first-secret-value", "/second-secret-value"] {
        let mut gcc = sandbox.larder(["gcc", "-c", "x.c"]);
        assert!(gcc.env("CPATH", value).status().expect("it runs").success());
    }
    let answer = |path: &str| http_get(&format!("{page}{path}")).body;
    let compared = answer("api/v1/records/2");
    assert!(compared.contains("CPATH"), "{compared}");
    for path in
        ["api/v1/records/2", "api/v1/misses", "api/v1/health", "api/v1/settings", "api/v1/stats?records=9"]
    {
        assert!(!answer(path).contains("secret-value"), "{path}");
    }
}

#[test]
fn no_page_in_a_browser_has_what_the_accessibility_checker_objects_to() {
    let axe = std::fs::read_to_string(fetched("axe-core").join("axe.min.js")).expect("the checker");
    let (sandbox, page) = built();
    let browser = Browser::start(&sandbox);
    browser.resize(1200, 1000);
    let stats = sandbox.larder(["stats", "--json", "--records", "20"]).output().expect("it runs");
    let stats: serde_json::Value = serde_json::from_slice(&stats.stdout).expect("JSON");
    let latest = stats["records"][0]["id"].as_u64().expect("a number") - 2;
    let compared = format!("misses/{latest}");
    let pages = PAGES.into_iter().chain([(compared.as_str(), "Inputs beside")]);
    for (name, what) in pages {
        for scheme in ["light", "dark"] {
            browser.prefer(scheme);
            open(&browser, &page, name);
            see(&browser, what);
            see(&browser, "live");
            browser.script(&axe);
            browser.script(
                "delete window.found; axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', \
                 'best-practice'] }).then(found => { window.found = found.violations.map(violation => violation.id + ': ' + \
                 violation.help + ' ' + violation.nodes.map(node => node.html).join(' ')); });",
            );
            let found = wait_until("the checker to end", || {
                let found = browser.script("return window.found ?? null");
                found.is_array().then_some(found)
            });
            assert_eq!(found, serde_json::json!([]), "{name}, {scheme}");
        }
    }
}
