//! An action gets an output.

use std::sync::Arc;

use larder_proto::v1::go_reply::Reply;
use larder_proto::v1::{GoPut, GoStored};
use larder_service::{ConnectionId, Digest};

use crate::action::{ActionId, Known, digest};
use crate::error::GoError;
use crate::{Core, aside, close};

impl Core {
    pub(crate) async fn put(
        self: &Arc<Self>,
        connection: ConnectionId,
        put: GoPut,
    ) -> Result<Reply, GoError> {
        let action = ActionId::read(&put.action)?;
        let digest = digest(&put.output, put.size)?;
        let staging = self.sessions().get(connection).map(|session| session.staging.clone());
        let staging = staging.ok_or(GoError::Malformed("the connection was not opened"))?;
        // A file of this very folder, and no other.
        let name = str::from_utf8(&put.staged).unwrap_or("/");
        if !name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(GoError::Malformed("a body's file has no such name"));
        }
        let staged = (!name.is_empty()).then(|| staging.join(name));
        let known = Known { digest, put_unix_ms: self.context.clock.unix_ms(), tool_us: put.tool_us };
        let core = Arc::clone(self);
        aside(move || core.keep(connection, &action, &known, staged.as_deref())).await?;
        self.trail().put(connection, action, known);
        self.tally(connection, |counts| {
            counts.puts += 1;
            counts.bytes += digest.size;
            counts.tool_us += put.tool_us;
        });
        if let Some(session) = self.sessions().get(connection) {
            session.put.push(digest);
        }
        self.totals.put(digest.size);
        Ok(Reply::Stored(GoStored { path: self.store.blob_name(&digest).into_bytes() }))
    }

    fn keep(
        &self,
        connection: ConnectionId,
        action: &ActionId,
        known: &Known,
        staged: Option<&std::path::Path>,
    ) -> Result<(), GoError> {
        let holder = close::holder(connection);
        match staged {
            Some(staged) => self.store.put_staged(holder, staged, &known.digest)?,
            None if known.digest == Digest::of(b"") => {
                self.store.pin(holder, &known.digest)?;
                self.store.put_bytes(b"")?;
            }
            None => return Err(GoError::Malformed("a body has no file")),
        }
        Ok(self.queue.put(&self.store, *action, *known)?)
    }
}
