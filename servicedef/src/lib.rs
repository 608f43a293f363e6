//! larder's service definition and cache-manifest roots, as data.
//!
//! Owns: `larder.toml` and its typed form. Must never: write files or know running-process; the broker glue turns
//! this into the formats that brokers read.

use std::collections::BTreeMap;

use serde::Deserialize;

const SOURCE: &str = include_str!("../larder.toml");

/// The whole registration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Name and version policy.
    pub service: ServiceEntry,
    /// The page's HTTP capability.
    pub http: HttpEntry,
    /// Free labels that brokers show.
    pub labels: BTreeMap<String, String>,
    /// Cache manifests.
    pub manifests: Manifests,
}

/// Name and version policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceEntry {
    /// Service name, `[a-z0-9-]{1,64}`.
    pub name: String,
    /// What a person reads.
    pub display_name: String,
    /// Oldest version a client may ask for, `N.N.N`.
    pub min_version: String,
}

/// HTTP capability of the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpEntry {
    /// Address the page binds to.
    pub bind_addr: String,
    /// Path that answers 200 while the daemon is well.
    pub health_path: String,
}

/// Cache manifests, one for each service that owns folders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifests {
    /// Ties the manifests of one deployment together.
    pub bundle_id: String,
    /// One entry a manifest.
    pub service: Vec<ManifestEntry>,
}

/// One service's folders.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestEntry {
    /// Name the manifest is published under.
    pub name: String,
    /// Its folders.
    pub roots: Vec<Root>,
}

/// One folder of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// What it holds.
    pub kind: RootKind,
    /// Relative to larder's cache folder.
    pub folder: String,
}

/// What a folder holds, in running-process's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RootKind {
    /// Blobs.
    Data,
    /// Action cache and index.
    Index,
    /// Logs.
    Logs,
    /// Lock files.
    Locks,
    /// Files being written.
    Tmp,
}

/// The registration that this build ships.
///
/// # Errors
/// When `larder.toml` does not parse, which a test of this crate excludes.
pub fn registration() -> Result<Registration, toml::de::Error> {
    toml::from_str(SOURCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_registration_parses_and_names_each_kind_of_folder_once() {
        let registration = registration().expect("larder.toml parses");
        assert_eq!(registration.service.name, "larder");
        let kinds: Vec<_> =
            registration.manifests.service.iter().flat_map(|m| m.roots.iter().map(|r| r.kind)).collect();
        for kind in [RootKind::Data, RootKind::Index, RootKind::Logs, RootKind::Locks, RootKind::Tmp] {
            assert_eq!(kinds.iter().filter(|k| **k == kind).count(), 1, "{kind:?}");
        }
    }
}
