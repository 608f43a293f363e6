//! Whether a backend's own page answers.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long a page may take: somebody is waiting for the list.
const PATIENCE: Duration = Duration::from_millis(800);

/// Longest path that is asked for, bytes.
const PATH_LIMIT: usize = 256;

/// Bytes of an answer that matter: `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// Whether the page on `port` of the loopback answers `path` with 200.
pub(super) async fn is_up(port: u16, path: &str) -> bool {
    if !is_path(path) {
        return false;
    }
    matches!(timeout(PATIENCE, ask(port, path)).await, Ok(Ok(true)))
}

/// A path comes from a definition, which another program may have written.
fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= PATH_LIMIT && path.bytes().all(|byte| byte.is_ascii_graphic())
}

async fn ask(port: u16, path: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; STATUS_BYTES];
    stream.read_exact(&mut status).await?;
    Ok(is_ok(&status))
}

fn is_ok(status: &[u8; STATUS_BYTES]) -> bool {
    status.starts_with(b"HTTP/1.") && status.ends_with(b" 200")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn answers(reply: &'static [u8]) -> bool {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let page = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("asked");
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.expect("a request");
            stream.write_all(reply).await.expect("taken");
            String::from_utf8_lossy(&request[..length]).into_owned()
        });
        let up = is_up(port, "/health").await;
        let request = page.await.expect("no panic");
        assert!(request.starts_with("GET /health HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("Host: 127.0.0.1:{port}\r\n")), "{request}");
        up
    }

    #[tokio::test]
    async fn only_a_200_is_up() {
        assert!(answers(b"HTTP/1.1 200 OK\r\n\r\n").await);
        assert!(!answers(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await);
        assert!(!answers(b"SSH-2.0-OpenSSH_9.9\r\n").await);
        assert!(!answers(b"").await);
    }

    #[test]
    fn a_path_cannot_smuggle_a_header() {
        assert!(is_path("/health"));
        for bad in ["health", "", "/a b", "/a\r\nX: y", "/\u{e9}", &format!("/{}", "a".repeat(PATH_LIMIT))] {
            assert!(!is_path(bad), "{bad:?}");
        }
    }
}
