//! The one line that a build may get from larder itself.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, SystemTime};

use larder_glue::folders::Folders;
use larder_glue::private;

/// A build of a thousand calls in which larder is broken gets one line a minute, not a thousand.
const QUIET: Duration = Duration::from_secs(60);

/// Says `sentence` on standard error.
pub(crate) fn say(sentence: &str) {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "larder: {sentence}");
}

/// Says `sentence` unless something was said within the last minute.
pub(crate) fn say_once(folders: &Folders, sentence: &str) {
    let marker = folders.runtime.join("complained");
    let recently = marker
        .metadata()
        .and_then(|metadata| metadata.modified())
        .is_ok_and(|then| SystemTime::now().duration_since(then).is_ok_and(|age| age < QUIET));
    if recently {
        return;
    }
    if private::ensure_folder(&folders.runtime).is_ok() {
        let _ = File::create(&marker);
    }
    say(sentence);
}
