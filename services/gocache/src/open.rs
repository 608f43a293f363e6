//! A go command begins.

use std::fs::DirBuilder;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::Arc;

use larder_proto::v1::go_reply::Reply;
use larder_proto::v1::{GoOpen, GoOpened};
use larder_service::ConnectionId;
use larder_store::StoreError;

use crate::action::digest;
use crate::error::GoError;
use crate::session::Session;
use crate::{Core, close};

impl Core {
    /// Waits for the store's disk to take a file: a go command would write to one that takes nothing for as long as that
    /// does.
    pub(crate) async fn disk_answers(&self) -> Result<(), GoError> {
        let store = Arc::clone(&self.store);
        let answers = tokio::task::spawn_blocking(move || store.answers()).await;
        answers.unwrap_or(Err(StoreError::Stuck { path: self.context.tmp.clone() })).map_err(GoError::Store)
    }

    pub(crate) fn open(&self, connection: ConnectionId, open: GoOpen) -> Result<Reply, GoError> {
        if self.sessions().get(connection).is_some() {
            return Err(GoError::Malformed("the connection is open already"));
        }
        let holder = close::holder(connection);
        for held in &open.held {
            self.store.pin(holder, &digest(&held.output, held.size)?)?;
        }
        // A name that no earlier daemon has given: a client may still clear up behind it.
        let now = self.context.clock.unix_ns();
        let staging = self.context.tmp.join(format!("go-{connection}-{now}"));
        let made = DirBuilder::new().mode(0o700).recursive(true).create(&staging);
        made.map_err(|source| GoError::Staging { path: staging.display().to_string(), source })?;
        let reply = GoOpened {
            blobs: self.store.blobs_folder().as_os_str().as_bytes().to_vec(),
            staging: staging.as_os_str().as_bytes().to_vec(),
        };
        let cwd = String::from_utf8_lossy(&open.cwd).into_owned();
        let larder = open.session.into();
        let session = Session { cwd, go_version: open.go_version, larder, staging, ..Session::default() };
        self.sessions().begin(connection, session);
        Ok(Reply::Opened(reply))
    }
}
