//! One plain HTTP request, as a browser or an attacker would send it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// A reply: status, headers as they came, body.
pub struct HttpReply {
    /// Status code.
    pub status: u16,
    /// Header lines.
    pub head: String,
    /// Body, decoded when it came in chunks.
    pub body: String,
}

/// `GET` of a page's address such as `http://127.0.0.1:4000/health`.
///
/// # Panics
/// When nobody answers.
#[must_use]
pub fn http_get(url: &str) -> HttpReply {
    let rest = url.strip_prefix("http://").expect("a plain address");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    http_request(host, &format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// Sends `text` to `host` (`address:port`) and reads as much as the reply says it has, or until the peer closes.
///
/// # Panics
/// When the peer cannot be reached or answers with something that is not HTTP.
#[must_use]
pub fn http_request(host: &str, text: &str) -> HttpReply {
    let mut stream = TcpStream::connect(host).expect("somebody listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    stream.write_all(text.as_bytes()).expect("the request is taken");
    let mut bytes = Vec::new();
    let mut chunk = [0; 64 * 1024];
    while !is_whole(&bytes) {
        match stream.read(&mut chunk).expect("a reply that ends") {
            0 => break,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { join_chunks(body) } else { body.to_owned() };
    HttpReply { status, head: head.to_owned(), body }
}

/// Whether all of the length that a reply's head tells is there.
fn is_whole(reply: &[u8]) -> bool {
    let Some(end) = reply.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&reply[..end]).to_ascii_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| reply.len() >= end + 4 + length)
}

fn join_chunks(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        if size == 0 || size > after.len() {
            break;
        }
        body.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    body
}
