//! Prometheus's own reader of metrics, from PyPI.

use super::pypi::Package;
use crate::say::Progress;
use crate::workspace;

const READER: Package = Package { name: "prometheus-client", version: "0.22.1", folder: "prometheus-client" };

/// Installs it into target/tools unless this version of it is there.
pub(super) fn install(progress: &Progress) -> anyhow::Result<()> {
    READER.install(progress, &workspace::tools().join(READER.folder), |_| Ok(()))
}
