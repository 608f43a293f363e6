//! The composition root: every service is put together here.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use larder_compile::Compile;
use larder_fingerprint::Fingerprints;
use larder_glue::folders::Folders;
use larder_glue::private;
use larder_proto::v1::StoreStatus;
use larder_service::{Context, Reason, Service};
use larder_store::{Store, StoreConfig};

use crate::settings::Settings;
use crate::stand_in::StandIn;
use crate::upkeep::Keeper;

/// The services, and the store that they share.
pub(crate) struct Loaded {
    pub(crate) services: Vec<Arc<dyn Service>>,
    /// `None` while there is none to be had.
    pub(crate) store: Option<Arc<dyn Keeper>>,
}
