//! The ports of the backends' own pages, as the backends have told them.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use prost::Message as _;
use running_process::broker::backend_handle::BackendHandle;
use running_process::broker::http_endpoint_registry::{
    BackendHttpReadyError, HttpEndpointRegistry, decode_and_register,
};
use running_process::broker::protocol_v2::BackendHttpReady;

/// The library's registry, which knows no way to forget, and that way.
#[derive(Debug, Default)]
pub(crate) struct Pages(RwLock<HttpEndpointRegistry>);

/// What a backend told is no port.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// No message, or a number that is too large.
    #[error(transparent)]
    Message(#[from] BackendHttpReadyError),
    /// Nobody can listen there.
    #[error("BackendHttpReady.port is 0")]
    Zero,
}

/// Names one process of a backend: another one of the same build is another one's page.
pub(crate) fn id(handle: &BackendHandle) -> String {
    format!("{}@{}#{}", handle.service_name, handle.service_version, handle.daemon_process.pid)
}

impl Pages {
    /// Takes what the backend `id` says in the bytes of a `BackendHttpReady`; returns its port.
    ///
    /// # Errors
    /// When that is no port.
    pub(crate) fn take(&self, id: String, body: &[u8]) -> Result<u16, PageError> {
        if BackendHttpReady::decode(body).is_ok_and(|ready| ready.port == 0) {
            return Err(PageError::Zero);
        }
        Ok(decode_and_register(&self.0.read().unwrap_or_else(PoisonError::into_inner), id, body)?)
    }

    /// The port of the backend `id`, once it has told.
    pub(crate) fn port(&self, id: &str) -> Option<u16> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).lookup(id)
    }

    /// Forgets all but the backends in `live`.
    pub(crate) fn retain(&self, live: &BTreeSet<String>) {
        let mut registry = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let kept = HttpEndpointRegistry::new();
        for (id, port) in registry.snapshot() {
            if let (true, Some(port)) = (live.contains(&id), port) {
                kept.register_backend_http_endpoint(id, port);
            }
        }
        *registry = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ready(port: u32) -> Vec<u8> {
        BackendHttpReady { port }.encode_to_vec()
    }

    #[test]
    fn the_latest_port_counts_until_its_backend_is_gone() {
        let pages = Pages::default();
        assert_eq!(pages.take("a".to_owned(), &ready(4000)).expect("a port"), 4000);
        assert_eq!(pages.take("a".to_owned(), &ready(4001)).expect("a port"), 4001);
        assert_eq!(pages.take("b".to_owned(), &ready(4002)).expect("a port"), 4002);
        pages.retain(&BTreeSet::from(["b".to_owned()]));
        assert_eq!((pages.port("a"), pages.port("b")), (None, Some(4002)));
    }

    #[test]
    fn what_is_no_port_is_refused() {
        let pages = Pages::default();
        for body in [ready(0), Vec::new(), ready(65_536), vec![0xff; 4]] {
            assert!(pages.take("a".to_owned(), &body).is_err(), "{body:?}");
        }
        assert_eq!(pages.port("a"), None);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_nor_name_port_zero(body in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(port) = Pages::default().take("a".to_owned(), &body) {
                prop_assert_ne!(port, 0);
            }
        }
    }
}
