//! The cache manifests: which folders are larder's, and which daemon uses them.
//!
//! One manifest of the second format for each entry of the registration, in the folder that holds its roots and in
//! the central registry; and one of the first format, which alone can name the current daemon and is all that the
//! stock tools read.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use larder_proto::{LARDER_VERSION, SERVICE_NAME};
use larder_servicedef::{ManifestEntry, Manifests as Registered, RootKind};
use running_process::broker::backend_handle::DaemonProcess;
use running_process::broker::protocol::{CacheManifest as FirstManifest, StorageDisposition};
use running_process::broker::{builders, manifest, protocol, protocol_v2};

/// What this daemon publishes about its folders.
pub(crate) struct Manifests {
    registered: Registered,
    cache: PathBuf,
    instance: String,
    daemon: DaemonProcess,
}

impl Manifests {
    /// The manifests of the daemon `daemon`, whose cache folder is `cache`, under the broker instance `instance`.
    ///
    /// # Errors
    /// When the shipped registration is broken.
    pub(crate) fn new(cache: PathBuf, instance: String, daemon: DaemonProcess) -> anyhow::Result<Self> {
        let registered = larder_servicedef::registration()
            .context("failed to read larder's own registration data")?
            .manifests;
        Ok(Self { registered, cache, instance, daemon })
    }

    /// Publishes all manifests with this daemon as the current one; called again, it is the heartbeat.
    ///
    /// # Errors
    /// When a folder is not writable, or its path is not UTF-8.
    pub(crate) fn publish(&self) -> anyhow::Result<()> {
        self.write(true)
    }

    /// Publishes them without a current daemon, unless another daemon is named by now. They stay: the folders do, and
    /// the stock tools clean up by them.
    ///
    /// # Errors
    /// As [`Self::publish`].
    pub(crate) fn withdraw(&self) -> anyhow::Result<()> {
        let registry = manifest::central_registry_dir();
        let path = manifest::central_manifest_path(&registry, SERVICE_NAME, LARDER_VERSION)?;
        let named = manifest::read_manifest(&path).ok().and_then(|manifest| manifest.current_daemon);
        match named {
            Some(named) if named.pid == self.daemon.pid => self.write(false),
            _ => Ok(()),
        }
    }

    fn write(&self, live: bool) -> anyhow::Result<()> {
        for entry in &self.registered.service {
            self.write_second(entry).with_context(|| format!("failed to publish the manifest of {}", entry.name))?;
        }
        let first = self.first(live)?;
        manifest::write_to_central(SERVICE_NAME, LARDER_VERSION, &first)
            .context("failed to publish the manifest for the stock tools")?;
        Ok(())
    }

    fn write_second(&self, entry: &ManifestEntry) -> anyhow::Result<()> {
        let mut builder = protocol_v2::CacheManifestBuilder::new(&entry.name, LARDER_VERSION)
            .broker_instance(&self.instance)
            .bundle_id(&self.registered.bundle_id);
        for root in &entry.roots {
            builder = builder.root(second_kind(root.kind), self.path_of(&root.folder)?);
        }
        let mut manifest = builder.build();
        manifest.created_at_unix_ms = self.daemon.started_at_unix_ms;
        protocol_v2::write_to_root_v2(&self.cache.join(common_folder(entry)), &manifest)?;
        protocol_v2::write_to_central_v2(&entry.name, LARDER_VERSION, &manifest)?;
        Ok(())
    }

    fn first(&self, live: bool) -> anyhow::Result<FirstManifest> {
        let mut builder = builders::CacheManifestBuilder::new(SERVICE_NAME, LARDER_VERSION)
            .broker_instance(&self.instance)
            .bundle_id(&self.registered.bundle_id);
        let roots = || self.registered.service.iter().flat_map(|entry| &entry.roots);
        for root in roots() {
            builder = builder.root(first_kind(root.kind), self.path_of(&root.folder)?);
        }
        let mut manifest = builder.build()?;
        manifest.created_at_unix_ms = self.daemon.started_at_unix_ms;
        for (published, root) in manifest.roots.iter_mut().zip(roots()) {
            published.disposition = disposition(root.kind, live) as i32;
        }
        manifest.current_daemon = live.then(|| self.daemon.to_proto());
        Ok(manifest)
    }

    fn path_of(&self, folder: &str) -> anyhow::Result<String> {
        let path = self.cache.join(folder);
        let text = path.to_str().with_context(|| format!("failed to name {}: it is not UTF-8", path.display()))?;
        Ok(text.to_owned())
    }
}

/// The deepest folder that holds all roots of `entry`, relative to the cache folder. Two entries never share it.
fn common_folder(entry: &ManifestEntry) -> &Path {
    let mut roots = entry.roots.iter().map(|root| Path::new(&root.folder));
    let Some(mut common) = roots.next() else { return Path::new("") };
    for root in roots {
        while !root.starts_with(common) {
            common = common.parent().unwrap_or(Path::new(""));
        }
    }
    common
}

/// The stock tools prune and uninstall without asking whether a daemon lives: while one does, nothing is theirs.
fn disposition(kind: RootKind, live: bool) -> StorageDisposition {
    match kind {
        _ if live => StorageDisposition::NeverPrune,
        RootKind::Data | RootKind::Index | RootKind::Tmp => StorageDisposition::PruneWhenDormant,
        RootKind::Logs | RootKind::Locks => StorageDisposition::PruneOnUninstall,
    }
}

fn first_kind(kind: RootKind) -> protocol::CacheRootKind {
    match kind {
        RootKind::Data => protocol::CacheRootKind::CacheData,
        RootKind::Index => protocol::CacheRootKind::CacheIndex,
        RootKind::Logs => protocol::CacheRootKind::CacheLogs,
        RootKind::Locks => protocol::CacheRootKind::CacheLocks,
        RootKind::Tmp => protocol::CacheRootKind::CacheTmp,
    }
}

fn second_kind(kind: RootKind) -> protocol_v2::CacheRootKind {
    match kind {
        RootKind::Data => protocol_v2::CacheRootKind::CacheData,
        RootKind::Index => protocol_v2::CacheRootKind::CacheIndex,
        RootKind::Logs => protocol_v2::CacheRootKind::CacheLogs,
        RootKind::Locks => protocol_v2::CacheRootKind::CacheLocks,
        RootKind::Tmp => protocol_v2::CacheRootKind::CacheTmp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use running_process::broker::protocol::Endpoint;
    use std::collections::HashSet;

    fn manifests() -> Manifests {
        let endpoint = Endpoint { namespace_id: "shared".to_owned(), path: "/run/s".to_owned() };
        let daemon = crate::identity::own(&endpoint, None).expect("this test's own identity");
        Manifests::new("/cache/larder".into(), "shared".to_owned(), daemon).expect("shipped data")
    }

    #[test]
    fn each_manifest_lies_in_a_folder_of_its_own() {
        let manifests = manifests();
        let folders: Vec<_> = manifests.registered.service.iter().map(common_folder).collect();
        assert_eq!(folders.iter().collect::<HashSet<_>>().len(), folders.len(), "{folders:?}");
        assert!(folders.contains(&Path::new("v1")), "{folders:?}");
    }

    #[test]
    fn while_the_daemon_lives_it_is_named_and_no_folder_can_be_pruned() {
        let live = manifests().first(true).expect("buildable");
        assert_eq!(live.current_daemon.as_ref().map(|daemon| daemon.pid), Some(std::process::id()));
        assert!(live.roots.iter().all(|root| root.disposition == StorageDisposition::NeverPrune as i32));
        let ended = manifests().first(false).expect("buildable");
        assert_eq!(ended.current_daemon, None);
        assert!(ended.roots.iter().all(|root| root.disposition != StorageDisposition::NeverPrune as i32));
        assert!(ended.roots.iter().any(|root| root.path == "/cache/larder/v1/blobs"));
    }
}
