//! The one line that a build may get from larder itself.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use larder_glue::folders::Folders;
use larder_glue::private;

/// A build of a thousand calls in which larder is broken gets one line a minute, not a thousand.
const QUIET: Duration = Duration::from_secs(60);

/// File that a client which has said something leaves.
const MARKER: &str = "complained";

/// Says `sentence` on standard error.
pub(crate) fn say(sentence: &str) {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "larder: {sentence}");
}

/// Says `sentence` unless something was said within the last minute.
pub(crate) fn say_once(folders: &Folders, sentence: &str) {
    // Where the one cannot be written, the other may.
    let places = [&folders.runtime, &folders.state];
    let recently = |folder: &PathBuf| {
        let changed = folder.join(MARKER).metadata().and_then(|metadata| metadata.modified());
        changed.is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < QUIET))
    };
    if places.into_iter().any(recently) {
        return;
    }
    let _ = places
        .into_iter()
        .any(|folder| private::ensure_folder(folder).is_ok() && File::create(folder.join(MARKER)).is_ok());
    say(sentence);
}
