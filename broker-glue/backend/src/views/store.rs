//! What is in the store, for people.

use larder_proto::v1::{Age, Found, FoundAction, FoundOutput, StoreReport, StoreStatus, StoredBlob};
use larder_service::Key;
use larder_store::{AGES, ActionResult, SeenBlob, Survey};

use crate::reports::SCHEMA_VERSION;

pub(crate) fn report(status: StoreStatus, survey: &Survey) -> StoreReport {
    let ends = AGES.iter().copied().chain([0]);
    let age = |(end, (blobs, bytes)): (u64, (u64, u64))| Age { up_to_seconds: end, blobs, bytes };
    StoreReport {
        schema_version: SCHEMA_VERSION,
        store: Some(status),
        blob_bytes: survey.blob_bytes,
        named_bytes: survey.named_bytes,
        ages: ends.zip(survey.ages).map(age).collect(),
        largest: survey.largest.iter().map(blob).collect(),
    }
}

pub(crate) fn found(blobs: &[SeenBlob], actions: &[(Key, ActionResult)]) -> Found {
    let output = |output: &larder_store::OutputBlob| FoundOutput {
        name: output.name.clone(),
        digest: output.digest.hex(),
        size: output.digest.size,
    };
    let action = |(key, result): &(Key, ActionResult)| FoundAction {
        key: key.hex(),
        created_unix_ms: result.created_unix_ms,
        tool_us: result.tool_us,
        exit_code: result.exit_code,
        outputs: result.outputs.iter().map(output).collect(),
    };
    Found {
        schema_version: SCHEMA_VERSION,
        blobs: blobs.iter().map(blob).collect(),
        actions: actions.iter().map(action).collect(),
    }
}

fn blob((digest, last_use): &SeenBlob) -> StoredBlob {
    StoredBlob { digest: digest.hex(), size: digest.size, last_use_unix_ms: *last_use }
}
