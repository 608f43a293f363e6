//! Go actions: their names, and what is kept under them.

use larder_proto::v1::{GoKnown, GoStamp};
use larder_service::{Digest, Hasher, Key};
use larder_store::{ActionResult, BlobStamp, OutputBlob};

use crate::error::GoError;

/// Role of the one output of a go action.
const OUTPUT: &str = "go";

/// Go writes executables and archives from what it is handed; nobody writes to the file itself.
const MODE: u32 = 0o444;

/// The go command's name of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ActionId(pub(crate) [u8; 32]);

impl ActionId {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, GoError> {
        bytes.try_into().map(Self).map_err(|_| GoError::Malformed("an action's name is not of 32 bytes"))
    }

    /// What the action is kept under. Go names actions by SHA-256, as larder does its own, of other things: no two of
    /// them may meet.
    pub(crate) fn key(&self) -> Key {
        let mut hasher = Hasher::key("go action");
        hasher.field("id", &self.0);
        hasher.finish_key()
    }
}

/// What is kept under an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) digest: Digest,
    /// Unix time, milliseconds, rounded down: `go clean -testcache` must never take it for later than it was.
    pub(crate) put_unix_ms: u64,
    /// How long the go command took to make it, microseconds; 0 where unknown.
    pub(crate) tool_us: u64,
}

impl Known {
    /// `None`: it is no go action's result.
    pub(crate) fn of(result: &ActionResult) -> Option<Self> {
        let [output] = &result.outputs[..] else { return None };
        (output.name == OUTPUT).then_some(Self {
            digest: output.digest,
            put_unix_ms: result.created_unix_ms,
            tool_us: result.tool_us,
        })
    }

    pub(crate) fn result(&self) -> ActionResult {
        ActionResult {
            outputs: vec![OutputBlob { name: OUTPUT.to_owned(), digest: self.digest, mode: MODE }],
            tool_us: self.tool_us,
            created_unix_ms: self.put_unix_ms,
            ..ActionResult::default()
        }
    }

    /// As the client is told it; `path` is the blob's, relative to the folder of all blobs.
    pub(crate) fn told(&self, action: &ActionId, path: String, stamp: Option<BlobStamp>) -> GoKnown {
        GoKnown {
            action: action.0.to_vec(),
            output: self.digest.hash.to_vec(),
            size: self.digest.size,
            path: path.into_bytes(),
            put_unix_ms: self.put_unix_ms,
            stamp: stamp.map(|stamp| GoStamp {
                mtime_ns: stamp.mtime_ns,
                ctime_ns: stamp.ctime_ns,
                inode: stamp.inode,
            }),
        }
    }
}

/// The blob that a client names.
pub(crate) fn digest(output: &[u8], size: u64) -> Result<Digest, GoError> {
    let hash = output.try_into().map_err(|_| GoError::Malformed("an output's name is not of 32 bytes"))?;
    Ok(Digest { hash, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_reads_back_and_other_results_are_not_taken_for_it() {
        let known = Known { digest: Digest::of(b"x"), put_unix_ms: 5, tool_us: 7 };
        assert_eq!(Known::of(&known.result()), Some(known));
        let mut other = known.result();
        other.outputs[0].name = "object".to_owned();
        assert_eq!(Known::of(&other), None);
        assert_eq!(Known::of(&ActionResult::default()), None);
    }

    #[test]
    fn the_go_commands_names_are_kept_apart_from_larders_own() {
        let id = ActionId([7; 32]);
        assert_ne!(id.key().0, id.0);
        assert!(ActionId::read(&[0; 31]).is_err() && ActionId::read(&[0; 33]).is_err());
    }
}
