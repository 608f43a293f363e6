//! The same as the daemon does, by this process.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Context as _;
use larder_proto::v1::FingerprintChecked;
use larder_tree::{Plain, State, check};

use super::{Done, Verb};

pub(super) fn do_it(verb: &Verb, cache: &Path) -> anyhow::Result<Done> {
    let kept = State::read(cache).with_context(|| format!("failed to read {}", cache.display()))?;
    let Verb::Check(selection, depth) = verb else {
        let mut state = kept.state().unwrap_or_default();
        match verb {
            Verb::Success => state.mark_success()?,
            Verb::Failure => state.mark_failure(),
            _ => state.invalidate(),
        }
        return Ok(Done { checked: None, state: Some(state.encode()) });
    };
    let skip = cache.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()));
    let checked = check(selection, *depth, kept, skip, &Plain::by_system_time())?;
    let state = checked.state.as_ref().map(State::encode);
    let changes = checked.changes;
    let checked = FingerprintChecked {
        unchanged: checked.unchanged,
        added: changes.added,
        removed: changes.removed,
        changed: changes.changed,
        unreadable: changes.unreadable,
        more: 0,
        because: checked.because.to_owned(),
        files: checked.files,
        state: Vec::new(),
    };
    Ok(Done { checked: Some(checked), state })
}
