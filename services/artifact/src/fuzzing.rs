//! What fuzz targets need to reach and nobody else may.

use larder_proto::v1::{ArtifactOutput, ArtifactParts};

/// What was read from the stored form of a key's parts, written again; `None` where `bytes` are not of this form.
#[must_use]
pub fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    crate::parts::decode(bytes).map(|parts| crate::parts::encode(&parts))
}

/// Whether `parts` are taken.
#[must_use]
pub fn are_parts(parts: &ArtifactParts) -> bool {
    crate::parts::check(parts).is_ok()
}

/// Whether `outputs` may be kept together.
#[must_use]
pub fn are_outputs(outputs: &[ArtifactOutput]) -> bool {
    crate::limits::outputs(outputs, [b"", b""]).is_ok()
}
