//! An action is looked up.

use std::sync::Arc;

use larder_proto::v1::go_reply::Reply;
use larder_proto::v1::{GoFound, GoGet, GoKnown, GoUse};
use larder_service::{ConnectionId, NewRecord, Reason};

use crate::action::{ActionId, Known};
use crate::error::GoError;
use crate::{Core, aside, close};

/// Most answers that are sent along with one.
const MOST_AHEAD: u32 = 4096;

/// A blob of more bytes is hashed where that holds up nobody.
const LONG: u64 = 256 << 10;

impl Core {
    pub(crate) async fn get(
        self: &Arc<Self>,
        connection: ConnectionId,
        get: GoGet,
    ) -> Result<Reply, GoError> {
        let start = self.context.clock.monotonic_ns();
        let action = ActionId::read(&get.action)?;
        self.used(connection, &get.used)?;
        let kept = match self.queue.known(&action) {
            Some(known) => Some(known),
            None => self.store.action(&action.key())?.and_then(|result| Known::of(&result)),
        };
        let found = match kept {
            None => Err(Reason::GoFirstSeen),
            Some(known) => {
                let sound = if known.digest.size > LONG {
                    let core = Arc::clone(self);
                    aside(move || core.is_sound(connection, &known)).await?
                } else {
                    self.is_sound(connection, &known)?
                };
                if sound { Ok(known) } else { Err(Reason::ResultGone) }
            }
        };
        self.count_get(connection, found);
        let us = self.context.clock.monotonic_ns().saturating_sub(start) / 1000;
        self.journal_get(connection, &action, found, us);
        let ahead = {
            let mut trail = self.trail();
            let count = usize::try_from(get.ahead.min(MOST_AHEAD)).unwrap_or(0);
            let ahead = trail.after(&action, count);
            trail.asked(connection, action, found.ok());
            ahead
        };
        let known = found.ok().map(|known| known.told(&action, self.store.blob_name(&known.digest), None));
        Ok(Reply::Found(GoFound { known, ahead: self.ahead(connection, &ahead) }))
    }

    /// Whether the blob is there and what it should be. It stays there while the go command runs.
    fn is_sound(&self, connection: ConnectionId, known: &Known) -> Result<bool, GoError> {
        self.store.pin(close::holder(connection), &known.digest)?;
        Ok(self.store.blob(&known.digest)?.is_some())
    }

    /// Those answers that the client can prove for itself.
    fn ahead(&self, connection: ConnectionId, ahead: &[(ActionId, Option<Known>)]) -> Vec<GoKnown> {
        let digests: Vec<_> =
            ahead.iter().filter_map(|(_, known)| known.as_ref().map(|known| known.digest)).collect();
        let mut proofs = self.store.proofs(close::holder(connection), &digests).into_iter();
        let told = ahead.iter().filter_map(|(action, known)| match known {
            None => Some(GoKnown { action: action.0.to_vec(), ..GoKnown::default() }),
            Some(known) => {
                let stamp = proofs.next().flatten()?;
                Some(known.told(action, self.store.blob_name(&known.digest), Some(stamp)))
            }
        });
        told.collect()
    }

    /// Counts answers that were sent ahead and have been used since.
    pub(crate) fn used(&self, connection: ConnectionId, used: &[GoUse]) -> Result<(), GoError> {
        let (mut hits, mut told) = (Vec::new(), Vec::new());
        let (mut misses, mut lost) = (0, 0);
        let journals = self.journals(connection);
        {
            let mut trail = self.trail();
            for used in used {
                let action = ActionId::read(&used.action)?;
                let known = trail.known(&action).flatten();
                trail.asked(connection, action, known);
                match known {
                    _ if used.miss => misses += 1,
                    Some(known) => hits.push((action.key(), known)),
                    // The trail has lost it since.
                    None => lost += 1,
                }
                if journals {
                    let found = if used.miss { Err(Reason::GoFirstSeen) } else { known.ok_or(Reason::GoHit) };
                    told.push((action, found));
                }
            }
        }
        if let Err(error) = self.store.note_uses(hits.iter().map(|(key, known)| (key, &known.digest))) {
            tracing::debug!(%error, "failed to note that results were used");
        }
        let avoided_us = hits.iter().map(|(_, known)| known.tool_us).sum();
        let bytes = hits.iter().map(|(_, known)| known.digest.size).sum();
        let hit_count = hits.len() as u64 + lost;
        self.tally(connection, |counts| {
            counts.hits += hit_count;
            counts.misses += misses;
            counts.bytes += bytes;
            counts.avoided_us += avoided_us;
        });
        told.iter().for_each(|(action, found)| self.journal_get(connection, action, *found, 0));
        if hit_count > 0 {
            self.count(connection, Reason::GoHit, hit_count, 0, avoided_us);
        }
        if misses > 0 {
            self.count(connection, Reason::GoFirstSeen, misses, 0, 0);
        }
        self.totals.handed(bytes);
        Ok(())
    }

    /// Writes one get to the journal of the session that it belongs to.
    fn journal_get(
        &self,
        connection: ConnectionId,
        action: &ActionId,
        found: Result<Known, Reason>,
        lookup_us: u64,
    ) {
        self.journalled(connection, found.err().unwrap_or(Reason::GoHit), || NewRecord {
            key: action.key().hex(),
            overhead_us: lookup_us,
            lookup_us,
            bytes: found.map_or(0, |known| known.digest.size),
            tool_us: found.map_or(0, |known| known.tool_us),
            ..NewRecord::default()
        });
    }

    fn count_get(&self, connection: ConnectionId, found: Result<Known, Reason>) {
        match found {
            Ok(known) => {
                self.tally(connection, |counts| {
                    counts.hits += 1;
                    counts.bytes += known.digest.size;
                    counts.avoided_us += known.tool_us;
                });
                self.count(connection, Reason::GoHit, 1, 0, known.tool_us);
                self.totals.handed(known.digest.size);
            }
            Err(reason) => {
                self.tally(connection, |counts| counts.misses += 1);
                self.count(connection, reason, 1, 0, 0);
            }
        }
    }
}
