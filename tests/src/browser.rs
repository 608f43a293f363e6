//! Headless Chromium, driven over the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::{Sandbox, http_request};

/// A browser in a sandbox; it ends when it is dropped.
pub struct Browser {
    driver: Child,
    /// Kept open: it goes on to speak.
    _said: BufReader<ChildStdout>,
    /// `127.0.0.1:PORT` of the driver.
    host: String,
    session: String,
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(sandbox: &Sandbox) -> Self {
        let mut driver = sandbox
            .command("chromedriver")
            .args(["--port=0", "--allowed-ips=127.0.0.1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts: cargo xtask setup installs it");
        let mut said = BufReader::new(driver.stdout.take().expect("a pipe"));
        let port = said
            .by_ref()
            .lines()
            .map_while(Result::ok)
            .find_map(|line| {
                line.split_once("successfully on port ")?.1.trim_end_matches('.').parse::<u16>().ok()
            })
            .expect("it tells its port");
        let mut browser =
            Self { driver, _said: said, host: format!("127.0.0.1:{port}"), session: String::new() };
        let data = format!("--user-data-dir={}", sandbox.root().join("browser").display());
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,1400",
            &data,
        ];
        // With "none" an address is opened without waiting for a page whose event stream never ends.
        let options = json!({ "args": args });
        let wanted = json!({ "pageLoadStrategy": "none", "goog:chromeOptions": options });
        let session =
            browser.ask("POST", "/session", Some(&json!({ "capabilities": { "alwaysMatch": wanted } })));
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    /// Opens an address.
    pub fn open(&self, page: &str) {
        self.ask("POST", &format!("/session/{}/url", self.session), Some(&json!({ "url": page })));
    }

    /// The page's content as it is now.
    #[must_use]
    pub fn content(&self) -> String {
        let content = self.ask("GET", &format!("/session/{}/source", self.session), None);
        content.as_str().unwrap_or_default().to_owned()
    }

    /// One command, and its value.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let host = &self.host;
        let length = body.len();
        let reply = http_request(
            host,
            &format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ),
        );
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.body);
        let mut reply: Value = serde_json::from_str(&reply.body).expect("an answer in JSON");
        reply["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("/session/{}", self.session), None);
        }
        // What is left of it ends with the sandbox.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
