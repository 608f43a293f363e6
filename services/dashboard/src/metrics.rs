//! The reports in Prometheus's text format, version 0.0.4, as its manual's chapter on exposition formats gives it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use larder_proto::v1::{ServiceStats, Stats, Status};
use larder_service::Reports;

/// `/metrics`
pub(crate) async fn metrics(State(reports): State<Arc<dyn Reports>>) -> impl IntoResponse {
    let text = text(&reports.status(), &reports.stats(0));
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// One metric as it is written, sample by sample.
struct Metric<'a>(&'a mut String, &'static str);

impl<'a> Metric<'a> {
    fn begin(text: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
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

fn text(status: &Status, stats: &Stats) -> String {
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
    text
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
        let reason =
            ReasonCount { id: "direct_hit".into(), outcome: "hit".into(), sentence: "s".into(), count: 3 };
        let service = ServiceStats {
            service: "compile".into(),
            reasons: vec![reason],
            avoided_us: 1_500_000,
            ..ServiceStats::default()
        };
        let stats = Stats { services: vec![service], ..Stats::default() };
        let text = text(&Status { version: "1".into(), ..Status::default() }, &stats);
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
            assert!(text.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
