//! Where the control lane and the page get what they show, and what a person may ask for on the page.

use larder_proto::v1::{
    BuildActions, Builds, Cleared, Comparison, Found, Health, LaneList, Misses, Overview, SettingList, Stats,
    Status, StoreReport,
};

/// What the daemon can always tell of itself.
pub trait Figures: Send + Sync + 'static {
    /// What the daemon is and how it is.
    fn status(&self) -> Status;

    /// What the services did, with at most `records` of the latest records.
    fn stats(&self, records: usize) -> Stats;
}

/// Digits of the start of a digest or key that is searched for; the longest is a whole SHA-256.
const DIGITS: std::ops::RangeInclusive<usize> = 6..=64;

/// Whether `name` is what [`Reports::find`] searches for: 6 to 64 lowercase hexadecimal digits.
#[must_use]
pub fn is_start_of_name(name: &str) -> bool {
    DIGITS.contains(&name.len()) && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The daemon's reports. The page, its JSON, the metrics and the command line all read from here.
pub trait Reports: Figures {
    /// How it goes, in short.
    fn overview(&self) -> Overview;

    /// What was no hit, and what that cost, with at most `records` of the latest records.
    fn misses(&self, records: usize) -> Misses;

    /// One call beside the nearest earlier one; `None` where the record is not known any more.
    fn comparison(&self, record: u64) -> Option<Comparison>;

    /// Sessions, and what was called by one program outside of any.
    fn builds(&self) -> Builds;

    /// One of them; `None` where it is not known any more.
    fn build(&self, id: &str) -> Option<BuildActions>;

    /// How the lanes are served.
    fn lanes(&self) -> LaneList;

    /// What the store holds; reads all action results, so that it may take a while. `None` where there is no store.
    fn store(&self) -> Option<StoreReport>;

    /// Blobs and action results whose name starts with `name`, hexadecimal; may block on the disk.
    fn find(&self, name: &str) -> Found;

    /// What surrounds the daemon; may block on the disk.
    fn health(&self) -> Health;

    /// Each setting, and where its value comes from.
    fn settings(&self) -> SettingList;
}

/// What a person may ask the daemon to do.
pub trait Actions: Send + Sync + 'static {
    /// Has every tool run without the cache from now on, or ends that.
    fn pause(&self, paused: bool);

    /// Removes what is cached and in nobody's use, of `service` or, where that is empty, of all; with `dry_run`, only
    /// counts it. May block on the disk.
    ///
    /// # Errors
    /// With a sentence for the person.
    fn clear(&self, service: &str, dry_run: bool) -> Result<Cleared, String>;

    /// The services that [`Self::clear`] knows, by name; none where there is no store.
    fn keeping(&self) -> Vec<&'static str>;

    /// Ends the daemon, once running requests are answered.
    fn stop(&self);
}
