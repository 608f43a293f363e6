//! What is in the store, for people.

use std::sync::{Mutex, PoisonError};

use larder_proto::v1::{Age, Found, FoundAction, FoundOutput, StoreReport, StoreStatus, StoredBlob};
use larder_service::Key;
use larder_store::{AGES, ActionResult, SeenBlob, Survey};

use crate::reports::SCHEMA_VERSION;

/// How long a look at the whole store is good for while nothing is stored or removed: only ages go on.
const LASTS_MS: u64 = 60_000;

/// The latest look at the whole store. It reads every action result, and an open page asks every few seconds.
#[derive(Default)]
pub(crate) struct Looked(Mutex<Option<(StoreStatus, u64, Survey)>>);

impl Looked {
    /// What `look` sees, or has seen lately of a store that was as `status` says; at `now`, Unix time in milliseconds.
    pub(crate) fn at(
        &self,
        now: u64,
        status: &StoreStatus,
        look: impl FnOnce() -> anyhow::Result<Survey>,
    ) -> anyhow::Result<Survey> {
        // Others who ask meanwhile wait for the same look.
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, at, survey)) = &*latest
            && then == status
            && now.checked_sub(*at).is_some_and(|age| age < LASTS_MS)
        {
            return Ok(survey.clone());
        }
        let survey = look()?;
        *latest = Some((status.clone(), now, survey.clone()));
        Ok(survey)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_looked_at_anew_when_it_has_changed_or_after_a_minute() {
        let looked = Looked::default();
        let status = |blobs| StoreStatus { blobs, ..StoreStatus::default() };
        let looks = std::cell::Cell::new(0);
        let at = |now, blobs| {
            let look = || {
                looks.set(looks.get() + 1);
                Ok(Survey { blob_bytes: blobs, ..Survey::default() })
            };
            looked.at(now, &status(blobs), look).expect("it can be looked at").blob_bytes
        };
        assert_eq!((at(1000, 1), at(2000, 1), looks.get()), (1, 1, 1));
        assert_eq!((at(3000, 2), looks.get()), (2, 2));
        assert_eq!((at(3000 + LASTS_MS, 2), looks.get()), (2, 3));
        // A clock that was set back.
        assert_eq!((at(1, 2), looks.get()), (2, 4));
    }
}
