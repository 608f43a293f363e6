//! What operators' tools ask: status, health of a backend, an end.

use std::sync::atomic::Ordering;
use std::time::Instant;

use prost::Message as _;
use running_process::broker::protocol::{AdminRequest, AdminVerb, Frame};
use running_process::broker::server::admin::handle_admin_frame;
use running_process::broker::server::{AdminFrameError, AdminSnapshot, BackendKey, BrokerInstanceKey};

use crate::broker::Broker;

/// Answers an admin frame; the second value says whether it asks the broker to end.
///
/// # Errors
/// When it is no admin request.
pub(crate) fn answer(broker: &Broker, request: Frame) -> Result<(Frame, bool), AdminFrameError> {
    let verb = AdminRequest::decode(request.payload.as_slice()).ok().map(|request| request.verb);
    let reply = handle_admin_frame(request, &snapshot(broker))?;
    Ok((reply, verb == Some(AdminVerb::Shutdown as i32)))
}

fn snapshot(broker: &Broker) -> AdminSnapshot {
    let now = Instant::now();
    let keys: Vec<BackendKey> = broker.backends().iter().map(|(key, _)| key.clone()).collect();
    let mut spawns = broker.spawns();
    let budgets: Vec<_> = keys.into_iter().map(|key| spawns.snapshot(key, now)).collect();
    drop(spawns);
    AdminSnapshot::from_registry(
        BrokerInstanceKey::Shared.id(),
        broker.started.elapsed(),
        true,
        broker.open.load(Ordering::Relaxed),
        &broker.backends(),
        &budgets,
    )
}
