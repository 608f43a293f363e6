//! What is counted of one service's requests.

use larder_proto::v1::{ReasonCount, ServiceStats};

use crate::{Outcome, Reason};

#[derive(Clone, Debug)]
pub(crate) struct ServiceCounts {
    pub(crate) service: &'static str,
    /// One count for each row of the reason table.
    counts: Vec<u64>,
    /// The tool's time, for each row too.
    tool_us: Vec<u64>,
    avoided_us: u64,
    overhead_us: u64,
    pub(crate) phases: Phases,
}

/// Sums of a request's times, microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Phases {
    pub(crate) lookup_us: u64,
    pub(crate) validate_us: u64,
    pub(crate) wait_us: u64,
    pub(crate) publish_us: u64,
}

impl Phases {
    pub(crate) fn add(&mut self, other: Self) {
        self.lookup_us += other.lookup_us;
        self.validate_us += other.validate_us;
        self.wait_us += other.wait_us;
        self.publish_us += other.publish_us;
    }

    fn since(self, before: Self) -> Self {
        Self {
            lookup_us: self.lookup_us.saturating_sub(before.lookup_us),
            validate_us: self.validate_us.saturating_sub(before.validate_us),
            wait_us: self.wait_us.saturating_sub(before.wait_us),
            publish_us: self.publish_us.saturating_sub(before.publish_us),
        }
    }
}

impl ServiceCounts {
    /// Those of `service` among `all`, where they are added if need be.
    pub(crate) fn of<'a>(all: &'a mut Vec<Self>, service: &'static str) -> &'a mut Self {
        let position = all.iter().position(|known| known.service == service).unwrap_or_else(|| {
            all.push(Self::new(service));
            all.len() - 1
        });
        &mut all[position]
    }

    pub(crate) fn count(&mut self, reason: Reason, requests: u64, overhead_us: u64, tool_us: u64) {
        self.counts[reason as usize] += requests;
        self.tool_us[reason as usize] += tool_us;
        self.overhead_us += overhead_us;
        if reason.outcome() == Outcome::Hit {
            self.avoided_us += tool_us;
        }
    }

    /// Moves one hit that `tool_us` were counted for to `reason`.
    pub(crate) fn recount(&mut self, counted: Reason, reason: Reason, tool_us: u64) {
        let count = &mut self.counts[counted as usize];
        *count = count.saturating_sub(1);
        let time = &mut self.tool_us[counted as usize];
        *time = time.saturating_sub(tool_us);
        self.counts[reason as usize] += 1;
        self.avoided_us = self.avoided_us.saturating_sub(tool_us);
    }

    /// What these have beyond `before`.
    pub(crate) fn since(&self, before: &Self) -> Self {
        let rest = |now: &[u64], then: &[u64]| -> Vec<u64> {
            now.iter().zip(then).map(|(now, then)| now.saturating_sub(*then)).collect()
        };
        Self {
            service: self.service,
            counts: rest(&self.counts, &before.counts),
            tool_us: rest(&self.tool_us, &before.tool_us),
            avoided_us: self.avoided_us.saturating_sub(before.avoided_us),
            overhead_us: self.overhead_us.saturating_sub(before.overhead_us),
            phases: self.phases.since(before.phases),
        }
    }

    pub(crate) fn new(service: &'static str) -> Self {
        let zeros = vec![0; Reason::ALL.len()];
        let phases = Phases::default();
        Self { service, counts: zeros.clone(), tool_us: zeros, avoided_us: 0, overhead_us: 0, phases }
    }

    pub(crate) fn stats(&self) -> ServiceStats {
        let sum = |outcome: Outcome| {
            Reason::ALL.iter().filter(|r| r.outcome() == outcome).map(|r| self.counts[*r as usize]).sum()
        };
        let mut reasons: Vec<_> = Reason::ALL
            .iter()
            .filter(|reason| self.counts[**reason as usize] > 0)
            .map(|reason| ReasonCount {
                id: reason.id().to_owned(),
                outcome: reason.outcome().id().to_owned(),
                sentence: reason.sentence().to_owned(),
                count: self.counts[*reason as usize],
                tool_us: self.tool_us[*reason as usize],
            })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        ServiceStats {
            service: self.service.to_owned(),
            hits: sum(Outcome::Hit),
            misses: sum(Outcome::Miss),
            uncacheable: sum(Outcome::Uncacheable),
            errors: sum(Outcome::Error),
            bypasses: sum(Outcome::Bypass),
            reasons,
            avoided_us: self.avoided_us,
            overhead_us: self.overhead_us,
            figures: Vec::new(),
            lookup_us: self.phases.lookup_us,
            validate_us: self.phases.validate_us,
            wait_us: self.phases.wait_us,
            publish_us: self.phases.publish_us,
        }
    }
}
