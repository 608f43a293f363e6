//! `larder clear`: removes what is cached, of all services or of one. It waits for the store, which control requests
//! otherwise never do.

use std::sync::Arc;

use larder_proto::v1::{ClearRequest, Cleared, Failure, control_reply};
use larder_service::Reason;
use larder_store::Owner;

use crate::control;
use crate::services::Loaded;
use crate::upkeep::Keeper;

/// Carries it out, on a thread that may block.
pub(crate) async fn answer(asked: &ClearRequest, loaded: Option<Arc<Loaded>>) -> Vec<u8> {
    control::reply(match loaded {
        Some(loaded) => aside(asked, loaded).await,
        None => control_reply::Reply::Failure(failure(Reason::StartingUp, Reason::StartingUp.sentence())),
    })
}

async fn aside(asked: &ClearRequest, loaded: Arc<Loaded>) -> control_reply::Reply {
    let (service, dry_run) = (asked.service.clone(), asked.dry_run);
    let cleared = tokio::task::spawn_blocking(move || {
        loaded.store.as_ref().map(|store| clear(&**store, &service, dry_run))
    });
    control_reply::Reply::Failure(match cleared.await {
        Ok(Some(Ok(cleared))) => return control_reply::Reply::Cleared(cleared),
        Ok(Some(Err(failure))) => failure,
        Ok(None) => failure(Reason::StoreFailed, Reason::StoreFailed.sentence()),
        Err(_) => failure(Reason::InternalError, Reason::InternalError.sentence()),
    })
}

/// Removes from `store` what is of `service`, or everything where that is empty; with `dry_run`, only counts it. May
/// block on the disk.
pub(crate) fn clear(store: &dyn Keeper, service: &str, dry_run: bool) -> Result<Cleared, Failure> {
    let owners = store.owners();
    let owner = owners.iter().find(|owner| owner.name() == service);
    if owner.is_none() && !service.is_empty() {
        let names: Vec<_> = owners.iter().map(Owner::name).collect();
        return Err(failure(
            Reason::RequestMalformed,
            &format!("no service {service:?} keeps results\nhint: these do: {}", names.join(", ")),
        ));
    }
    store
        .clear(owner.copied(), dry_run)
        .map_err(|error| failure(Reason::StoreFailed, &format!("failed to clear the store: {error:#}")))
}

fn failure(reason: Reason, sentence: &str) -> Failure {
    Failure { id: reason.id().to_owned(), sentence: sentence.to_owned() }
}
