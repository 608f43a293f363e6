//! The server over a real socket, with reports that a test decides.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::{Arc, Mutex};

use larder_dashboard::Rules;
use larder_proto::v1::{
    BuildActions, Builds, Cleared, Comparison, Found, Health, LaneList, Misses, Overview, ReasonCount,
    Record, ServiceStats, SettingList, Stats, Status, StoreReport, StoreStatus,
};
use larder_service::{Actions, Figures, Reports};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::Notify;

struct Counted(Mutex<u64>);

impl Actions for Counted {
    fn pause(&self, paused: bool) {
        *self.0.lock().unwrap() = if paused { 1000 } else { 2000 };
    }

    fn clear(&self, service: &str, dry_run: bool) -> Result<Cleared, String> {
        match service {
            "" => Ok(Cleared { blobs: if dry_run { 5 } else { 6 }, ..Cleared::default() }),
            "compile" => Ok(Cleared { blobs: 3, records_unowned: 2, ..Cleared::default() }),
            _ => Err("there is none of that name".to_owned()),
        }
    }

    fn keeping(&self) -> Vec<&'static str> {
        vec!["compile"]
    }

    fn stop(&self) {}
}

impl Figures for Counted {
    fn status(&self) -> Status {
        Status { pid: 7, version: "1.2.3".into(), store: Some(StoreStatus::default()), ..Status::default() }
    }
    fn stats(&self, records: usize) -> Stats {
        let hits = *self.0.lock().unwrap();
        let reason =
            ReasonCount { id: "direct_hit".into(), outcome: "hit".into(), count: hits, ..Default::default() };
        let service = ServiceStats {
            service: "compile".into(),
            hits,
            reasons: vec![reason],
            ..ServiceStats::default()
        };
        let record = Record { source: "x.c".into(), ..Record::default() };
        Stats { services: vec![service], records: vec![record; records.min(3)], ..Stats::default() }
    }
}

impl Reports for Counted {
    fn overview(&self) -> Overview {
        Overview { verdict: "fine".into(), ..Overview::default() }
    }

    fn misses(&self, records: usize) -> Misses {
        Misses { records: vec![Record::default(); records], ..Misses::default() }
    }

    fn comparison(&self, record: u64) -> Option<Comparison> {
        (record == 1).then(Comparison::default)
    }

    fn builds(&self) -> Builds {
        Builds::default()
    }

    fn build(&self, id: &str) -> Option<BuildActions> {
        (id == "pid-1").then(BuildActions::default)
    }

    fn lanes(&self) -> LaneList {
        LaneList::default()
    }

    fn store(&self) -> Option<StoreReport> {
        None
    }

    fn find(&self, _name: &str) -> Found {
        Found::default()
    }

    fn health(&self) -> Health {
        Health::default()
    }

    fn settings(&self) -> SettingList {
        SettingList::default()
    }
}

struct Server {
    runtime: Runtime,
    reports: Arc<Counted>,
    port: u16,
    stop: Arc<Notify>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let reports = Arc::new(Counted(Mutex::new(1)));
        let stop = Arc::new(Notify::new());
        let (shown, stopping) = (reports.clone(), stop.clone());
        let rules = Rules { token: Some("secret".into()), ..Rules::default() };
        let ended = async move { stopping.notified().await };
        let served = runtime.spawn(larder_dashboard::serve(listener, shown.clone(), shown, rules, ended));
        Self { runtime, reports, port, stop, served }
    }

    fn send(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.write_all(head.replace("PORT", &self.port.to_string()).as_bytes()).unwrap();
        stream
    }

    /// Head and body of the answer.
    fn ask(&self, head: &str) -> (String, String) {
        let mut text = String::new();
        self.send(head).read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_ascii_lowercase(), body.to_owned())
    }

    fn get(&self, path: &str) -> (String, String) {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n"))
    }
}

#[test]
fn every_page_is_answered_with_its_type_and_the_headers_that_keep_others_out() {
    let server = Server::start();
    for (path, kind) in [
        ("/", "text/html"),
        ("/assets/page.css", "text/css"),
        ("/assets/page.js", "text/javascript"),
        ("/health", "application/json"),
        ("/api/v1/status", "application/json"),
        ("/api/v1/stats", "application/json"),
        ("/api/v1/openapi.json", "application/json"),
        ("/api/v1/overview", "application/json"),
        ("/api/v1/misses", "application/json"),
        ("/api/v1/records/1", "application/json"),
        ("/api/v1/builds", "application/json"),
        ("/api/v1/builds/pid-1", "application/json"),
        ("/api/v1/builds/pid-1/trace", "application/json"),
        ("/api/v1/services", "application/json"),
        ("/api/v1/store/abcdef", "application/json"),
        ("/api/v1/health", "application/json"),
        ("/api/v1/settings", "application/json"),
        ("/api/v1/token", "application/json"),
        ("/api/v1/actions", "application/json"),
        ("/metrics", "application/openmetrics-text; version=1.0.0"),
    ] {
        let (head, body) = server.get(path);
        assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
        assert!(head.contains(&format!("content-type: {kind}")), "{path}: {head}");
        assert!(head.contains("content-security-policy: default-src 'none'"), "{path}: {head}");
        assert!(head.contains("frame-ancestors 'none'") && head.contains("nosniff"), "{path}: {head}");
        assert!(!body.is_empty(), "{path}");
    }
}

#[test]
fn json_and_metrics_show_the_same_figures() {
    let server = Server::start();
    *server.reports.0.lock().unwrap() = 41;
    let stats: serde_json::Value = serde_json::from_str(&server.get("/api/v1/stats?records=2").1).unwrap();
    assert_eq!(stats["services"][0]["hits"], 41);
    assert_eq!(stats["records"].as_array().unwrap().len(), 2);
    let metrics = server.get("/metrics").1;
    let sample = "larder_requests_total{service=\"compile\",outcome=\"hit\",reason=\"direct_hit\"} 41";
    assert!(metrics.contains(sample), "{metrics}");
    let status: serde_json::Value = serde_json::from_str(&server.get("/api/v1/status").1).unwrap();
    assert_eq!((&status["pid"], &status["version"]), (&7.into(), &"1.2.3".into()));
}

#[test]
fn what_is_not_for_this_page_is_refused_by_name() {
    let server = Server::start();
    let status = |head: &str| server.ask(head).0.split(' ').nth(1).unwrap().to_owned();
    let own = "Host: 127.0.0.1:PORT\r\n";
    for (head, expected) in [
        (format!("GET / HTTP/1.1\r\n{own}\r\n"), "200"),
        (format!("HEAD / HTTP/1.1\r\n{own}\r\n"), "200"),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), "421"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "421"),
        (format!("GET / HTTP/1.1\r\n{own}Origin: http://evil.example\r\n\r\n"), "403"),
        (format!("GET / HTTP/1.1\r\n{own}Sec-Fetch-Site: cross-site\r\n\r\n"), "403"),
        (format!("POST / HTTP/1.1\r\n{own}Content-Length: 0\r\n\r\n"), "405"),
        (format!("GET /etc/passwd HTTP/1.1\r\n{own}\r\n"), "404"),
        (format!("GET /api/v1/stats?records=-1 HTTP/1.1\r\n{own}\r\n"), "400"),
        (format!("GET /api/v1/stats?%ff=%zz HTTP/1.1\r\n{own}\r\n"), "400"),
        (format!("GET / HTTP/1.1\r\n{own}X: {}\r\n\r\n", "x".repeat(64 * 1024)), "431"),
    ] {
        assert_eq!(status(&head), expected, "{}", &head[..head.len().min(200)]);
    }
}

#[test]
fn an_action_is_carried_out_with_the_token_only() {
    let server = Server::start();
    let act = |action: &str, headers: &str| {
        server.ask(&format!(
            "POST /api/v1/actions/{action} HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 0\r\n{headers}\r\n"
        ))
    };
    let own = "Origin: http://127.0.0.1:PORT\r\nX-Larder-Token: secret\r\n";
    let (head, body) = act("clear?preview=true", own);
    assert!(head.starts_with("http/1.1 200") && body.contains("\"blobs\":5"), "{head} {body}");
    assert!(act("clear?preview=tru", own).0.starts_with("http/1.1 400"));
    let (head, body) = act("clear?service=compile&preview=true", own);
    assert!(head.starts_with("http/1.1 200"), "{head} {body}");
    assert!(body.contains("\"blobs\":3") && body.contains("\"records_unowned\":2"), "{body}");
    for wrong in ["clear?service=", "clear?services=compile", "stop?service=compile"] {
        assert!(act(wrong, own).0.starts_with("http/1.1 400"), "{wrong}");
    }
    let (head, body) = act("clear?service=other", own);
    assert!(head.starts_with("http/1.1 503") && body.contains("none of that name"), "{head} {body}");
    assert!(server.get("/api/v1/actions").1.contains("\"services\":[\"compile\"]"));
    assert!(act("explode", own).0.starts_with("http/1.1 404"));
    assert!(act("pause", "Origin: http://127.0.0.1:PORT\r\n").0.starts_with("http/1.1 403"));
    assert_eq!(*server.reports.0.lock().unwrap(), 1, "it was not paused");
    assert!(act("pause", own).0.starts_with("http/1.1 200"));
    assert_eq!(*server.reports.0.lock().unwrap(), 1000);
    assert!(server.get("/api/v1/actions/pause").0.starts_with("http/1.1 405"));
}

#[test]
fn events_come_when_something_is_counted_and_end_with_the_server() {
    let server = Server::start();
    let stream = server.send("GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n\r\n");
    let mut lines = BufReader::new(stream).lines();
    let mut next = || {
        let data = lines.find_map(|line| Some(line.ok()?.strip_prefix("data: ")?.to_owned()));
        data.map(|data| serde_json::from_str::<serde_json::Value>(&data).unwrap())
    };
    assert_eq!(next().unwrap()["stats"]["services"][0]["hits"], 1);
    *server.reports.0.lock().unwrap() = 2;
    assert_eq!(next().unwrap()["stats"]["services"][0]["hits"], 2);
    server.stop.notify_one();
    while next().is_some() {}
    assert!(server.runtime.block_on(server.served).unwrap().is_ok());
}

#[test]
fn nothing_but_the_loopback_is_served() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let served = runtime.block_on(async {
        // Bound and not listened on: serving it must fail before the first connection.
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.unwrap();
        let reports = Arc::new(Counted(Mutex::new(0)));
        larder_dashboard::serve(listener, reports.clone(), reports, Rules::default(), std::future::pending())
            .await
    });
    assert!(served.unwrap_err().to_string().contains("loopback"));
}
