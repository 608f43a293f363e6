//! The processes behind the connections, as far as others wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use larder_service::{Connection, ConnectionId};

/// Process ids of clients that have looked something up.
#[derive(Default)]
pub(crate) struct Peers(Mutex<HashMap<ConnectionId, u32>>);

impl Peers {
    pub(crate) fn note(&self, connection: &Connection) {
        self.lock().insert(connection.id, connection.peer_pid);
    }

    pub(crate) fn forget(&self, connection: ConnectionId) {
        self.lock().remove(&connection);
    }

    /// Whether the client is stopped, as by Ctrl-Z: who waits for it would wait until a person comes back.
    pub(crate) fn is_stopped(&self, connection: ConnectionId) -> bool {
        let pid = self.lock().get(&connection).copied();
        pid.is_some_and(is_stopped)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where that cannot be told, nobody is taken for stopped, and the wait is only bounded.
fn is_stopped(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The state follows the name, which is in brackets and may hold any byte.
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['T', 't']))
}
