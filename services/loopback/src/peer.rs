//! Whose process is at the other end of a loopback connection: a port, unlike a socket file, is open to every user.

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

/// The kernel's table of connections; one line each.
const TABLE: &str = "/proc/net/tcp";

/// Most bytes of the table that are read: some hundred thousand connections.
const TABLE_LIMIT: u64 = 64 << 20;

/// Whether the socket at `peer`, connected to `own`, was made by this user. In doubt it was not.
pub(super) async fn is_own(peer: SocketAddr, own: SocketAddr) -> bool {
    let (SocketAddr::V4(peer), SocketAddr::V4(own)) = (peer, own) else { return false };
    match tokio::task::spawn_blocking(move || user_of(peer, own)).await {
        Ok(Ok(user)) => user == Some(rustix::process::geteuid().as_raw()),
        Ok(Err(error)) => {
            tracing::warn!("failed to read {TABLE}: {error}");
            false
        }
        Err(_) => false,
    }
}

fn user_of(peer: SocketAddrV4, own: SocketAddrV4) -> io::Result<Option<u32>> {
    let table = BufReader::new(std::fs::File::open(TABLE)?.take(TABLE_LIMIT));
    for line in table.lines() {
        if let Some(row) = Row::parse(&line?)
            && row.local == peer
            && row.remote == own
        {
            return Ok(Some(row.user));
        }
    }
    Ok(None)
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    local: SocketAddrV4,
    remote: SocketAddrV4,
    user: u32,
}

impl Row {
    /// Fields: number, local and remote address, state, queues, timer, retransmits, user, and more.
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let local = address(fields.next()?)?;
        let remote = address(fields.next()?)?;
        let user = fields.nth(4)?.parse().ok()?;
        Some(Self { local, remote, user })
    }
}

/// An address as the kernel prints it: the 32 bits as one number of this machine's, then the port, both hexadecimal.
fn address(text: &str) -> Option<SocketAddrV4> {
    let (ip, port) = text.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?;
    Some(SocketAddrV4::new(Ipv4Addr::from(ip.to_ne_bytes()), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_connection_of_this_process_is_this_users() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let stream = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (SocketAddr::V4(peer), SocketAddr::V4(own)) =
            (stream.local_addr().expect("connected"), listener.local_addr().expect("bound"))
        else {
            panic!("the loopback is IPv4")
        };
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(user_of(peer, own).expect("the table"), Some(user));
        let nobody = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        assert_eq!(user_of(nobody, own).expect("the table"), None);
    }

    #[test]
    fn a_row_is_read_by_its_fields() {
        let ip = format!("{:08X}", u32::from_ne_bytes([127, 0, 0, 1]));
        let row =
            format!("  12: {ip}:A0CE {ip}:0FA0 01 00000000:00000000 00:00000000 00000000  1000        0 5 1");
        let expected = Row {
            local: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0xA0CE),
            remote: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4000),
            user: 1000,
        };
        assert_eq!(Row::parse(&row), Some(expected));
        assert_eq!(
            Row::parse("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"),
            None
        );
    }

    proptest! {
        #[test]
        fn arbitrary_lines_never_panic(line in ".{0,200}") {
            let _ = Row::parse(&line);
        }
    }
}
