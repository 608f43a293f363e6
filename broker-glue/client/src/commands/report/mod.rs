//! `larder report`: each report of the daemon's page, for a terminal or as the page's JSON.

mod text;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use larder_proto::v1::report::Report as Told;
use larder_proto::v1::{ReportKind, ReportRequest, control_reply, control_request};
use serde_json::Value;

use crate::running::Running;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Which report
    #[arg(value_enum)]
    what: What,
    /// For record, build and find: an id, or the start of a digest or key
    name: Option<String>,
    /// How many calls a report of misses has, at most 1000
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=1000))]
    records: u32,
    /// As JSON, in the form of the page's /api/v1
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Today, and what cost most
    Overview,
    /// What was no hit, and what that cost
    Misses,
    /// One call beside the nearest earlier one
    Record,
    /// Sessions, and what one program called outside of any
    Builds,
    /// One of them, with its calls
    Build,
    /// How requests are served
    Services,
    /// What the store holds
    Store,
    /// Blobs and results whose name begins so
    Find,
    /// What surrounds the daemon
    Health,
    /// What the running daemon goes by
    Settings,
}

impl What {
    fn kind(self) -> ReportKind {
        match self {
            Self::Overview => ReportKind::Overview,
            Self::Misses => ReportKind::Misses,
            Self::Record => ReportKind::Comparison,
            Self::Builds => ReportKind::Builds,
            Self::Build => ReportKind::Build,
            Self::Services => ReportKind::Services,
            Self::Store => ReportKind::Store,
            Self::Find => ReportKind::Found,
            Self::Health => ReportKind::Health,
            Self::Settings => ReportKind::Settings,
        }
    }

    /// What its name is, where it has one.
    fn name(self) -> Option<&'static str> {
        match self {
            Self::Record => Some("larder report record 7, a number from larder stats --records 20"),
            Self::Build => Some("larder report build ID, as larder report builds lists them"),
            Self::Find => Some("larder report find 0a1b2c, the start of a digest or key"),
            _ => None,
        }
    }
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let name = match (options.what.name(), &options.name) {
        (Some(_), Some(name)) => name,
        (None, None) => "",
        (Some(hint), None) => anyhow::bail!("this report is of one thing, which is not named\nhint: {hint}"),
        (None, Some(name)) => {
            anyhow::bail!("failed to use {name:?}: this report is of all\nhint: leave it out")
        }
    };
    let report = json(ask_for(options.what.kind(), name, options.records)?)?;
    let text = if options.json { serde_json::to_string_pretty(&report)? + "\n" } else { text::of(&report) };
    super::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The daemon's report of `kind`.
pub(super) fn ask_for(kind: ReportKind, name: &str, records: u32) -> anyhow::Result<Told> {
    let Some(mut daemon) = Running::find()? else {
        anyhow::bail!("no daemon is running\nhint: larder start");
    };
    let request = ReportRequest { kind: kind.into(), name: name.to_owned(), records };
    match daemon.control(control_request::Request::Report(request))? {
        control_reply::Reply::Report(report) => report.report.context("the daemon's report is empty"),
        _ => anyhow::bail!("the daemon's answer makes no sense\nhint: larder restart"),
    }
}

fn json(report: Told) -> serde_json::Result<Value> {
    match report {
        Told::Overview(report) => serde_json::to_value(report),
        Told::Misses(report) => serde_json::to_value(report),
        Told::Comparison(report) => serde_json::to_value(report),
        Told::Builds(report) => serde_json::to_value(report),
        Told::Build(report) => serde_json::to_value(report),
        Told::Services(report) => serde_json::to_value(report),
        Told::Store(report) => serde_json::to_value(report),
        Told::Found(report) => serde_json::to_value(report),
        Told::Health(report) => serde_json::to_value(report),
        Told::Settings(report) => serde_json::to_value(report),
    }
}
