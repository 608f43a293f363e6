//! Requests of the artifact lane, and the parts of a key as they are stored.

use std::path::{Component, Path};

use larder_artifact::fuzzing::{are_outputs, are_parts, rewritten};
use larder_proto::v1::ArtifactRequest;
use larder_proto::v1::artifact_request::Request;
use prost::Message as _;

/// What is stored reads back; no output that is taken leads out of the folder it is restored in.
pub fn check(bytes: &[u8]) {
    if let Some(again) = rewritten(bytes) {
        assert_eq!(rewritten(&again), Some(again), "what is written reads back");
    }
    let Ok(request) = ArtifactRequest::decode(bytes) else { return };
    let Some(Request::Store(store)) = request.request else { return };
    if are_outputs(&store.outputs) {
        for output in &store.outputs {
            let mut parts = Path::new(&output.name).components();
            assert!(parts.all(|part| matches!(part, Component::Normal(_))), "{:?}", output.name);
        }
    }
    if let Some(parts) = store.parts.filter(are_parts) {
        assert!(parts.parts.iter().all(|part| part.name.len() <= 4096 && part.digest.len() <= 32));
    }
}
