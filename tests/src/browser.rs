//! Headless Chromium, driven over the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>).

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
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

    /// What a function's body returns in the page.
    ///
    /// # Panics
    /// When it throws.
    pub fn script(&self, body: &str) -> Value {
        self.command("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Has what follows be about the page's first frame, whatever site that is of.
    ///
    /// # Panics
    /// When there is none.
    pub fn enter_frame(&self) {
        self.command("frame", &json!({ "id": 0 }));
    }

    /// Turns from whatever frame it is in to the page around it.
    pub fn leave_frames(&self) {
        self.command("frame", &json!({ "id": null }));
    }

    /// The text that a person sees.
    #[must_use]
    pub fn text(&self) -> String {
        self.script("return document.body ? document.body.innerText : ''")
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Presses keys, as a person without a mouse does; special ones have code points of WebDriver's, such as Tab's
    /// `\u{e004}`.
    pub fn press(&self, keys: &str) {
        let keys = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let keys: Vec<Value> = keys.collect();
        let actions = json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": keys }] });
        self.command("actions", &actions);
    }

    /// Size of the page as the browser lays it out, CSS pixels; narrower than any window can be.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Has pages be light or dark.
    pub fn prefer(&self, scheme: &str) {
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// A picture of the window, as PNG.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn picture(&self) -> Vec<u8> {
        let picture = self.ask("GET", &format!("/session/{}/screenshot", self.session), None);
        BASE64_STANDARD.decode(picture.as_str().expect("base64")).expect("base64")
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.command("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }));
    }

    fn command(&self, name: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}/{name}", self.session), Some(body))
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
