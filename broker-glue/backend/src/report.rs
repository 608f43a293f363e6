//! `larder report`: what the page shows, for the command line. Some of it waits for a disk.

use std::sync::Arc;

use larder_proto::v1::report::Report as Told;
use larder_proto::v1::{Report, ReportKind, ReportRequest, control_reply};
use larder_service::{Reason, Reports, is_start_of_name};

use crate::control::{self, failure, not_supported};

/// Makes the report, on a thread that may block.
pub(crate) async fn answer(asked: ReportRequest, reports: Arc<dyn Reports>) -> Vec<u8> {
    let told = tokio::task::spawn_blocking(move || report(&asked, &*reports)).await;
    let told = told.unwrap_or_else(|_| Err(failure(Reason::InternalError, Reason::InternalError.sentence())));
    control::reply(match told {
        Ok(told) => control_reply::Reply::Report(Box::new(Report { report: Some(told) })),
        Err(reply) => reply,
    })
}

fn report(asked: &ReportRequest, reports: &dyn Reports) -> Result<Told, control_reply::Reply> {
    let wrong = |sentence: String| failure(Reason::RequestMalformed, &sentence);
    let forgotten = |what: &str, hint: &str| {
        wrong(format!(
            "there is no {what} {:?} among the latest that the daemon remembers\nhint: {hint}",
            asked.name
        ))
    };
    Ok(match asked.kind() {
        ReportKind::Overview => Told::Overview(reports.overview()),
        ReportKind::Misses => Told::Misses(reports.misses(control::records(asked.records))),
        ReportKind::Comparison => {
            let found = asked.name.parse().ok().and_then(|id| reports.comparison(id));
            let hint = "larder stats --records 20 begins each line with one";
            Told::Comparison(found.ok_or_else(|| forgotten("record", hint))?)
        }
        ReportKind::Builds => Told::Builds(reports.builds()),
        ReportKind::Build => {
            let found = reports.build(&asked.name);
            Told::Build(found.ok_or_else(|| forgotten("build", "larder report builds lists them"))?)
        }
        ReportKind::Services => Told::Services(reports.lanes()),
        ReportKind::Store => Told::Store(
            reports.store().ok_or_else(|| failure(Reason::StoreFailed, Reason::StoreFailed.sentence()))?,
        ),
        ReportKind::Found => {
            let name = asked.name.to_ascii_lowercase();
            if !is_start_of_name(&name) {
                return Err(wrong(format!(
                    "failed to search for {:?}: it is not 6 to 64 hexadecimal digits\nhint: the start of a digest or of a key",
                    asked.name
                )));
            }
            Told::Found(reports.find(&name))
        }
        ReportKind::Health => Told::Health(reports.health()),
        ReportKind::Settings => Told::Settings(reports.settings()),
        ReportKind::Unspecified => {
            return Err(not_supported("this daemon does not know the report".to_owned()));
        }
    })
}
