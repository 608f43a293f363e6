//! Where the control lane and the page get what they show.

use larder_proto::v1::{Stats, Status};

/// The daemon's reports. The page, its JSON, the metrics and the command line all read from here.
pub trait Reports: Send + Sync + 'static {
    /// What the daemon is and how it is.
    fn status(&self) -> Status;

    /// What the services did, with at most `records` of the latest records.
    fn stats(&self, records: usize) -> Stats;
}
