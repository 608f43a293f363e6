//! `larder stats`

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use larder_proto::v1::{
    ReportKind, Stats, StatsRequest, StatsZeroed, ZeroStatsRequest, control_reply, control_request, report,
};

use super::render;
use super::report::ask_for;
use super::since::{self, Period};
use crate::running::Running;

/// How often `--watch` looks again.
const INTERVAL: Duration = Duration::from_secs(1);

/// To the upper left corner, and nothing below.
const ANEW: &str = "\x1b[H\x1b[J";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Every service, what each reason has cost, and where larder's own time went
    #[arg(short, long)]
    verbose: bool,
    /// Of the days that the last 30m, 12h, 1d or 2w reach into, by UTC, all services together; 90 are kept
    #[arg(long, value_name = "PERIOD", conflicts_with = "records")]
    since: Option<Period>,
    /// How many of the latest requests to list, at most 1000
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    records: u32,
    /// Show them anew each second
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Begin the counts anew; what is kept by day stays. With --json or -v, show first what they were
    #[arg(short, long, conflicts_with_all = ["since", "watch"])]
    zero_stats: bool,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if options.zero_stats {
        return begin_anew(options);
    }
    let mut shown = String::new();
    loop {
        let text = text(options)?;
        // Elsewhere than on a terminal, what is the same is not repeated.
        if options.watch && std::io::stdout().is_terminal() {
            super::print(&format!("{ANEW}{text}"))?;
        } else if text != shown {
            super::print(&text)?;
        }
        if !options.watch {
            return Ok(ExitCode::SUCCESS);
        }
        shown = text;
        std::thread::sleep(INTERVAL);
    }
}

fn text(options: &Options) -> anyhow::Result<String> {
    if let Some(period) = options.since {
        let report::Report::Overview(overview) = ask_for(ReportKind::Overview, "", 0)? else {
            anyhow::bail!("the daemon's answer makes no sense");
        };
        return since::text(&since::sum(&overview, period), options.json, options.verbose);
    }
    let mut daemon = found()?;
    let request = StatsRequest { records: options.records };
    match daemon.control(control_request::Request::Stats(request))? {
        control_reply::Reply::Stats(stats) => shown(&stats, options),
        _ => anyhow::bail!("the daemon's answer makes no sense"),
    }
}

fn shown(stats: &Stats, options: &Options) -> anyhow::Result<String> {
    if options.json {
        return Ok(serde_json::to_string_pretty(stats)? + "\n");
    }
    Ok(render::stats(stats, options.verbose))
}

fn begin_anew(options: &Options) -> anyhow::Result<ExitCode> {
    let request = ZeroStatsRequest { records: options.records };
    let reply = found()?.control(control_request::Request::ZeroStats(request))?;
    let control_reply::Reply::Zeroed(StatsZeroed { before: Some(before) }) = reply else {
        anyhow::bail!("the daemon's answer makes no sense");
    };
    if options.json || options.verbose || options.records > 0 {
        super::print(&shown(&before, options)?)?;
    }
    if !options.json {
        super::print("the counts begin anew\n")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn found() -> anyhow::Result<Running> {
    match Running::find()? {
        Some(daemon) => Ok(daemon),
        None => anyhow::bail!("no daemon is running\nhint: larder start"),
    }
}
