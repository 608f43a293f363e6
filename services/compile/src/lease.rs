//! Leases: who is running the tool for which base key, and who waits for that.
//!
//! A lease ends in exactly one of two ways: it is taken, by the publish or abandon that ends it, or it is lost with its
//! connection. While it, or the publish that took it, lives, others with the same base key may wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use larder_service::{ConnectionId, Key};
use tokio::sync::watch;

/// What those who wait are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The tool still runs, or nobody will say how it ended: look again.
    Unknown,
    /// There is a result.
    Stored,
    /// There is none, and asking again would give none: run the tool at once.
    NotStored,
}

/// All leases.
#[derive(Debug)]
pub(crate) struct Leases<P>(Arc<Mutex<Table<P>>>);

#[derive(Debug)]
struct Table<P> {
    next: u64,
    /// Given out and neither taken nor lost.
    open: HashMap<u64, Open<P>>,
    /// Running actions, and where to wait for each.
    running: HashMap<Key, Running>,
}

#[derive(Debug)]
struct Open<P> {
    connection: ConnectionId,
    plan: P,
    hold: Hold<P>,
}

#[derive(Debug)]
struct Running {
    lease: u64,
    connection: ConnectionId,
    ending: watch::Receiver<Ending>,
}

/// Keeps others waiting until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold<P> {
    base: Key,
    lease: u64,
    ending: watch::Sender<Ending>,
    table: Weak<Mutex<Table<P>>>,
}

/// Whether the caller may run the tool.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Nobody else is running it.
    Yours,
    /// Somebody is: wait, then look again.
    Wait(watch::Receiver<Ending>),
}

impl<P> Default for Leases<P> {
    fn default() -> Self {
        let table = Table { next: 1, open: HashMap::new(), running: HashMap::new() };
        Self(Arc::new(Mutex::new(table)))
    }
}

impl<P> Leases<P> {
    /// Whose turn it is for `base`. A connection never waits for itself: what it left unfinished is given up.
    pub(crate) fn turn(&self, base: &Key, connection: ConnectionId) -> Turn {
        match lock(&self.0).running.get(base) {
            Some(running) if running.connection != connection => Turn::Wait(running.ending.clone()),
            _ => Turn::Yours,
        }
    }

    /// Gives a lease. `plan` is told the lease's number.
    ///
    /// When another took the turn meanwhile and `alone` is not set, nothing is given and the wait is told.
    pub(crate) fn give(
        &self,
        base: Key,
        connection: ConnectionId,
        alone: bool,
        plan: impl FnOnce(u64) -> P,
    ) -> Result<u64, watch::Receiver<Ending>> {
        let mut table = lock(&self.0);
        if let Some(running) = table.running.get(&base)
            && running.connection != connection
            && !alone
        {
            return Err(running.ending.clone());
        }
        let lease = table.next;
        table.next += 1;
        let (ending, receiver) = watch::channel(Ending::Unknown);
        table.running.insert(base, Running { lease, connection, ending: receiver });
        let hold = Hold { base, lease, ending, table: Arc::downgrade(&self.0) };
        table.open.insert(lease, Open { connection, plan: plan(lease), hold });
        Ok(lease)
    }

    /// Ends the lease by its own connection's word.
    pub(crate) fn take(&self, lease: u64, connection: ConnectionId) -> Option<(P, Hold<P>)> {
        let mut table = lock(&self.0);
        if table.open.get(&lease)?.connection != connection {
            return None;
        }
        table.open.remove(&lease).map(|open| (open.plan, open.hold))
    }

    /// Ends all leases of a connection that is gone, or all its leases for one base key.
    pub(crate) fn lose(&self, connection: ConnectionId, base: Option<&Key>) -> Vec<(P, Hold<P>)> {
        let mut table = lock(&self.0);
        let theirs =
            |open: &Open<P>| open.connection == connection && base.is_none_or(|base| open.hold.base == *base);
        let lost: Vec<u64> =
            table.open.iter().filter(|(_, open)| theirs(open)).map(|(lease, _)| *lease).collect();
        lost.iter().filter_map(|lease| table.open.remove(lease)).map(|open| (open.plan, open.hold)).collect()
    }

    /// The connection that others wait for at `base`.
    pub(crate) fn holder(&self, base: &Key) -> Option<ConnectionId> {
        lock(&self.0).running.get(base).map(|running| running.connection)
    }

    /// How many are open.
    pub(crate) fn open(&self) -> usize {
        lock(&self.0).open.len()
    }
}

impl<P> Hold<P> {
    /// Tells those who wait how it ended, and lets them go.
    pub(crate) fn end(self, ending: Ending) {
        self.ending.send_replace(ending);
    }
}

impl<P> Drop for Hold<P> {
    fn drop(&mut self) {
        let Some(table) = self.table.upgrade() else { return };
        let mut table = lock(&table);
        // The turn may have passed on to a lease given later.
        if table.running.get(&self.base).is_some_and(|running| running.lease == self.lease) {
            table.running.remove(&self.base);
        }
        // Dropping the sender wakes those who wait, after the table is as they must find it.
    }
}

fn lock<P>(table: &Mutex<Table<P>>) -> MutexGuard<'_, Table<P>> {
    // Each change of the table is complete before anything in it can panic.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_service::Hasher;

    fn base() -> Key {
        Hasher::key("test").finish_key()
    }

    #[tokio::test]
    async fn the_next_in_line_waits_until_the_result_is_stored() {
        let leases = Leases::<&str>::default();
        let lease = leases.give(base(), 1, false, |_| "plan").unwrap();
        let Turn::Wait(mut waiting) = leases.turn(&base(), 2) else { panic!("the turn was given twice") };
        let (plan, hold) = leases.take(lease, 1).unwrap();
        assert_eq!(plan, "plan");
        assert!(matches!(leases.turn(&base(), 2), Turn::Wait(_)), "the publish is still at work");
        hold.end(Ending::Stored);
        let _ = waiting.changed().await;
        assert_eq!(*waiting.borrow(), Ending::Stored);
        assert!(matches!(leases.turn(&base(), 2), Turn::Yours));
    }

    #[tokio::test]
    async fn a_lost_connection_passes_the_turn_on() {
        let leases = Leases::<()>::default();
        leases.give(base(), 1, false, |_| ()).unwrap();
        let Turn::Wait(mut waiting) = leases.turn(&base(), 2) else { panic!("the turn was given twice") };
        drop(leases.lose(1, None));
        let _ = waiting.changed().await;
        assert_eq!(*waiting.borrow(), Ending::Unknown);
        assert!(leases.give(base(), 2, false, |_| ()).is_ok());
    }

    #[test]
    fn only_its_own_connection_takes_a_lease_and_only_once() {
        let leases = Leases::<()>::default();
        let lease = leases.give(base(), 1, false, |_| ()).unwrap();
        assert!(leases.take(lease, 2).is_none());
        assert!(leases.take(lease, 1).is_some());
        assert!(leases.take(lease, 1).is_none());
        assert_eq!(leases.open(), 0);
    }

    #[test]
    fn one_who_runs_alone_does_not_end_the_turn_of_another() {
        let leases = Leases::<()>::default();
        let first = leases.give(base(), 1, false, |_| ()).unwrap();
        assert!(leases.give(base(), 2, false, |_| ()).is_err());
        let second = leases.give(base(), 2, true, |_| ()).unwrap();
        drop(leases.take(first, 1));
        assert!(matches!(leases.turn(&base(), 3), Turn::Wait(_)));
        drop(leases.take(second, 2));
        assert!(matches!(leases.turn(&base(), 3), Turn::Yours));
    }
}
