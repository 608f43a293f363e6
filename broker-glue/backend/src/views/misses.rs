//! What was no hit: for which reasons, and beside which earlier call.

use larder_proto::v1::{Cause, Comparison, Input, Misses, Record, Stats};
use larder_service::{Compared, Reason};

use crate::reports::SCHEMA_VERSION;

/// What was no hit, and what that cost, with at most `records` records.
pub(crate) fn misses(mut stats: Stats, records: usize) -> Misses {
    let causes = causes(&stats);
    stats.records.retain(|record| record.outcome != "hit");
    stats.records.truncate(records);
    Misses { schema_version: SCHEMA_VERSION, causes, records: stats.records }
}

/// The reasons for which tools ran, costliest first.
pub(crate) fn causes(stats: &Stats) -> Vec<Cause> {
    let mut causes: Vec<_> = stats
        .services
        .iter()
        .flat_map(|service| service.reasons.iter().map(|reason| (&service.service, reason)))
        .filter(|(_, reason)| reason.outcome != "hit")
        .map(|(service, reason)| Cause {
            service: service.clone(),
            outcome: reason.outcome.clone(),
            reason: reason.id.clone(),
            sentence: reason.sentence.clone(),
            count: reason.count,
            tool_us: reason.tool_us,
        })
        .collect();
    causes.sort_by_key(|cause| std::cmp::Reverse((cause.tool_us, cause.count)));
    causes
}

/// `record` beside the nearest earlier call, as far as that is remembered.
pub(crate) fn comparison(record: Record, compared: Option<Compared>) -> Comparison {
    let Compared { mut inputs, more } = compared.unwrap_or_default();
    // A file that a source includes is no part of what is known before a manifest is looked at.
    let is_listed = inputs.iter().any(|input| input.differs && input.name == record.detail);
    if record.reason == Reason::InputChanged.id() && !record.detail.is_empty() && !is_listed {
        let (then, now) = ("other content".to_owned(), "changed".to_owned());
        inputs.insert(
            0,
            Input { kind: "file".to_owned(), name: record.detail.clone(), then, now, differs: true },
        );
    }
    let reason = Reason::ALL.iter().find(|reason| reason.id() == record.reason);
    Comparison {
        schema_version: SCHEMA_VERSION,
        sentence: reason.map_or_else(String::new, |reason| reason.sentence().to_owned()),
        record: Some(record),
        inputs,
        more: u32::try_from(more).unwrap_or(u32::MAX),
    }
}
