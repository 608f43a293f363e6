//! The reports as OpenMetrics text, version 1.0.0 (its specification is Prometheus's), which
//! Prometheus reads.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use larder_proto::v1::{LaneList, LaneStatus, ServiceStats, Stats, Status};

use crate::Shown;

/// `/metrics`
pub(crate) async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    let text = text(&shown.reports.status(), &shown.reports.stats(0), &shown.reports.lanes());
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}

/// One metric as it is written, sample by sample.
struct Metric<'a>(&'a mut String, &'static str);

impl<'a> Metric<'a> {
    fn begin(text: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        // A counter's family goes by the name without the ending that its samples have.
        let family = name.strip_suffix("_total").unwrap_or(name);
        let _ = writeln!(text, "# TYPE {family} {kind}\n# HELP {family} {help}");
        Self(text, name)
    }

    fn sample(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let mut written = String::new();
        for (name, label) in labels {
            let comma = if written.is_empty() { "" } else { "," };
            let _ = write!(written, "{comma}{name}=\"{}\"", escaped(label));
        }
        let labels = if written.is_empty() { written } else { format!("{{{written}}}") };
        let _ = writeln!(self.0, "{}{labels} {value}", self.1);
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

fn text(status: &Status, stats: &Stats, lanes: &LaneList) -> String {
    let mut text = String::new();
    let out = &mut text;
    Metric::begin(out, "larder_info", "gauge", "The daemon's version.")
        .sample(&[("version", &status.version)], 1);
    let store = status.store.clone().unwrap_or_default();
    for (name, kind, help, value) in [
        ("larder_uptime_seconds", "gauge", "Time since the daemon started.", status.uptime_ms / 1000),
        ("larder_memory_bytes", "gauge", "Resident memory of the daemon.", status.memory_bytes),
        ("larder_connections", "gauge", "Clients connected now.", status.connections.into()),
        ("larder_store_bytes", "gauge", "Bytes of all blobs and records.", store.bytes),
        ("larder_store_limit_bytes", "gauge", "Most bytes before something is evicted.", store.limit_bytes),
        ("larder_store_blobs", "gauge", "Blobs in the store.", store.blobs),
        ("larder_store_actions", "gauge", "Action results in the store.", store.actions),
        ("larder_store_evicted_blobs_total", "counter", "Blobs removed by policy.", store.evicted_blobs),
        (
            "larder_store_damaged_blobs_total",
            "counter",
            "Blobs found damaged and dropped.",
            store.damaged_blobs,
        ),
    ] {
        Metric::begin(out, name, kind, help).sample(&[], value);
    }
    per_service(out, &stats.services);
    per_lane(out, &lanes.lanes);
    text.push_str("# EOF\n");
    text
}

fn per_lane(out: &mut String, lanes: &[LaneStatus]) {
    for (name, kind, help, value) in [
        (
            "larder_in_flight",
            "gauge",
            "Requests that are being answered.",
            (|lane| lane.in_flight.into()) as fn(&LaneStatus) -> u64,
        ),
        ("larder_leases", "gauge", "Promises to publish that are open.", |lane| lane.leases),
        ("larder_answered_total", "counter", "Requests that were answered.", |lane| lane.requests),
    ] {
        let mut metric = Metric::begin(out, name, kind, help);
        for lane in lanes {
            metric.sample(&[("service", &lane.service)], value(lane));
        }
    }
    let help = "Time within which that part of all requests was answered.";
    let mut latency = Metric::begin(out, "larder_answer_seconds", "gauge", help);
    for lane in lanes {
        for (part, us) in [("0.5", lane.p50_us), ("0.95", lane.p95_us), ("0.99", lane.p99_us)] {
            latency.sample(&[("service", &lane.service), ("part", part)], seconds(us));
        }
    }
}

fn per_service(out: &mut String, services: &[ServiceStats]) {
    let help = "Finished requests by outcome and reason.";
    let mut requests = Metric::begin(out, "larder_requests_total", "counter", help);
    for service in services {
        for reason in &service.reasons {
            let labels =
                [("service", &*service.service), ("outcome", &reason.outcome), ("reason", &reason.id)];
            requests.sample(&labels, reason.count);
        }
    }
    let help = "Time that tools took when the results were made that were hits since.";
    let mut avoided = Metric::begin(out, "larder_avoided_seconds_total", "counter", help);
    for service in services {
        avoided.sample(&[("service", &service.service)], seconds(service.avoided_us));
    }
    let help = "The daemon's own time over all requests.";
    let mut overhead = Metric::begin(out, "larder_overhead_seconds_total", "counter", help);
    for service in services {
        overhead.sample(&[("service", &service.service)], seconds(service.overhead_us));
    }
    let help = "Figures that only one service has, in the unit that its report names.";
    let mut figures = Metric::begin(out, "larder_figure", "gauge", help);
    for service in services {
        for figure in &service.figures {
            let labels = [("service", &*service.service), ("figure", &figure.id), ("unit", &figure.unit)];
            figures.sample(&labels, figure.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use larder_proto::v1::ReasonCount;

    use super::*;

    #[test]
    fn every_reason_is_a_sample_and_every_metric_has_its_type() {
        let reason = ReasonCount {
            id: "direct_hit".into(),
            outcome: "hit".into(),
            count: 3,
            ..ReasonCount::default()
        };
        let service = ServiceStats {
            service: "compile".into(),
            reasons: vec![reason],
            avoided_us: 1_500_000,
            ..ServiceStats::default()
        };
        let stats = Stats { services: vec![service], ..Stats::default() };
        let lanes = LaneList::default();
        let text = text(&Status { version: "1".into(), ..Status::default() }, &stats, &lanes);
        for line in [
            "larder_requests_total{service=\"compile\",outcome=\"hit\",reason=\"direct_hit\"} 3",
            "larder_avoided_seconds_total{service=\"compile\"} 1.500000",
            "larder_info{version=\"1\"} 1",
            "larder_store_bytes 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = name.strip_suffix("_total").unwrap_or(name);
            assert!(text.contains(&format!("# TYPE {family} ")), "{name}");
        }
        assert!(text.ends_with("\n# EOF\n"));
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
