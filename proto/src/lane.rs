//! Lane ids: which service a frame is for.
//!
//! running-process leaves payload-protocol ids 0xF000 to 0xFFFF to private use. larder's start at 0xF1A0, in
//! steps of one; an id is never given to another lane.

/// A service's place on the shared endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u32);

/// Ping, status, statistics, shutdown.
pub const CONTROL: Lane = Lane(0xF1A0);
/// Compiler calls.
pub const COMPILE: Lane = Lane(0xF1A1);
/// Go's build cache.
pub const GO: Lane = Lane(0xF1A2);
/// Whether a work has to be done again.
pub const FINGERPRINT: Lane = Lane(0xF1A3);
/// Results under keys of the caller's.
pub const ARTIFACT: Lane = Lane(0xF1A4);
/// Sessions: requests of one build.
pub const SESSION: Lane = Lane(0xF1A5);
/// What the daemon tells its broker: the port of its page, as a `BackendHttpReady`.
pub const HTTP_READY: Lane = Lane(0xF1A8);
/// What anyone of the same user may ask the broker: where its own page is, as a `GetBrokerHttpEndpointRequest`.
pub const BROKER_PAGE: Lane = Lane(0xF1A9);

/// The lanes a daemon serves to clients.
pub const SERVED: [Lane; 6] = [CONTROL, COMPILE, GO, FINGERPRINT, ARTIFACT, SESSION];
