//! `larder clear`: removes what is cached. It waits for the store, which control requests otherwise never do.

use std::sync::Arc;

use larder_proto::v1::{ClearRequest, control_reply};
use larder_service::Reason;

use crate::control::{self, failure};
use crate::services::Loaded;

/// Carries it out, on a thread that may block.
pub(crate) async fn answer(asked: &ClearRequest, loaded: Option<Arc<Loaded>>) -> Vec<u8> {
    control::reply(match loaded {
        Some(loaded) => clear(asked, loaded).await,
        None => failure(Reason::StartingUp, Reason::StartingUp.sentence()),
    })
}

async fn clear(asked: &ClearRequest, loaded: Arc<Loaded>) -> control_reply::Reply {
    let names: Vec<_> = loaded.services.iter().map(|service| service.name()).collect();
    if !asked.service.is_empty() && !names.contains(&asked.service.as_str()) {
        let known = names.join(", ");
        return failure(
            Reason::RequestMalformed,
            &format!("there is no service {:?}\nhint: there are {known}", asked.service),
        );
    }
    // The store does not tell whose a record is: of several services none may lose what is another's.
    if !asked.service.is_empty() && names.len() > 1 {
        return failure(
            Reason::RequestMalformed,
            "the services share one store, which can only be cleared as a whole\nhint: larder clear",
        );
    }
    let dry_run = asked.dry_run;
    let cleared =
        tokio::task::spawn_blocking(move || loaded.store.as_ref().map(|store| store.clear(dry_run)));
    match cleared.await {
        Ok(Some(Ok(cleared))) => control_reply::Reply::Cleared(cleared),
        Ok(Some(Err(error))) => {
            failure(Reason::StoreFailed, &format!("failed to clear the store: {error:#}"))
        }
        Ok(None) => failure(Reason::StoreFailed, Reason::StoreFailed.sentence()),
        Err(_) => failure(Reason::InternalError, Reason::InternalError.sentence()),
    }
}
