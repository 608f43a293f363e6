//! The composition root: every service is put together here.

use std::sync::Arc;

use std::path::PathBuf;
use std::os::unix::fs::MetadataExt as _;
use larder_service::{Context, Reason, Service};
use larder_glue::folders::Folders;
use crate::settings::Settings;
use crate::stand_in::StandIn;

use crate::upkeep::Keeper;

/// The services, and the store that they share.
pub(crate) struct Loaded {
    pub(crate) services: Vec<Arc<dyn Service>>,
    /// `None` while there is none to be had.
    pub(crate) store: Option<Arc<dyn Keeper>>,
}

pub(crate) fn stand_in(context: Context) -> Loaded {
    let stand_in = StandIn { reason: Reason::StoreFailed, context };
    Loaded { services: vec![Arc::new(stand_in)], store: None }
}
pub(crate) fn load(_: &Folders, _: &Settings, context: Context) -> anyhow::Result<Loaded> {
    Ok(stand_in(context))
}
/// Folder for files that clients and services exchange while a request runs.
pub(crate) fn tmp(folders: &Folders) -> PathBuf {
    folders.store().join("tmp")
}

/// What of the file system this process sees: inode of its mount namespace, device and inode of its root folder.
pub(crate) fn filesystem_view() -> (u64, u64, u64) {
    let namespace = std::fs::metadata("/proc/self/ns/mnt").map_or(0, |namespace| namespace.ino());
    let (device, root) = std::fs::metadata("/").map_or((0, 0), |root| (root.dev(), root.ino()));
    (namespace, device, root)
}
