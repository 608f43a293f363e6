//! The contract.

use larder_proto::lane::Lane;
use larder_proto::v1::Figure;

use crate::BoxFuture;

/// Identifies one client connection for as long as the daemon lives.
pub type ConnectionId = u64;

/// The peer of a request.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Unique among all connections this daemon has had.
    pub id: ConnectionId,
    /// Process id of the peer as the kernel reports it.
    pub peer_pid: u32,
}

/// One service of the daemon.
pub trait Service: Send + Sync + 'static {
    /// Its name in statistics, journal, metrics and page.
    fn name(&self) -> &'static str;

    /// The lane its requests come on.
    fn lane(&self) -> Lane;

    /// Answers one request: the bytes of the reply message. Bad input gets a typed failure reply, never a panic.
    /// The future is dropped when the connection ends.
    fn call<'a>(&'a self, connection: &'a Connection, request: &'a [u8]) -> BoxFuture<'a, Vec<u8>>;

    /// The connection has ended: its leases and pins end with it.
    fn closed(&self, connection: ConnectionId);

    /// Promises to publish that are open; none where a service gives none.
    fn leases(&self) -> u64 {
        0
    }

    /// Figures that only this service has, for its report.
    fn figures(&self) -> Vec<Figure>;
}
