//! Answers that the daemon has sent ahead.
//!
//! A question over the socket costs more than all the rest of a get, and the go command asks hundreds, one after the
//! other. What an answer that came ahead says is proven by the file itself: by its stamp, as the daemon would.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use larder_proto::v1::{GoKnown, GoStamp};

use super::request::Name;

/// How long an answer holds. Another go command may put something else under the action meanwhile.
const HOLDS: Duration = Duration::from_secs(2);

/// Answers that are wanted along with the first one; each time twice as many.
const FIRST: u32 = 64;
const MOST: u32 = 2048;

pub(super) struct Ahead {
    answers: HashMap<Name, Answer>,
    wanted: u32,
}

struct Answer {
    until: Instant,
    /// `None`: nothing is kept under the action.
    known: Option<Box<GoKnown>>,
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self { answers: HashMap::new(), wanted: FIRST }
    }

    /// How many answers to ask for along with the next one.
    pub(super) fn wanted(&mut self) -> u32 {
        let wanted = self.wanted;
        self.wanted = (wanted * 4).min(MOST);
        wanted
    }

    pub(super) fn keep(&mut self, ahead: Vec<GoKnown>) {
        let until = Instant::now() + HOLDS;
        for known in ahead {
            let Ok(action) = Name::try_from(known.action.as_slice()) else { continue };
            let known = (!known.output.is_empty()).then(|| Box::new(known));
            self.answers.insert(action, Answer { until, known });
        }
    }

    /// The answer for `action`, unless there is none, or it is too old: what is kept, or that there is nothing.
    pub(super) fn answer(&mut self, action: &Name) -> Option<Option<Box<GoKnown>>> {
        // Whoever asks again gets an answer from the daemon.
        let answer = self.answers.remove(action)?;
        (answer.until > Instant::now()).then_some(answer.known)
    }

    /// `action` gets another output now.
    pub(super) fn forget(&mut self, action: &Name) {
        self.answers.remove(action);
    }

    /// The daemon is gone, and with it the pins.
    pub(super) fn clear(&mut self) {
        self.answers.clear();
        self.wanted = FIRST;
    }
}

/// Whether the file at `path` is what `known` says.
pub(super) fn is_there(path: &Path, known: &GoKnown) -> bool {
    let Ok(metadata) = path.metadata() else { return false };
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    let stamp = || GoStamp {
        mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
    };
    metadata.is_file()
        && metadata.len() == known.size
        && known.stamp.as_ref().is_none_or(|proven| *proven == stamp())
}
