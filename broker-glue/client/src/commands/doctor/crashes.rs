//! What programs of larder's that ended badly have left.

use larder_glue::crash;
use larder_glue::folders::Folders;

use super::Check;

pub(super) fn checks() -> Vec<Check> {
    let Ok(folders) = Folders::from_env() else { return Vec::new() };
    let reports = crash::reports(&folders.state);
    let Some(latest) = reports.first() else {
        return vec![Check::ok("larder", "crashes", "none is known of")];
    };
    let what = latest.text.lines().next().unwrap_or_default();
    vec![Check::note(
        "larder",
        "crashes",
        format!("{} reported; the latest: {what}", reports.len()),
        format!(
            "read {}\nlarder doctor --bundle packs it with the logs, for who mends it",
            latest.path.display()
        ),
    )]
}
