//! From a frame's lane to the service that answers it.

use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use larder_proto::lane::{self, Lane};
use larder_proto::v1::control_request::Request;
use larder_service::{Board, Clock, Connection, ConnectionId, Reason, Reports};
use tokio::sync::watch;

use crate::actions::Paused;
use crate::clear;
use crate::control::{self, Control};
use crate::journal::Journals;
use crate::lifecycle::Lifecycle;
use crate::report;
use crate::services::Loaded;
use crate::sessions::Desk;
use crate::stand_in;
use crate::traffic::AllTraffic;

/// How long a request waits for the services to be loaded. A client that is told to go on alone has lost no more.
const READINESS_WAIT: Duration = Duration::from_millis(250);

/// The lanes of this daemon. Control answers at once; the others once the services are loaded.
pub(crate) struct Lanes {
    pub(crate) control: Control,
    pub(crate) reports: Arc<dyn Reports>,
    pub(crate) loaded: watch::Receiver<Option<Arc<Loaded>>>,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) journals: Arc<Journals>,
    pub(crate) traffic: Arc<AllTraffic>,
    pub(crate) paused: Arc<Paused>,
}

impl Lanes {
    /// Answers one request.
    pub(crate) async fn call(
        &self,
        connection: &Connection,
        lane: Lane,
        request: &[u8],
        descriptors: Vec<OwnedFd>,
    ) -> Vec<u8> {
        if lane == lane::CONTROL {
            return match control::slow(request) {
                Some(Request::Clear(asked)) => clear::answer(&asked, self.ready().await).await,
                Some(Request::Report(asked)) => report::answer(asked, Arc::clone(&self.reports)).await,
                _ => self.control.answer(request),
            };
        }
        if lane == lane::SESSION {
            let desk = Desk { board: &self.board, clock: &*self.clock, journals: &self.journals };
            return desk.answer(request, descriptors).await;
        }
        let _in_flight = self.traffic.of(lane).map(|traffic| traffic.begin(&*self.clock));
        if self.paused.is() {
            return self.stand_aside(lane, request, Reason::Paused);
        }
        if self.lifecycle.is_draining() {
            return self.stand_aside(lane, request, Reason::Draining);
        }
        let Some(loaded) = self.ready().await else {
            return self.stand_aside(lane, request, Reason::StartingUp);
        };
        match loaded.services.iter().find(|service| service.lane() == lane) {
            Some(service) => service.call(connection, request).await,
            None => stand_in::failure(lane, Reason::InternalError),
        }
    }

    /// The reply to a request whose service panicked, which is counted as larder's own failure.
    pub(crate) fn panicked(&self, lane: Lane) -> Vec<u8> {
        self.count(lane, &[], Reason::InternalError);
        stand_in::failure(lane, Reason::InternalError)
    }

    /// Tells every service that a connection has ended.
    pub(crate) fn closed(&self, connection: ConnectionId) {
        let Some(loaded) = self.loaded.borrow().clone() else { return };
        for service in &loaded.services {
            // One service's panic must not keep the others from giving up what the connection held.
            if catch_unwind(AssertUnwindSafe(|| service.closed(connection))).is_err() {
                self.count(service.lane(), &[], Reason::InternalError);
            }
        }
    }

    async fn ready(&self) -> Option<Arc<Loaded>> {
        let mut loaded = self.loaded.clone();
        let ready = tokio::time::timeout(READINESS_WAIT, loaded.wait_for(Option::is_some)).await;
        ready.ok()?.ok()?.clone()
    }

    fn stand_aside(&self, lane: Lane, request: &[u8], reason: Reason) -> Vec<u8> {
        self.count(lane, request, reason);
        stand_in::stand_aside(lane, request, reason)
    }

    fn count(&self, lane: Lane, request: &[u8], reason: Reason) {
        if let Some(service) = stand_in::name_of(lane) {
            let record = stand_in::described(lane, request, self.clock.unix_ms());
            self.board.record(service, reason, record);
        }
    }
}
