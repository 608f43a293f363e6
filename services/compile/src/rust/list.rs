//! What is cached of Rust, for people: which crate each result is of.

use larder_proto::v1::{RustArtifact, RustArtifacts};
use larder_store::StoreError;
use prost::Message as _;

use super::args::CrateType;
use super::{Crate, outputs};
use crate::paths;
use crate::state::Core;

/// Name of the output of an action result that describes the crate. It is never restored.
pub(crate) const NAME: &str = "about:crate";

/// Largest description, bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// The description that is stored with the result of `work`: a [`RustArtifact`] without what the result itself says.
pub(crate) fn described(work: &Crate) -> Vec<u8> {
    let variable = |name| work.call.whole_env.get(name).map(paths::text).unwrap_or_default();
    let request = &work.request;
    let kind = match (request.test, request.crate_types.first()) {
        (true, _) => "test",
        (_, Some(CrateType::Bin)) if request.crate_name.starts_with(b"build_script_") => "build script",
        (_, Some(CrateType::Bin)) => "program",
        (_, Some(CrateType::Lib) | None) => "library",
        (_, Some(CrateType::Dylib)) => "dylib",
        (_, Some(CrateType::Cdylib)) => "cdylib",
        (_, Some(CrateType::Staticlib)) => "staticlib",
        (_, Some(CrateType::ProcMacro)) => "proc-macro",
    };
    RustArtifact {
        name: paths::text(&request.crate_name),
        version: variable("CARGO_PKG_VERSION"),
        kind: kind.to_owned(),
        target: request.target.as_deref().map(paths::text).unwrap_or_default(),
        outputs: outputs::expected(request),
        ..Default::default()
    }
    .encode_to_vec()
}

impl Core {
    /// All of them, by name, version and age.
    pub(crate) fn rust_artifacts(&self) -> Result<RustArtifacts, StoreError> {
        let mut artifacts = Vec::new();
        self.store.each_action(|key, result| {
            let Some(about) = result.outputs.iter().find(|output| output.name == NAME) else { return };
            let Ok(Some(bytes)) = self.store.read_blob(&about.digest, MAX_BYTES) else { return };
            let Ok(mut artifact) = RustArtifact::decode(bytes.as_slice()) else { return };
            artifact.bytes = result.outputs.iter().map(|output| output.digest.size).sum();
            artifact.created_unix_ms = result.created_unix_ms;
            artifact.tool_us = result.tool_us;
            artifact.key = key.hex();
            artifacts.push(artifact);
        })?;
        artifacts.sort_by(|a, b| {
            (&a.name, &a.version, a.created_unix_ms).cmp(&(&b.name, &b.version, b.created_unix_ms))
        });
        Ok(RustArtifacts { artifacts })
    }
}
