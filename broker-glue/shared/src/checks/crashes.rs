//! What programs of larder's that ended badly have left.

use std::path::Path;

use super::{Check, LARDER};
use crate::crash;

pub(super) fn check(state: &Path) -> Check {
    const NAME: &str = "crashes";
    let reports = crash::reports(state);
    let Some(latest) = reports.first() else {
        return Check::ok(LARDER, NAME, "none is known of");
    };
    let what = latest.text.lines().next().unwrap_or_default();
    Check::note(
        LARDER,
        NAME,
        format!("{} reported; the latest: {what}", reports.len()),
        format!(
            "read {}\nlarder doctor --bundle packs it with the logs, for who mends it",
            latest.path.display()
        ),
    )
}
